"""Copies of files with holes: the content is the same, and holes take no room."""

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import fixtures
import testtools

from glance_mini.standalone.backup import _keep
from glance_mini.standalone.sparse import add_file, copy_file, data_parts

MIB = 1024 * 1024


class SparseTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)

    def make(self, size, *parts):
        """Return a file of ``size`` bytes with random data at these (offset, length)."""
        path = self.root / "image"
        with path.open("wb") as file:
            for offset, length in parts:
                file.seek(offset)
                file.write(os.urandom(length))
            file.truncate(size)
        os.sync()
        return path

    def archive(self, path):
        """Return a tar file with the file."""
        target = self.root / "a.tar"
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
            add_file(tar, path, "images/näme")
        return target

    def test_files_come_back_from_tar_as_they_were(self):
        for size, parts in (
            (0, ()),
            (5, ((0, 5),)),
            (64 * MIB, ()),
            (64 * MIB, ((0, MIB), (32 * MIB, 4096))),
            (64 * MIB + 5, ((16 * MIB, 2 * MIB), (64 * MIB, 5))),
            (3 * MIB, ((0, 3 * MIB),)),
            (900 * MIB, tuple((number * 2 * MIB, 4096) for number in range(400))),
        ):
            path = self.make(size, *parts)
            archive = self.archive(path)
            written = sum(length for _, length in parts)
            self.assertLess(archive.stat().st_size, written + 64 * 1024)
            folder = self.root / "out"
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
            self.assert_same(path, folder / "images" / "näme", written)
            shutil.rmtree(folder)

    def test_other_programs_read_the_file_too(self):
        path = self.make(64 * MIB, (MIB, MIB), (40 * MIB, 10))
        folder = self.root / "out"
        folder.mkdir()
        subprocess.run(["tar", "-xf", self.archive(path), "-C", folder], check=True)
        self.assert_same(path, folder / "images" / "näme", MIB + 10)

    def test_copies_are_the_same(self):
        for size, parts in ((0, ()), (64 * MIB, ()), (64 * MIB, ((MIB, 3 * MIB), (63 * MIB, MIB)))):
            path, copy = self.make(size, *parts), self.root / "copy"
            copy_file(path, copy)
            self.assert_same(path, copy, sum(length for _, length in parts))
            self.assertRaises(FileExistsError, copy_file, path, copy)
            copy.unlink()
        self.assertRaises(FileNotFoundError, copy_file, self.root / "none", self.root / "copy")
        self.assertFalse((self.root / "copy").exists())

    def test_parts_are_those_with_data(self):
        path = self.make(8 * MIB, (MIB, MIB), (7 * MIB, MIB))
        with path.open("rb") as file:
            self.assertEqual([(MIB, MIB), (7 * MIB, MIB)], list(data_parts(file.fileno(), 8 * MIB)))

    def assert_same(self, path, copy, written):
        self.assertEqual(path.stat().st_size, copy.stat().st_size)
        subprocess.run(["cmp", path, copy], check=True)
        self.assertLess(copy.stat().st_blocks * 512, written + MIB)


class OtherFileSystemTest(testtools.TestCase):
    def test_data_on_another_file_system_is_copied(self):
        memory = Path("/dev/shm")
        root = Path(self.useFixture(fixtures.TempDir()).path)
        if not os.access(memory, os.W_OK) or memory.stat().st_dev == root.stat().st_dev:
            self.skipTest("there is no second file system")
        other = Path(tempfile.mkdtemp(dir=memory))
        self.addCleanup(shutil.rmtree, other)
        (other / "image").write_bytes(b"data")
        _keep(other / "image", root / "image")
        self.assertEqual(b"data", (root / "image").read_bytes())
        self.assertRaises(FileNotFoundError, _keep, other / "none", root / "none")
