"""A state directory is moved, saved and restored, and no two services use one database."""

import hashlib
import shutil
import threading
from pathlib import Path

import fixtures
import testtools

from tests import programs
from tests.functional.faults import make_state
from tests.functional.service import Service

SIZE = 300_000


def manage(*words):
    """Return the ended process of ``glance-mini-manage``."""
    return programs.run("glance_mini.cmd.manage", *words)


def data_of(image):
    """Return the data that an image should have, made from its id."""
    return hashlib.sha512(image.encode()).digest() * (SIZE // 64)


class BackupCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.state = self.root / "state $1"

    def start(self, state=None):
        return self.useFixture(Service(state or self.state, "--no-worker"))

    def upload(self, service):
        image = service.create_image()
        self.assertEqual(204, service.upload(image, data_of(image)).status_code)
        return image

    def assert_whole(self, service, image):
        self.assertEqual(data_of(image), service.request("GET", f"/v2/images/{image}/file").content)


class MoveTest(BackupCase):
    def test_directory_that_was_moved_starts_with_all_its_images_and_loses_them_when_they_are_deleted(self):
        first = self.start()
        kept, deleted = self.upload(first), self.upload(first)
        token = first.token
        self.assertEqual(0, first.stop())
        # The new path begins with the old one.
        inner = self.root / "inner"
        self.state.rename(inner)
        self.state.mkdir()
        moved = inner.rename(self.state / "moved")
        for place in (moved, moved, self.root / "again"):
            if place != moved:
                moved.rename(place)
            service = self.start(place)
            self.assertEqual(token, service.token)
            self.assert_whole(service, kept)
            if place != moved:
                self.assertEqual(204, service.request("DELETE", f"/v2/images/{deleted}").status_code)
                self.assertEqual([kept], [path.name[:36] for path in service.stored_files()])
            self.assertEqual(0, service.stop())
        self.assertEqual([], list(self.state.iterdir()))

    def test_copy_leaves_the_first_directory_alone(self):
        first = self.start()
        image = self.upload(first)
        self.assertEqual(0, first.stop())
        shutil.copytree(self.state, self.root / "copy")
        copy, first = self.start(self.root / "copy"), self.start()
        self.assert_whole(copy, image)
        self.assertEqual(204, copy.request("DELETE", f"/v2/images/{image}").status_code)
        self.assert_whole(first, image)


class LockTest(BackupCase):
    def test_two_state_directories_do_not_share_one_database(self):
        self.start()
        database = self.state / "glance-mini.db"
        other = make_state(self.root / "other")
        config = other / "glance-mini.conf"
        link = self.root / "link.db"
        link.symlink_to(database)
        escaped = str(link).replace("$", "$$")
        config.write_text(config.read_text().replace("$state_directory/glance-mini.db", escaped))
        refused = self.start(other)
        self.assertEqual((1, []), (refused.code, refused.lines))
        self.assertIn("Another service uses the database", refused.log.read_text())


class BackupTest(BackupCase):
    def test_backup_during_writes_is_restored_elsewhere_and_everything_in_it_is_whole(self):
        service = self.start()
        before = [self.upload(service) for _ in range(3)]
        done, uploaded = threading.Event(), []

        def write():
            while not done.is_set():
                uploaded.append(self.upload(service))
                if len(uploaded) % 2:
                    service.request("DELETE", f"/v2/images/{uploaded.pop()}")

        writers = [threading.Thread(target=write) for _ in range(3)]
        for writer in writers:
            writer.start()
        backups = [self.root / f"backup{number}.tar" for number in range(3)]
        try:
            results = [manage("backup", backup, "--images", "--state", self.state) for backup in backups]
        finally:
            done.set()
            for writer in writers:
                writer.join(60)
        self.assertEqual([(0, "\n")] * 3, [(result.returncode, result.stdout) for result in results])
        self.assertEqual([0o600] * 3, [backup.stat().st_mode & 0o777 for backup in backups])
        self.assertEqual([], list(self.state.glob(".backup-*")))
        self.assertEqual([], list(self.root.glob(".backup*")))
        for number, backup in enumerate(backups):
            place = self.root / f"restored{number}"
            restored = manage("restore", backup, place)
            self.assertEqual(0, restored.returncode, restored.stderr)
        again = self.start(self.root / "restored2")
        self.assertEqual(service.token, again.token)
        images = again.request("GET", "/v2/images?limit=1000&status=active").json()["images"]
        self.assertLessEqual(set(before), {image["id"] for image in images})
        for image in images:
            self.assert_whole(again, image["id"])
        self.assertEqual(0, again.stop())

    def test_without_images_the_records_are_saved_and_no_data(self):
        service = self.start()
        image = self.upload(service)
        backup = self.root / "backup.tar"
        self.assertEqual(0, manage("backup", backup, "--state", self.state).returncode)
        self.assertLess(backup.stat().st_size, 4 * SIZE)
        self.assertEqual(0, manage("restore", backup, self.root / "new").returncode)
        self.assertFalse((self.root / "new" / "images").exists())
        again = self.start(self.root / "new")
        self.assertEqual("active", again.request("GET", f"/v2/images/{image}").json()["status"])

    def test_restore_refuses_a_directory_in_use_and_a_file_that_is_no_backup(self):
        self.start()
        backup = self.root / "backup.tar"
        self.assertEqual(0, manage("backup", backup, "--state", self.state).returncode)
        refused = manage("restore", backup, self.state)
        self.assertEqual(1, refused.returncode)
        self.assertIn("is in use", refused.stderr)
        (self.root / "wrong").write_text("not a backup")
        wrong = manage("restore", self.root / "wrong", self.root / "new")
        self.assertEqual(1, wrong.returncode)
        self.assertIn("is not a backup", wrong.stderr)
        self.assertFalse((self.root / "new").exists())
