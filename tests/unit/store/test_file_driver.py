"""The file driver beyond the contract: holes, directories, permissions, full and missing disks, places outside."""

import fcntl
import json
import os
import resource
import threading
from collections.abc import Iterable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

from fixtures import FakeLogger, TempDir
from hypothesis import given
from hypothesis import strategies as st
from oslo_config import cfg
from testtools import TestCase

from glance_mini_store import errors
from glance_mini_store.buffers import BLOCK, Buffers
from glance_mini_store.drivers.file import Directory, FileDriver
from glance_mini_store.drivers.file.partial import data_runs
from glance_mini_store.drivers.file.placement import choose, directories_from
from glance_mini_store.lanes import Chunk
from glance_mini_store.settings import resolve
from glance_mini_store.streams import FileRange
from tests.unit.store.properties import UNTIMED

MIB = 1024 * 1024
HUGE = 2**62


class FileTestCase(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log = self.useFixture(FakeLogger())
        self.root = Path(self.useFixture(TempDir()).path)
        self.images = self.root / "images"
        self.images.mkdir()
        self.driver = FileDriver(directory=str(self.images))

    def names(self) -> list[str]:
        return sorted(os.listdir(self.images))

    def configured(self, **values: Any) -> FileDriver:
        """Return a driver made from options."""
        conf = cfg.ConfigOpts()
        conf([])
        resolve(conf, "group", FileDriver.options)
        for name, value in values.items():
            conf.set_override(name, value, group="group")
        return FileDriver.from_config(resolve(conf, "group", FileDriver.options), "group")


class TestPublication(FileTestCase):
    def test_data_is_under_a_hidden_name_until_the_last_chunk(self) -> None:
        seen: list[list[str]] = []

        def source() -> Iterator[bytes]:
            yield b"data"
            seen.append(self.names())

        self.driver.write("name", source())
        self.assertRegex(seen[0][0], r"^\.name\.[0-9a-f]{16}\.part$")
        self.assertEqual([1, ["name"]], [len(seen[0]), self.names()])

    def test_draft_cannot_be_read_by_its_location(self) -> None:
        draft = self.images / ".name.0123456789abcdef.part"
        draft.write_bytes(b"half")
        self.assertRaises(errors.BadStoreUri, self.driver.read, f"file://{draft}")

    def test_duplicate_is_refused_before_anything_is_read(self) -> None:
        self.driver.write("name", [b"first"])
        source = iter([b"second"])
        self.assertRaises(errors.Duplicate, self.driver.write, "name", source)
        self.assertEqual([b"second"], list(source))

    def test_file_that_appears_meanwhile_is_not_replaced(self) -> None:
        def source() -> Iterator[bytes]:
            yield b"second"
            (self.images / "name").write_bytes(b"first")

        self.assertRaises(errors.Duplicate, self.driver.write, "name", source())
        self.assertEqual(b"first", (self.images / "name").read_bytes())
        self.assertEqual(["name"], self.names())

    def test_writer_whose_draft_was_discarded_publishes_nothing(self) -> None:
        def source() -> Iterator[bytes]:
            yield b"data"
            self.driver.discard("name")

        self.assertRaises(errors.StorageWriteDenied, self.driver.write, "name", source())
        self.assertEqual([], self.names())

    def test_discard_removes_drafts_of_the_name_and_no_others(self) -> None:
        kept = [".name-2.0123456789abcdef.part", ".name.txt", ".other.name.0123456789abcdef.part", "name-2"]
        for name in ("name", ".name.0123456789abcdef.part", ".name.fedcba9876543210.part", *kept):
            (self.images / name).touch()
        self.driver.discard("name")
        self.assertEqual(sorted(kept), self.names())

    def test_permissions_are_those_of_the_umask_or_the_option(self) -> None:
        mask = os.umask(0o027)
        self.addCleanup(os.umask, mask)
        self.driver.write("left", [b"data"])
        self.configured(filesystem_store_datadir=str(self.images), filesystem_store_file_perm=604).write("set", [b"x"])
        modes = {name: (self.images / name).stat().st_mode & 0o7777 for name in ("left", "set")}
        self.assertEqual({"left": 0o640, "set": 0o604}, modes)

    def test_hidden_long_and_strange_names_are_refused(self) -> None:
        for name in (".", "..", ".hidden", "a/../b", "a\0b", "a\nb", 201 * "x", 101 * "é", ""):
            self.assertRaises(errors.Invalid, self.driver.write, name, [b"data"])
            self.assertRaises(errors.Invalid, self.driver.discard, name)
        self.driver.write(200 * "x", [b"data"])

    def test_read_answers_with_the_file_itself(self) -> None:
        location = self.driver.write("name", [b"0123456789"]).location
        part = self.driver.read(location, 3, 100)
        assert isinstance(part, FileRange)
        self.assertEqual((3, 7), (part.offset, part.length))
        part.close()


class TestDirect(FileTestCase):
    """Uploads past the page cache: the same files with the same holes, whatever the alignment of the data."""

    DATA = b"\1" * (8 * MIB) + bytes(4 * MIB) + b"\2" * (5 * MIB) + b"end"

    def setUp(self) -> None:
        super().setUp()
        self.driver = FileDriver(directory=str(self.images), direct=True)

    def aligned(self) -> Iterator[memoryview]:
        """Yield the data as an upload does: in blocks of memory that begin at a page."""
        with Buffers().blocks(None) as blocks:
            for start, block in zip(range(0, len(self.DATA), BLOCK), cycle(blocks), strict=False):
                piece = self.DATA[start : start + BLOCK]
                block[: len(piece)] = piece
                yield block[: len(piece)]

    def is_cached(self, position: int) -> bool:
        """Return whether the byte at ``position`` of the file is in the page cache."""
        with open(self.images / "name", "rb", buffering=0) as file:
            try:
                os.preadv(file.fileno(), [bytearray(1)], position, os.RWF_NOWAIT)
            except BlockingIOError:
                return False
            return True

    def assert_stays_out(self, chunks: Iterable[Chunk]) -> None:
        """Write ``chunks``, which are ``DATA``, and check the file, its hole, and that its data is not in the cache."""
        with open(self.images / "probe", "wb") as probe:
            try:
                fcntl.fcntl(probe, fcntl.F_SETFL, os.O_DIRECT)
            except OSError:
                self.skipTest("the file system has no direct I/O")
        written = self.driver.write("name", chunks)
        self.assertEqual([False, False], [self.is_cached(position) for position in (0, 13 * MIB)])
        self.assertEqual((len(self.DATA), self.DATA), (written.size, (self.images / "name").read_bytes()))
        self.assertLess((self.images / "name").stat().st_blocks * 512, len(self.DATA) - 3 * MIB)
        self.driver.discard("name")

    def test_aligned_data_stays_out_of_the_page_cache(self) -> None:
        self.assert_stays_out(self.aligned())

    def test_data_of_imports_stays_out_of_the_page_cache(self) -> None:
        for step in (1000, 65537, 256 * 1024, 3 * MIB):
            self.assert_stays_out(self.DATA[start : start + step] for start in range(0, len(self.DATA), step))

    def test_data_of_both_kinds_stays_out_of_the_page_cache(self) -> None:
        pieces = list(map(bytes, self.aligned()))
        self.assert_stays_out(
            chunk if number % 2 else piece[: len(chunk)]
            for number, (piece, chunk) in enumerate(zip(pieces, self.aligned(), strict=True))
        )

    def test_data_of_any_alignment_is_written(self) -> None:
        for step in (1000, 4096, 65537, 3 * MIB):
            pieces = (self.DATA[start : start + step] for start in range(0, len(self.DATA), step))
            self.driver.write(f"name{step}", pieces)
            self.assertEqual(self.DATA, (self.images / f"name{step}").read_bytes())

    def test_file_system_without_direct_io_is_written_to(self) -> None:
        memory = self.useFixture(TempDir(rootdir="/dev/shm")).path
        FileDriver(directory=memory, direct=True).write("name", self.aligned())
        self.assertEqual(self.DATA, (Path(memory) / "name").read_bytes())

    def test_small_files_stay_in_the_page_cache(self) -> None:
        self.driver.write("name", self.aligned(), len(self.DATA))
        self.assertTrue(self.is_cached(0))

    def test_the_option_switches_it(self) -> None:
        self.assertTrue(self.configured(filesystem_store_datadir=str(self.images))._direct)
        off = self.configured(filesystem_store_datadir=str(self.images), filesystem_direct_io=False)
        self.assertFalse(off._direct)


class TestHoles(FileTestCase):
    def blocks(self, name: str) -> int:
        """Return the bytes that the file takes on disk."""
        return (self.images / name).stat().st_blocks * 512

    def test_blocks_of_zeros_take_no_space(self) -> None:
        chunks = [bytes(4 * MIB), b"x" * 65536 + bytes(MIB - 65536), bytes(4 * MIB)]
        self.driver.write("name", chunks)
        self.assertEqual(9 * MIB, (self.images / "name").stat().st_size)
        self.assertLessEqual(self.blocks("name"), 2 * 65536)
        self.assertEqual(b"".join(chunks), (self.images / "name").read_bytes())

    def test_zeros_are_written_when_thin_provisioning_is_off(self) -> None:
        FileDriver(directory=str(self.images), thin=False).write("name", [bytes(4 * MIB)])
        self.assertGreaterEqual(self.blocks("name"), 4 * MIB)

    def test_nothing_but_zeros_is_one_hole_of_the_right_size(self) -> None:
        self.driver.write("name", [bytes(MIB), bytes(100)])
        self.assertEqual((MIB + 100, 4096), ((self.images / "name").stat().st_size, max(4096, self.blocks("name"))))

    @UNTIMED
    @given(st.lists(st.binary(max_size=40) | st.integers(0, 40).map(bytes), max_size=8), st.sampled_from([4, 8, 16]))
    def test_what_is_written_and_the_holes_make_up_the_data(self, chunks: list[bytes], grain: int) -> None:
        whole = b"".join(chunks)
        file, position = bytearray(len(whole)), 0
        for chunk in chunks:
            for start, end in data_runs(memoryview(chunk), position, bytes(grain)):
                self.assertLess(start, end)
                file[position + start : position + end] = chunk[start:end]
            position += len(chunk)
        self.assertEqual(whole, bytes(file))

    def test_data_without_zeros_is_one_run(self) -> None:
        self.assertEqual([(0, 100)], list(data_runs(memoryview(b"x" * 100), 3, bytes(8))))


class TestPlaces(FileTestCase):
    def test_files_outside_the_directories_are_refused(self) -> None:
        outside = self.root / "outside"
        outside.write_bytes(b"secret")
        (self.root / "images2").mkdir()
        (self.root / "images2" / "x").write_bytes(b"secret")
        for path in (outside, f"{self.images}/../outside", f"{self.root}/images2/x", "etc/passwd", f"{self.images}/"):
            for call in (self.driver.read, self.driver.size, self.driver.delete):
                self.assertRaises(errors.BadStoreUri, call, f"file://{path}")
        self.assertTrue(outside.exists())

    def test_symbolic_links_lead_nowhere(self) -> None:
        outside = self.root / "outside"
        outside.mkdir()
        (outside / "file").write_bytes(b"secret")
        (self.images / "link").symlink_to(outside / "file")
        (self.images / "folder").symlink_to(outside)
        self.assertRaises(errors.BadStoreUri, self.driver.read, f"file://{self.images}/link")
        self.assertRaises(errors.NotFound, self.driver.size, f"file://{self.images}/link")
        self.assertRaises(errors.NotFound, self.driver.delete, f"file://{self.images}/link")
        self.assertRaises(errors.BadStoreUri, self.driver.read, f"file://{self.images}/folder/file")
        self.assertTrue((outside / "file").exists())

    def test_directories_and_pipes_are_no_data(self) -> None:
        (self.images / "folder").mkdir()
        os.mkfifo(self.images / "pipe")
        for name in ("folder", "pipe"):
            for call in (self.driver.read, self.driver.size, self.driver.delete):
                self.assertRaises(errors.NotFound, call, f"file://{self.images}/{name}")

    def test_directory_may_itself_be_a_link_and_the_old_scheme_is_read(self) -> None:
        link = self.root / "link"
        link.symlink_to(self.images)
        (self.images / "name").write_bytes(b"data")
        for driver in (self.driver, FileDriver(directory=str(link))):
            for location in (f"file://{link}/name", f"filesystem://{self.images}/name"):
                self.assertEqual(b"data", b"".join(driver.read(location)))


class TestFailures(FileTestCase):
    def test_size_without_room_is_refused_before_anything_is_read(self) -> None:
        source = iter([b"data"])
        error = self.assertRaises(errors.StorageFull, self.driver.write, "name", source, HUGE)
        self.assertIn(str(HUGE), str(error))
        self.assertEqual([b"data"], list(source))
        self.assertEqual([], self.names())

    def test_disk_that_becomes_full_leaves_nothing(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, hard))
        self.assertRaises(errors.StorageFull, self.driver.write, "name", [b"x" * MIB, b"y"])
        self.assertEqual([], self.names())

    def test_directory_that_is_gone_denies_writing_and_is_named_in_the_log_only(self) -> None:
        self.images.rmdir()
        for size in (None, 4):
            error = self.assertRaises(errors.StorageWriteDenied, self.driver.write, "name", [b"data"], size)
            self.assertNotIn(str(self.images), str(error))
        self.assertIn(f"cannot write in {self.images}", self.log.output)

    def test_check_makes_directories_and_refuses_what_is_none(self) -> None:
        FileDriver(directory=str(self.root / "a" / "b")).check()
        self.assertTrue((self.root / "a" / "b").is_dir())
        (self.root / "file").touch()
        error = self.assertRaises(errors.BadStoreConfiguration, FileDriver(directory=str(self.root / "file")).check)
        self.assertIn(str(self.root / "file"), str(error))

    def test_reader_outlives_a_delete(self) -> None:
        location = self.driver.write("name", [b"data"]).location
        reader = self.driver.read(location)
        self.driver.delete(location)
        self.assertEqual(b"data", b"".join(reader))

    def test_discard_while_another_name_is_written_does_not_disturb_it(self) -> None:
        started, go_on = threading.Event(), threading.Event()

        def source() -> Iterator[bytes]:
            yield b"data"
            started.set()
            go_on.wait(30)

        writer = threading.Thread(target=self.driver.write, args=("name", source()))
        writer.start()
        started.wait(30)
        self.driver.discard("other")
        go_on.set()
        writer.join(30)
        self.assertEqual(["name"], self.names())


class TestDirectories(FileTestCase):
    def directory(self, name: str, priority: int = 0) -> Directory:
        (self.root / name).mkdir(exist_ok=True)
        return Directory(str(self.root / name), priority)

    def test_highest_priority_takes_the_data(self) -> None:
        places = [self.directory("a", 1), self.directory("b", 20), self.directory("c", 3)]
        self.assertEqual(places[1], choose(places, 10))
        self.assertEqual(places[1], choose(places, None))
        written = FileDriver(directories=places).write("name", [b"data"], 4)
        self.assertEqual(f"file://{self.root}/b/name", written.location)

    def test_directory_without_room_is_passed_over(self) -> None:
        class Full(Directory):
            def free(self) -> int:
                return 100

        full = Full(self.directory("full").path, 10)
        roomy = self.directory("roomy", 1)
        self.assertEqual([full, roomy], [choose([full, roomy], size) for size in (100, 101)])

    def test_among_equal_priorities_the_one_with_most_room_is_taken(self) -> None:
        class Free(Directory):
            def free(self) -> int:
                return int(os.path.basename(self.path))

        places = [Free("/10", 1), Free("/30", 1), Free("/20", 1)]
        self.assertEqual(places[1], choose(places, 5))

    def test_name_in_any_directory_is_a_duplicate(self) -> None:
        places = [self.directory("a", 1), self.directory("b", 2)]
        Path(places[0].path, "name").write_bytes(b"first")
        self.assertRaises(errors.Duplicate, FileDriver(directories=places).write, "name", [b"second"])

    def test_a_name_that_another_directory_takes_meanwhile_is_a_duplicate(self) -> None:
        """Two nodes look at the directories in another order, and may write at once."""
        first, second = (self.directory("a", 1), self.directory("b")), (self.directory("a"), self.directory("b", 1))

        def chunks() -> Iterator[bytes]:
            yield b"first"
            FileDriver(directories=second).write("name", [b"second"], 6)

        self.assertRaises(errors.Duplicate, FileDriver(directories=first).write, "name", chunks(), 5)
        found = {path.name: path.read_bytes() for place in first for path in Path(place.path).iterdir()}
        self.assertEqual({"name": b"second", ".names.lock": b""}, found)

    def test_options_give_directories_with_priorities(self) -> None:
        found = directories_from(None, ["/a:1", "/b:20", "/c:d:3", "/e"], None)
        self.assertEqual(
            [("/a", 1), ("/b", 20), ("/c:d", 3), ("/e", 0)], [(each.path, each.priority) for each in found]
        )

    def test_default_directory_is_used_when_none_is_named(self) -> None:
        self.assertEqual("/var/lib/glance/images", self.configured().properties()["data_dir"])

    def test_several_directories_are_shown_as_a_list(self) -> None:
        driver = self.configured(filesystem_store_datadirs=["/a:1", "/b:2"])
        self.assertEqual(["/a", "/b"], driver.properties()["data_dir"])

    def test_metadata_of_the_mount_point_goes_to_the_location(self) -> None:
        mounts = [
            {"id": "other", "mountpoint": str(self.root / "imagesx")},
            {"id": "share", "mountpoint": str(self.root), "type": "nfs"},
        ]
        path = self.root / "metadata.json"
        path.write_text(json.dumps(mounts))
        driver = self.configured(filesystem_store_datadir=str(self.images), filesystem_store_metadata_file=str(path))
        self.assertEqual(mounts[1], driver.write("name", [b"data"]).metadata)

    def test_malformed_metadata_is_refused(self) -> None:
        path = self.root / "metadata.json"
        for text in (
            "{",
            "{}",
            '"x"',
            '{"id": 1, "mountpoint": "/a"}',
            '{"id": "a", "mountpoint": "a"}',
            '[{"id": "a"}]',
        ):
            path.write_text(text)
            self.assertRaises(errors.BadStoreConfiguration, directories_from, "/a", [], str(path))
