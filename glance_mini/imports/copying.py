"""Brings the data of a source into stores: read once, judged before anything of it counts, hashed once.

A local file that the service made itself is taken over by the first store that can do so without a copy.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glance_mini.domain.image import Image
from glance_mini.imports.expected_hashes import ExpectedHashes
from glance_mini.imports.fanout import NotWritten, Outcome, write_to_stores
from glance_mini.imports.methods import Source
from glance_mini.inspection import Inspection, InspectionRules
from glance_mini.workers.base import Control
from glance_mini_store import errors as store_errors
from glance_mini_store.intake import Observer
from glance_mini_store.registry import Stores
from glance_mini_store.store import Stored
from glance_mini_store.streams import BLOCK, close

LOG = logging.getLogger(__name__)

_MIB = 1024 * 1024

_TELL_SECONDS = 3.0


@dataclass(frozen=True)
class Copied:
    """What was read, and for each store id what it has now or why it has nothing; sizes in bytes."""

    size: int
    virtual_size: int | None
    digests: Mapping[str, str]
    outcomes: Mapping[str, Outcome]

    @property
    def stored(self) -> dict[str, Stored]:
        """What each store has that has the data."""
        return {store: outcome for store, outcome in self.outcomes.items() if isinstance(outcome, Stored)}

    @property
    def failures(self) -> dict[str, Exception]:
        """Why each of the others has nothing."""
        return {store: outcome for store, outcome in self.outcomes.items() if isinstance(outcome, Exception)}


class Copier:
    """Copies for all imports of a process."""

    def __init__(self, stores: Stores, rules: InspectionRules, hash_algorithm: str) -> None:
        self._stores = stores
        self._rules = rules
        self.hash_algorithm = hash_algorithm

    def copy(
        self,
        source: Source,
        image: Image,
        name: str,
        store_ids: Sequence[str],
        expected_hashes: Mapping[str, str],
        may_fail: int,
        control: Control,
    ) -> Copied:
        """Bring ``source``, which becomes the data of ``image``, into the stores under ``name``. Blocks.

        Raises UnsafeContent, HashMismatch, NotWritten where more than ``may_fail`` stores failed, and what the source
        and ``control`` raise; ``name`` is left in no store then that still answers. The source is closed in any case.
        """
        with ExitStack() as closing:
            closing.callback(close, source.chunks)
            adopting = self._adopting_store(source.path, store_ids)
            attributes: dict[str, Any] = dict(source.attributes)
            inspection = self._inspection(replace(image, **attributes))
            copies = write_to_stores(
                [self._stores.get(store) for store in store_ids if store != adopting],
                name,
                _watched(source, control),
                size=source.size,
                algorithms=("md5", self.hash_algorithm),
                observers=_observers(inspection, expected_hashes, source.expected_hashes),
                may_fail=may_fail,
            )
        outcomes = dict(copies.outcomes)
        if adopting is not None and source.path is not None:
            outcomes[adopting] = self._adopt(adopting, name, source.path)
        virtual_size = inspection.virtual_size if inspection else None
        copied = Copied(copies.size, virtual_size, copies.digests, {store: outcomes[store] for store in store_ids})
        if len(copied.failures) > may_fail:
            self.discard([name], store_ids)
            raise NotWritten(copied.failures)
        return copied

    def discard(self, names: Iterable[str], store_ids: Sequence[str]) -> None:
        """Remove what was written under ``names`` and never recorded; a store that fails is logged."""
        for name in names:
            for store in store_ids:
                try:
                    self._stores.get(store).discard(name)
                except store_errors.StoreError as error:
                    LOG.warning("The remains of an import, %s, could not be removed: %s", name, error)

    def _adopting_store(self, path: Path | None, store_ids: Sequence[str]) -> str | None:
        """Return the first store on the file system of ``path`` that keeps its data in local files."""
        if path is None:
            return None
        device = path.stat().st_dev
        return next((store for store in store_ids if self._takes_from(store, device)), None)

    def _takes_from(self, store: str, device: int) -> bool:
        try:
            return device in self._stores.get(store).devices()
        except store_errors.StoreError:
            # It will fail as a store that is written to, and say why.
            return False

    def _adopt(self, store_id: str, name: str, path: Path) -> Outcome:
        store = self._stores.get(store_id)
        try:
            adopted = store.adopt(name, str(path))
            return adopted or store.write(name, read_file(path), size=path.stat().st_size, algorithms=())
        except Exception as error:
            return error

    def _inspection(self, image: Image) -> Inspection | None:
        return Inspection(image, self._rules) if image.container_format == "bare" else None


def read_file(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a local file."""
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK):
            yield block


def _observers(inspection: Inspection | None, *expected: Mapping[str, str]) -> list[Observer]:
    observers: list[Observer] = [inspection] if inspection else []
    return [*observers, *(ExpectedHashes(hashes) for hashes in expected if hashes)]


def _watched(source: Source, control: Control) -> Iterator[bytes]:
    """Yield the data of ``source`` as long as its job may go on, and tell every few seconds how far that came."""
    count, due = 0, time.monotonic() + _TELL_SECONDS
    for chunk in source.chunks:
        control.check()
        count += len(chunk)
        if time.monotonic() >= due:
            control.checkpoint({}, _progress(count, source.size))
            due = time.monotonic() + _TELL_SECONDS
        yield chunk


def _progress(count: int, size: int | None) -> str:
    return f"Copied {count * 100 // size} %" if size else f"Copied {count // _MIB} MiB"
