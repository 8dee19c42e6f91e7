"""Brings the data of a source into stores: read once, judged before anything of it counts, hashed once.

A local file that the service made itself is taken over by the first store that can do so without a copy.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glance_mini.domain.image import Image
from glance_mini.imports.expected_hashes import ExpectedHashes
from glance_mini.imports.fanout import Outcome, write_to_stores
from glance_mini.imports.methods import Source
from glance_mini.inspection import Inspection, InspectionRules
from glance_mini_store.intake import Observer
from glance_mini_store.registry import Stores
from glance_mini_store.streams import BLOCK

_TELL_SECONDS = 3.0

Tell = Callable[[int], None]
"""Called every few seconds with the bytes read so far; may raise to stop."""


@dataclass(frozen=True)
class Copied:
    """What was read, and for each store id what it has now or why it has nothing; sizes in bytes."""

    size: int
    virtual_size: int | None
    digests: Mapping[str, str]
    outcomes: Mapping[str, Outcome]

    @property
    def failed(self) -> list[str]:
        """The stores that have nothing."""
        return [store for store, outcome in self.outcomes.items() if isinstance(outcome, Exception)]


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
        tell: Tell,
    ) -> Copied:
        """Bring ``source``, which becomes the data of ``image``, into the stores under ``name``. Blocks.

        Raises UnsafeContent, HashMismatch and what the source and ``tell`` raise, with nothing left in any store.
        """
        adopting = self._adopting_store(source.path, store_ids)
        inspection = self._inspection(replace(image, **_attributes(source)))
        copies = write_to_stores(
            [self._stores.get(store) for store in store_ids if store != adopting],
            name,
            _told(source.chunks, tell),
            size=source.size,
            algorithms=("md5", self.hash_algorithm),
            observers=_observers(inspection, expected_hashes, source.expected_hashes),
        )
        outcomes = dict(copies.outcomes)
        if adopting is not None and source.path is not None:
            outcomes[adopting] = self._adopt(adopting, name, source.path)
        virtual_size = inspection.virtual_size if inspection else None
        return Copied(copies.size, virtual_size, copies.digests, {store: outcomes[store] for store in store_ids})

    def _adopting_store(self, path: Path | None, store_ids: Sequence[str]) -> str | None:
        """Return the first store on the file system of ``path`` that keeps its data in local files."""
        if path is None:
            return None
        device = path.stat().st_dev
        return next((store for store in store_ids if device in self._stores.get(store).devices()), None)

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


def _attributes(source: Source) -> dict[str, Any]:
    return dict(source.attributes)


def _observers(inspection: Inspection | None, *expected: Mapping[str, str]) -> list[Observer]:
    observers: list[Observer] = [inspection] if inspection else []
    return [*observers, *(ExpectedHashes(hashes) for hashes in expected if hashes)]


def _told(chunks: Iterable[bytes], tell: Tell) -> Iterator[bytes]:
    """Pass ``chunks`` on and tell every few seconds how far they came."""
    count, due = 0, time.monotonic() + _TELL_SECONDS
    for chunk in chunks:
        count += len(chunk)
        if time.monotonic() >= due:
            tell(count)
            due = time.monotonic() + _TELL_SECONDS
        yield chunk
