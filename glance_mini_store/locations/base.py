"""The common base of the locations of all schemes; each grammar has its own module."""

import abc
import re
from collections.abc import Iterable, Mapping
from typing import ClassVar, NoReturn

from oslo_config import cfg

from glance_mini_store import errors

_REFUSED = re.compile(r"[\x00-\x20\x7f]")


class StoreLocation(abc.ABC):
    """The parts of a storage URI as attributes, made from ``store_specs`` or by ``parse_uri``.

    ``specs`` of a subclass names the attributes; those that ``store_specs`` lacks are None. ``conf`` and
    ``backend_group`` are kept for drivers that need them (api-library-location).
    """

    schemes: ClassVar[tuple[str, ...]] = ()
    specs: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, store_specs: Mapping[str, object] | None, conf: cfg.ConfigOpts | None, backend_group: str | None = None
    ) -> None:
        self.specs_given = dict(store_specs or {})
        self.conf = conf
        self.backend_group = backend_group
        self.scheme: str = self.schemes[0]
        for name in self.specs:
            setattr(self, name, None)
        self.process_specs()

    def process_specs(self) -> None:
        """Set the attributes from the specs given to the constructor."""
        for name in ("scheme", *self.specs):
            if name in self.specs_given:
                setattr(self, name, self.specs_given[name])

    @abc.abstractmethod
    def get_uri(self) -> str:
        """Return the storage URI; it may hold credentials."""

    @abc.abstractmethod
    def parse_uri(self, uri: str) -> None:
        """Set the attributes from ``uri``. Raises BadStoreUri."""

    @staticmethod
    def validate_schemas(uri: str, valid_schemas: Iterable[str]) -> None:
        """Raise BadStoreUri unless ``uri`` begins with one of ``valid_schemas`` (each with its ``://``)."""
        valid = tuple(valid_schemas)
        if not uri.startswith(valid):
            raise errors.BadStoreUri(location=uri, reason=f"it must begin with {' or '.join(valid)}")

    def split(self, uri: str) -> str:
        """Set ``scheme`` and return the text after ``://``; raises BadStoreUri."""
        self.validate_schemas(uri, [f"{scheme}://" for scheme in self.schemes])
        self.scheme, _, rest = uri.partition("://")
        if _REFUSED.search(rest):
            bad_uri(uri, "it holds a space or a control character")
        return rest


def bad_uri(uri: str, reason: str) -> NoReturn:
    """Raise BadStoreUri; ``reason`` must not quote a part that may be secret."""
    raise errors.BadStoreUri(location=uri, reason=reason)


_HOST = re.compile(r"[^\[\]:@/?#]+|\[[0-9A-Fa-f:.]+(%25[^\[\]]+)?\]")


def check_host(uri: str, host: str) -> None:
    """Raise BadStoreUri unless ``host`` is ``name``, ``name:port`` or ``[IPv6]`` with or without a port."""
    name, colon, port = host, "", ""
    if not host.endswith("]"):
        head, colon, tail = host.rpartition(":")
        name, port = (head, tail) if colon else (host, "")
    if not _HOST.fullmatch(name):
        bad_uri(uri, "the host is missing or malformed")
    if colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        bad_uri(uri, "the port is not a number from 1 to 65535")


def split_credentials(rest: str) -> tuple[str | None, str]:
    """Return the text before the last ``@`` (None without one) and the text after it."""
    credentials, separator, target = rest.rpartition("@")
    return (credentials if separator else None), target


def split_object(uri: str, target: str) -> tuple[str, str, str]:
    """Return the host with its path, the container and the object of ``target``. Raises BadStoreUri."""
    if "?" in target or "#" in target:
        bad_uri(uri, "it must have no query")
    parts = target.split("/")
    if len(parts) < 3 or not all(parts):
        bad_uri(uri, "it must name a service, a container and an object")
    check_host(uri, parts[0])
    return "/".join(parts[:-2]), parts[-2], parts[-1]
