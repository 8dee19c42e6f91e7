"""The driver contract finds the faults it is there for: a faulty driver fails the test that names the fault."""

import os
import tempfile
import unittest
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from testtools import TestCase

from glance_mini_store import capabilities, errors
from glance_mini_store.driver import Driver, Written
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.lanes import Chunk
from glance_mini_store.testing import DriverContract


class KeepsPartialData(MemoryDriver):
    def write(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        taken: list[Chunk] = []
        try:
            taken.extend(chunks)
        except BaseException:
            super().write(name, taken)
            raise
        return super().write(name, taken)


class Overwrites(MemoryDriver):
    def write(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        data = list(chunks)
        self.discard(name)
        return super().write(name, data)


class TranslatesFailures(MemoryDriver):
    def write(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        try:
            return super().write(name, chunks)
        except errors.StoreError:
            raise
        except Exception as error:
            raise errors.StorageFull(reason="or so") from error


class IgnoresOffset(MemoryDriver):
    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return super().read(location, 0, length)


class IgnoresLength(MemoryDriver):
    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return super().read(location, offset)


class EndsSilently(MemoryDriver):
    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return super().read(location, min(offset, self.size(location)), length)


class DeletesTwice(MemoryDriver):
    def delete(self, location: str) -> None:
        self.size(location) if not location.startswith("memory://") else self.discard(location.rpartition("/")[2])


class DiscardsTooMuch(MemoryDriver):
    def discard(self, name: str) -> None:
        for location in list(self._data):
            if name in location:
                self.delete(location)


class DiscardsNothing(MemoryDriver):
    def discard(self, name: str) -> None:
        """Forget to do it."""


class ClaimsAcl(MemoryDriver):
    capabilities = MemoryDriver.capabilities | {capabilities.ACL}


class HidesDelete(MemoryDriver):
    capabilities = MemoryDriver.capabilities - {capabilities.DELETE}


class Misreports(MemoryDriver):
    def size(self, location: str) -> int:
        return super().size(location) + 1


class _Adopting(MemoryDriver):
    """Takes over files by a copy of them."""

    def link_in(self, name: str, path: str) -> Written | None:
        return super().write(name, [Path(path).read_bytes()])

    def devices(self) -> frozenset[int]:
        return frozenset({os.stat(tempfile.gettempdir()).st_dev})


class ClaimsDevices(MemoryDriver):
    def devices(self) -> frozenset[int]:
        return frozenset({os.stat(tempfile.gettempdir()).st_dev})


class MovesAdopted(_Adopting):
    def link_in(self, name: str, path: str) -> Written | None:
        written = super().link_in(name, path)
        Path(path).write_bytes(b"")
        return written


class AdoptsOverData(_Adopting):
    def link_in(self, name: str, path: str) -> Written | None:
        self.discard(name)
        return super().link_in(name, path)


class NamesAnotherFile(MemoryDriver):
    def local_path(self, location: str) -> str | None:
        return os.devnull


class KeepsChunks(MemoryDriver):
    def write(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        return super().write(name, list(chunks))


class ReadsOneChunkAhead(MemoryDriver):
    def write(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        def delayed() -> Iterator[Chunk]:
            kept: list[Chunk] = []
            for chunk in chunks:
                yield from kept
                kept = [chunk]
            yield from kept

        return super().write(name, delayed())


class SpeaksAnotherContract(MemoryDriver):
    contract = 2


FAULTS: dict[type[Driver], str] = {
    KeepsChunks: "test_memory_of_a_chunk_may_be_used_again_when_the_next_one_is_asked_for",
    ReadsOneChunkAhead: "test_memory_of_a_chunk_may_be_used_again_when_the_next_one_is_asked_for",
    SpeaksAnotherContract: "test_contract_is_the_one_of_this_library",
    KeepsPartialData: "test_source_that_raises_leaves_nothing",
    Overwrites: "test_second_write_under_a_name_is_a_duplicate_and_changes_nothing",
    TranslatesFailures: "test_source_that_raises_leaves_nothing",
    IgnoresOffset: "test_every_range_comes_back",
    IgnoresLength: "test_every_range_comes_back",
    EndsSilently: "test_range_behind_the_end_is_invalid",
    DeletesTwice: "test_deleted_data_is_not_found_nor_deleted_twice",
    DiscardsTooMuch: "test_discard_leaves_other_names_alone",
    DiscardsNothing: "test_discard_removes_what_was_published_and_may_be_repeated",
    ClaimsAcl: "test_acl_can_be_set_and_set_again",
    HidesDelete: "test_what_is_not_claimed_is_refused",
    ClaimsDevices: "test_adopted_file_is_data_of_its_own",
    MovesAdopted: "test_adopted_file_is_data_of_its_own",
    AdoptsOverData: "test_file_is_not_adopted_under_a_taken_name",
    NamesAnotherFile: "test_local_path_is_a_file_with_the_same_data",
    Misreports: "test_data_of_every_size_comes_back",
}


def outcome(make: Callable[[], Driver], test: str) -> unittest.TestResult:
    """Return the result of one test of the contract for a driver."""

    class Case(DriverContract, unittest.TestCase):
        def make_driver(self) -> Driver:
            return make()

    result = unittest.TestResult()
    Case(test).run(result)
    return result


class TestContract(TestCase):
    def test_every_fault_is_found(self) -> None:
        missed = [kind.__name__ for kind, test in FAULTS.items() if outcome(kind, test).wasSuccessful()]
        self.assertEqual([], missed)

    def test_faultless_driver_passes_the_same_tests(self) -> None:
        for test in set(FAULTS.values()):
            result = outcome(MemoryDriver, test)
            self.assertTrue(result.wasSuccessful(), (test, result.failures, result.errors))
