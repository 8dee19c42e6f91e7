"""A store that cannot take data: full, or not to be written to."""

import resource
import subprocess

import fixtures
import testtools

from tests.functional.faults import (
    KNOWN,
    MIB,
    UNKNOWN,
    SharedService,
    begin_upload,
    files_of,
    framing,
    make_state,
    part_of,
    start_service,
    status_of,
    workers_of,
)

DISK_MIB = 8


class SmallDisk(fixtures.Fixture):
    """A disk of ``DISK_MIB`` at ``directory``, where the machine lets us have one."""

    def __init__(self, directory):
        super().__init__()
        self._directory = directory

    def _setUp(self):
        self._directory.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(self._directory)]
        self._done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not self._done.returncode:
            self.addCleanup(subprocess.run, ["umount", "--lazy", str(self._directory)], check=True)

    def require(self, test):
        """Skip ``test`` where there is none."""
        if self._done.returncode:
            test.skipTest(f"no file system can be mounted here: {self._done.stderr.strip()}")


class FullDiskTest(SharedService, testtools.TestCase):
    def test_file_system_that_takes_no_more_is_413(self):
        for worker in workers_of(self.service):
            # A file that would grow beyond the limit is refused as on a full disk, but with another error.
            resource.prlimit(worker, resource.RLIMIT_FSIZE, (DISK_MIB * MIB,) * 2)
        assert_full(self, self.service)

    def test_size_that_no_disk_has_is_413_before_a_byte_is_sent(self):
        image = self.service.create_image()
        client = self.upload(image, f"Content-Length: {2**40}", "Expect: 100-continue")
        self.assertEqual(413, client.response().status)
        self.assert_queued_and_empty(image)


class SmallDiskTest(testtools.TestCase):
    def test_disk_that_runs_full_is_413(self):
        state = make_state(self.useFixture(fixtures.TempDir()).join("state"))
        self.useFixture(SmallDisk(state / "images")).require(self)
        assert_full(self, start_service(self, state=state, words=["--no-worker"]))


class UnwritableStoreTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.service = start_service(self, words=["--no-worker"])
        self.directory = self.service.state / "images"
        self.kept = self.service.create_image()
        self.service.upload(self.kept, b"kept")

    def test_missing_directory_is_503_and_the_log_names_it(self):
        moved = self.directory.rename(self.directory.with_name("moved"))
        self._assert_unavailable()
        moved.rename(self.directory)
        self._assert_works()

    def test_file_in_the_place_of_the_directory_is_503_and_the_log_names_it(self):
        moved = self.directory.rename(self.directory.with_name("moved"))
        self.directory.touch()
        self._assert_unavailable()
        self.directory.unlink()
        moved.rename(self.directory)
        self._assert_works()

    def _assert_unavailable(self):
        for kind in (KNOWN, UNKNOWN):
            image = self.service.create_image()
            answer = send(self, self.service, image, kind, MIB)
            self.assertEqual((503, "5"), (answer.status, answer.headers["retry-after"]))
            self.assertEqual("queued", status_of(self.service, image))
            self.assertNotIn(str(self.directory).encode(), answer.body)
        named = [line for line in self.service.log.read_text().splitlines() if str(self.directory) in line]
        self.assertNotEqual([], [line for line in named if "ERROR" in line])

    def _assert_works(self):
        self.assertEqual(b"kept", self.service.request("GET", f"/v2/images/{self.kept}/file").content)
        self.assertEqual(204, self.service.upload(self.service.create_image(), b"x").status_code)


def assert_full(test, service):
    """Too much data is refused and leaves nothing, and what there is room for is taken."""
    for kind in (KNOWN, UNKNOWN):
        image = service.create_image()
        answer = send(test, service, image, kind, (DISK_MIB + 1) * MIB)
        test.assertEqual(413, answer.status, (kind, answer.body))
        test.assertEqual(("queued", []), (status_of(service, image), files_of(service, image)))
        test.assertEqual(204, send(test, service, image, kind, 2 * MIB).status)


def send(test, service, image, kind, size):
    """Return the answer to an upload of ``size`` bytes."""
    client = begin_upload(test, service, image, framing(kind, size))
    client.send(*[part_of(kind, b"x" * MIB)] * (size // MIB), b"" if kind == KNOWN else b"0\r\n\r\n")
    return client.response()
