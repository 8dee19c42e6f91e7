"""Loads what installed packages offer as entry points: layers, import methods, import plugins, types of job.

Loading happens once, at start, and fails closed: any error is a ConfigurationError that names the entry point. A plugin
that is silently missing would be a security hole, or work that is never done.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Generic, TypeVar

from stevedore.extension import Extension, ExtensionManager
from stevedore.named import NamedExtensionManager

from glance_mini.domain.errors import ConfigurationError

T = TypeVar("T")


def read_entry_points() -> None:
    """Read what all packages offer, so that processes that this one forks need not: it takes 0.15 s with many packages.

    stevedore reads all groups at the first question, and keeps them; no package has a plugin of this one.
    """
    ExtensionManager("glance_mini.none")


@dataclass(frozen=True, slots=True)
class PluginKind(Generic[T]):
    """A kind of plugin: the word for one of them, its group of entry points, and the base class of all.

    ``own_name`` is the attribute of the class that must be the same as the name of its entry point.
    """

    word: str
    namespace: str
    base: type[T]
    own_name: str = "name"

    def load(self, names: Sequence[str], option: str) -> dict[str, type[T]]:
        """Return the classes that ``option`` names, in that order, and load no others; raises ConfigurationError."""
        doubled = _doubled(names)
        if doubled:
            raise ConfigurationError(reason=f"{option} names {', '.join(doubled)} more than once.")

        def refuse_missing(missing: set[str]) -> None:
            absent = ", ".join(sorted(missing))
            reason = f"{option} names {absent}, which no installed package offers as {self.namespace}."
            raise ConfigurationError(reason=reason)

        found = self._checked(
            NamedExtensionManager(
                self.namespace,
                names,
                on_load_failure_callback=self._refuse_failure,
                on_missing_entrypoints_callback=refuse_missing,
            )
        )
        return {name: found[name] for name in names}

    def load_all(self) -> dict[str, type[T]]:
        """Return the installed classes by name; raises ConfigurationError, also if none is installed."""
        found = self._checked(ExtensionManager(self.namespace, on_load_failure_callback=self._refuse_failure))
        if not found:
            raise ConfigurationError(reason=f"No installed package offers anything as {self.namespace}.")
        return found

    def build(self, classes: Mapping[str, type[T]], make: Callable[[type[T]], T]) -> dict[str, T]:
        """Return what ``make`` returns for each class; raises ConfigurationError for any error in it."""
        return {name: self._build(name, each, make) for name, each in classes.items()}

    def _build(self, name: str, loaded: type[T], make: Callable[[type[T]], T]) -> T:
        try:
            return make(loaded)
        except ConfigurationError:
            raise
        except Exception as error:
            where = self._where(name, f"{loaded.__module__}:{loaded.__qualname__}")
            raise ConfigurationError(reason=f"{where} could not be built: {error!r}") from error

    def _checked(self, extensions: Iterable[Extension]) -> dict[str, type[T]]:
        found = list(extensions)
        doubled = _doubled([extension.name for extension in found])
        for extension in found:
            where = self._where(extension.name, extension.entry_point_target)
            if extension.name in doubled:
                raise ConfigurationError(reason=f"{where} is installed more than once.")
            if not (isinstance(extension.plugin, type) and issubclass(extension.plugin, self.base)):
                base = f"{self.base.__module__}.{self.base.__qualname__}"
                raise ConfigurationError(reason=f"{where} is no subclass of {base}.")
            called = getattr(extension.plugin, self.own_name, None)
            if called != extension.name:
                raise ConfigurationError(reason=f"{where} calls itself {called}.")
        return {extension.name: extension.plugin for extension in found}

    def _refuse_failure(self, manager: object, entry_point: EntryPoint, error: Exception) -> None:
        where = self._where(entry_point.name, entry_point.value)
        raise ConfigurationError(reason=f"{where} could not be loaded: {error!r}") from error

    def _where(self, name: str, target: str) -> str:
        return f"{self.word} {name} ({target})"


def _doubled(names: Sequence[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)
