"""Copies the data of a source into stores; it is fetched once and checked before a copy is recorded.

A local file that the service made itself is linked into the first store that can do so. If the number of stores written
at once is limited, the other stores follow in groups, from that file or from a stored copy.
"""

import copy
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from oslo_config import cfg

from glance_mini.content.fanout import NotWritten, Outcome, write_to_stores
from glance_mini.content.hashes import ExpectedHashes, ImageHashes
from glance_mini.content.inspection import Inspection, InspectionRules
from glance_mini.content.signatures import SignatureCheck
from glance_mini.domain.errors import GlanceMiniError
from glance_mini.domain.image import Image
from glance_mini.domain.transfer import remains_of
from glance_mini.imports.methods import Source
from glance_mini.operations.records import LeaveRemains
from glance_mini.workers.base import Control
from glance_mini.workers.progress import REPORT_SECONDS, Progress
from glance_mini_store import errors as store_errors
from glance_mini_store.buffers import COPY, Buffers
from glance_mini_store.caller import Caller
from glance_mini_store.checked_stream import Observer
from glance_mini_store.store import Store, Stored
from glance_mini_store.stores import Stores
from glance_mini_store.streams import FILE_BLOCK, close

LOG = logging.getLogger(__name__)

Leave = Callable[[LeaveRemains], None]


@dataclass(frozen=True)
class Copied:
    """The result of a copy: sizes in bytes, hex digests, and by store id the copy or the error."""

    size: int
    virtual_size: int | None
    digests: Mapping[str, str]
    outcomes: Mapping[str, Outcome]

    @property
    def stored(self) -> dict[str, Stored]:
        """The copies by store id."""
        return {store: outcome for store, outcome in self.outcomes.items() if isinstance(outcome, Stored)}

    @property
    def failures(self) -> dict[str, Exception]:
        """The errors of the other stores by store id."""
        return _failures(self.outcomes)


class Copier:
    """Copies the data of all imports of a process."""

    def __init__(
        self,
        stores: Stores,
        rules: InspectionRules,
        hashes: ImageHashes,
        at_once: int | None = None,
        report_seconds: float = REPORT_SECONDS,
        buffers: Buffers | None = None,
        leave: Leave = lambda call: None,
    ) -> None:
        """``at_once``: how many stores are written at once, None: all. ``report_seconds`` as for Progress.

        ``leave`` takes note of data that could not be removed.
        """
        self.buffers = buffers or Buffers()
        self._stores = stores
        self._rules = rules
        self._at_once = at_once
        self._report_seconds = report_seconds
        self.hashes = hashes
        self._leave = leave
        self._image_id = ""
        self._caller = Caller()

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, stores: Stores, buffers: Buffers, leave: Leave) -> Self:
        """Return a copier for ``stores`` as configured; each copy takes a share of ``buffers``."""
        at_once = conf.image_import_opts.max_parallel_stores or None
        rules, hashes = InspectionRules.from_config(conf), ImageHashes.from_config(conf)
        return cls(stores, rules, hashes, at_once, buffers=buffers, leave=leave)

    def for_image(self, image_id: str, project_id: str | None) -> Self:
        """Return this copier for the data of an image, which belongs to a project in stores that know projects."""
        other = copy.copy(self)
        other._image_id = image_id
        other._caller = Caller(project_id)
        return other

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
        """Copy ``source``, the data of ``image``, into the stores under ``name``. Blocks.

        Raises UnsafeContent, HashMismatch, SignatureInvalid, NotWritten if more than ``may_fail`` stores failed, and
        what the source and ``control`` raise; then ``name`` is left in none of the stores that still answer, and what
        the others may have kept is left to a reaper. Raises
        NotWritten also if all stores of the first group failed and the others were not tried, because the source
        cannot be read again. The source is always closed.
        """
        with ExitStack() as ending:
            ending.callback(close, source.chunks)
            ending.enter_context(self.buffers.share(COPY, control.check))
            adopting = self._adopting_store(source.path, store_ids)
            first, *others = self._groups([store for store in store_ids if store != adopting])
            progress = self.progress(control, "Copied", source.size and source.size * (1 + len(others)))
            # The other groups read from a copy, because the source is not read twice.
            most = min(may_fail, len(first) - 1) if others and source.path is None else may_fail
            copied = self._copy_first(source, image, name, first, expected_hashes, most, progress)
            outcomes = dict(copied.outcomes)
            try:
                for group in others:
                    left = may_fail - len(_failures(outcomes))
                    outcomes |= self._copy_again(source.path, copied, name, group, left, progress)
                if adopting is not None and source.path is not None:
                    outcomes[adopting] = self._adopt(adopting, name, source.path)
                if len(failures := _failures(outcomes)) > may_fail:
                    raise NotWritten(failures)
            except BaseException as error:
                self.discard([name], store_ids)
                if isinstance(error, NotWritten):
                    raise NotWritten({**_failures(outcomes), **error.failures}) from error
                raise
            for store_id, failure in _failures(outcomes).items():
                if store_errors.has_leftovers(failure):
                    self._leave_remains(name, store_id)
            return replace(copied, outcomes={store: outcomes[store] for store in store_ids})

    def progress(self, control: Control, verb: str, size: int | None) -> Progress:
        """Return a progress report for ``size`` bytes (None: unknown)."""
        return Progress(control, verb, size, self._report_seconds)

    def discard(self, names: Iterable[str], store_ids: Sequence[str]) -> None:
        """Remove unrecorded data under ``names``; where a store fails it is left to a reaper."""
        for name in names:
            for store in store_ids:
                try:
                    self._store(store).discard(name)
                except store_errors.StoreError as error:
                    LOG.warning("The remains of an import, %s, could not be removed: %s", name, error)
                    self._leave_remains(name, store)

    def _leave_remains(self, name: str, store_id: str) -> None:
        try:
            self._leave(LeaveRemains(remains_of(self._image_id, self._caller.project_id, store_id, name)))
        except GlanceMiniError as error:
            LOG.warning("What is left of %s in store %s is not noted: %s", name, store_id, error)

    def _store(self, store_id: str) -> Store:
        return self._stores.get(store_id).for_caller(self._caller)

    def _groups(self, store_ids: Sequence[str]) -> list[Sequence[str]]:
        """Return the stores in groups that are written one after the other; at least one group."""
        size = self._at_once or len(store_ids) or 1
        return [store_ids[start : start + size] for start in range(0, len(store_ids), size)] or [[]]

    def _copy_first(
        self,
        source: Source,
        image: Image,
        name: str,
        store_ids: Sequence[str],
        expected_hashes: Mapping[str, str],
        may_fail: int,
        progress: Progress,
    ) -> Copied:
        """Inspect, verify and hash the data of ``source`` while it is written to the first stores."""
        inspection = self._inspection(replace(image, **source.attributes))
        copies = write_to_stores(
            [self._store(store) for store in store_ids],
            name,
            progress.watch(source.chunks),
            size=source.size,
            algorithms=self.hashes.algorithms,
            observers=_observers(inspection, source.signature, expected_hashes, source.expected_hashes),
            may_fail=may_fail,
            leave=lambda store: self._leave_remains(name, store.id),
        )
        virtual_size = inspection.virtual_size if inspection else None
        return Copied(copies.size, virtual_size, copies.digests, copies.outcomes)

    def _copy_again(
        self,
        path: Path | None,
        copied: Copied,
        name: str,
        store_ids: Sequence[str],
        may_fail: int,
        progress: Progress,
    ) -> Mapping[str, Outcome]:
        """Write the data of ``path``, or of a store that has it, to further stores; raises HashMismatch."""
        if path is not None:
            chunks = read_file(path)
        else:
            store, stored = next(iter(copied.stored.items()))
            chunks = self._store(store).read(stored.location)
        algorithm = self.hashes.algorithm
        with ExitStack() as closing:
            closing.callback(close, chunks)
            copies = write_to_stores(
                [self._store(store) for store in store_ids],
                name,
                progress.watch(chunks),
                size=copied.size,
                observers=[ExpectedHashes({algorithm: copied.digests[algorithm]})],
                may_fail=may_fail,
            )
        return copies.outcomes

    def _adopting_store(self, path: Path | None, store_ids: Sequence[str]) -> str | None:
        """Return the first store on the file system of ``path`` that keeps its data in local files."""
        if path is None:
            return None
        device = path.stat().st_dev
        return next((store for store in store_ids if self._takes_from(store, device)), None)

    def _takes_from(self, store: str, device: int) -> bool:
        try:
            return device in self._store(store).devices()
        except store_errors.StoreError:
            # Writing to the store will fail too, and give the reason.
            return False

    def _adopt(self, store_id: str, name: str, path: Path) -> Outcome:
        store = self._store(store_id)
        try:
            adopted = store.link_in(name, str(path))
            return adopted or store.write(name, read_file(path), size=path.stat().st_size, algorithms=())
        except Exception as error:
            return error

    def _inspection(self, image: Image) -> Inspection | None:
        return Inspection(image, self._rules) if image.container_format == "bare" else None


def read_file(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a local file."""
    with path.open("rb", buffering=0) as file:
        while block := file.read(FILE_BLOCK):
            yield block


def _failures(outcomes: Mapping[str, Outcome]) -> dict[str, Exception]:
    return {store: outcome for store, outcome in outcomes.items() if isinstance(outcome, Exception)}


def _observers(
    inspection: Inspection | None, signature: SignatureCheck | None, *expected: Mapping[str, str]
) -> list[Observer]:
    observers: list[Observer] = [observer for observer in (inspection, signature) if observer is not None]
    return [*observers, *(ExpectedHashes(hashes) for hashes in expected if hashes)]
