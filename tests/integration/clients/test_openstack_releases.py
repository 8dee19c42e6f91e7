"""Older and newer releases of the ``openstack`` command with the clouds.yaml that the service writes."""

import os
from pathlib import Path

import fixtures
import testtools

from glance_mini.standalone.state import StateDirectory
from glance_mini.standalone.users import User, change_users
from tests.functional.service import Client, Service
from tests.integration.old_clients import ClientRelease

CONTENT = os.urandom(100_000)


class ReleaseCase(testtools.TestCase):
    requirements = ()

    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.program = self.useFixture(ClientRelease(*self.requirements)).program
        self.state = StateDirectory(self.root / "state")
        self.service = self.useFixture(Service(self.state.path, "--no-worker"))
        self.client = self.useFixture(Client(self.state.clouds_file))

    def openstack(self, *words, cloud="glance-mini"):
        """Return exit code, and what the command printed."""
        done = self.client._run(self.program, "--os-cloud", cloud, *words)
        return done.returncode, done.stdout + done.stderr

    def test_image_is_made_shared_saved_and_deleted(self):
        file, saved = self.root / "disk.raw", self.root / "saved.raw"
        file.write_bytes(CONTENT)
        for words in (
            ("image", "create", "disk", "--disk-format", "raw", "--shared", "--file", str(file)),
            ("image", "list"),
            ("image", "set", "disk", "--property", "os_distro=leap"),
            ("image", "add", "project", "disk", "other"),
            ("image", "member", "list", "disk"),
            ("image", "save", "disk", "--file", str(saved)),
        ):
            code, output = self.openstack(*words)
            self.assertEqual(0, code, f"{words}: {output}")
        self.assertIn("other", self.openstack("image", "member", "list", "disk")[1])
        self.assertEqual(CONTENT, saved.read_bytes())
        code, output = self.openstack("image", "delete", "disk")
        self.assertEqual((0, []), (code, self.service.request("GET", "/v2/images").json()["images"]), output)

    def test_user_logs_in_and_names_are_known(self):
        file, saved = self.root / "disk.raw", self.root / "saved.raw"
        file.write_bytes(CONTENT)
        ann = User("ann").with_role("lab", ("member",)).with_password("correct horse")
        change_users(self.state.users_file, lambda users: users.add(ann))
        names = ("--project", "lab", "--project-domain", "Default")
        for words, expected in (
            (("image", "create", "disk", "--disk-format", "raw", "--file", str(file), *names, "--shared"), "lab"),
            (("image", "list"), "disk"),
            (("image", "add", "project", "disk", "admin", "--project-domain", "Default"), "admin"),
            (("image", "save", "disk", "--file", str(saved)), ""),
            (("project", "list"), "lab"),
            (("user", "show", "ann"), "ann"),
            (("role", "assignment", "list", "--names", "--user", "ann"), "lab"),
            (("image", "delete", "disk"), ""),
        ):
            code, output = self.openstack(*words, cloud="glance-mini-login")
            self.assertEqual((0, True), (code, expected in output), f"{words}: {output}")
        self.assertEqual(CONTENT, saved.read_bytes())
        self.assertEqual([], self.service.request("GET", "/v2/images").json()["images"])

    def test_reason_of_a_refused_upload_is_shown(self):
        file = self.root / "not.qcow2"
        file.write_bytes(CONTENT)
        words = ("image", "create", "disk", "--disk-format", "qcow2", "--file", str(file))
        code, output = self.openstack(*words)
        self.assertNotEqual(0, code)
        self.assertIn("Image data was refused", output)


class TestRelease66(ReleaseCase):
    requirements = ("python-openstackclient==6.6.*", "openstacksdk==2.1.*")


class TestRelease74(ReleaseCase):
    requirements = ("python-openstackclient==7.4.*", "openstacksdk==4.4.*")


class TestRelease81(ReleaseCase):
    requirements = ("python-openstackclient==8.1.*",)


class TestNewest(ReleaseCase):
    requirements = ("python-openstackclient",)


del ReleaseCase
