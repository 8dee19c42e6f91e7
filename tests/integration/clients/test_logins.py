"""Clients that must log in before they do anything log in at the service itself; each is unmodified.

Each takes an image through its life as far as it can: uploaded, listed, shared, downloaded, deleted. ``openstack``
does so in ``test_openstack_releases``.
"""

import hashlib
import os
import subprocess
from pathlib import Path

import fixtures
import yaml

from glance_mini.standalone.clouds import Login
from glance_mini.standalone.state import StateDirectory
from glance_mini.standalone.users import User, change_users
from tests.functional.service import Service
from tests.integration.base import ServiceTestCase
from tests.integration.clients.test_gophercloud import GO, LIFE, SOURCE
from tests.integration.old_clients import ClientRelease

PROGRAMS = Path(__file__).parent / "logins"
CONTENT = os.urandom(50_000).hex().encode()
LIFE_OF_IMAGE = "uploaded active\nlisted disk\nshared pending\ndownloaded True\ndeleted 0"
PASSWORD = "correct horse"


class LoginTest(ServiceTestCase):
    """A service with the users ``ann``, a member of ``lab`` with a password, and ``bob`` of ``other``."""

    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.state = StateDirectory(self.root / "state")
        self.state.create()
        for user in (
            User("ann").with_role("lab", ("member",)).with_password(PASSWORD),
            User("bob").with_role("other", ("member",)).with_token("secret", "other"),
        ):
            change_users(self.state.users_file, lambda users, user=user: users.add(user))
        self.service_of_images = self.useFixture(Service(self.state.path))
        self.file = self.root / "disk.raw"
        self.file.write_bytes(CONTENT)
        endpoint = self.service_of_images.lines[-1]
        self.auth = Login(endpoint, "ann", "lab", PASSWORD, "RegionOne").auth

    def run_client(self, *command, **variables):
        """Return what a command printed that finds the log-in of ann in the environment; fails where it failed."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        login = {f"OS_{name.upper()}": value for name, value in self.auth.items()}
        login |= {"OS_REGION_NAME": "RegionOne", "OS_IDENTITY_API_VERSION": "3", "HOME": str(self.root)}
        if "OS_CLIENT_CONFIG_FILE" in variables:
            login = {"HOME": str(self.root)}
        done = subprocess.run(
            [str(word) for word in command],
            env=kept | login | variables,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return done.stdout.strip()

    def python_with(self, *requirements):
        """Return the interpreter of an environment with these packages."""
        return self.useFixture(ClientRelease(*requirements)).program.parent / "python"

    def write_clouds(self, **clouds):
        """Write a ``clouds.yaml`` with these log-ins, and return the variables that name it."""
        path = self.root / "clouds.yaml"
        path.write_text(yaml.safe_dump({"clouds": {name: {"auth": auth} for name, auth in clouds.items()}}))
        return {"OS_CLIENT_CONFIG_FILE": str(path)}

    def assert_lives(self, *command):
        self.assertEqual(LIFE_OF_IMAGE, self.run_client(*command, self.file, "other"))

    def test_openstacksdk(self):
        self.assert_lives(self.python_with("openstacksdk"), PROGRAMS / "with_sdk.py")

    def test_libcloud(self):
        self.assert_lives(self.python_with("apache-libcloud"), PROGRAMS / "with_libcloud.py")

    def test_fog(self):
        self.service("fog")
        self.assert_lives("ruby", PROGRAMS / "with_fog.rb")

    def test_gophercloud(self):
        self.service("gophercloud")
        program = self.root / "main"
        go = GO | {"GOCACHE": str(self.root / "cache")}
        self.run_client("go", "build", "-o", program, SOURCE, **go)
        self.assertEqual(LIFE, self.run_client(program, "life", "other", OS_DOMAIN_NAME="Default"))

    def test_ansible(self):
        # openstack.cloud of this release asks for ``openstack.version``, which later releases of the library lack.
        python = self.python_with("ansible==12.*", "openstacksdk==4.4.*")
        variables = (f"ansible_python_interpreter={python}", f"file={self.file}")
        words = [word for variable in variables for word in ("-e", variable)]
        self.run_client(python.parent / "ansible-playbook", *words, PROGRAMS / "with_ansible.yml")
        self.assertEqual([], self.service_of_images.request("GET", "/v2/images").json()["images"])

    def test_image_manager_uploads_nothing_the_second_time(self):
        python = self.python_with("openstack-image-manager")
        admin = {**self.auth, "username": "admin", "password": self.service_of_images.token, "project_name": "admin"}
        variables = self.write_clouds(ann=self.auth, admin=admin)
        definition = self.root / "images.yml"
        text = (PROGRAMS / "images.yml").read_text()
        definition.write_text(text.replace("FILE", str(self.file)).replace("SUM", hashlib.sha256(CONTENT).hexdigest()))

        def manage(cloud, *words):
            program = python.parent / "openstack-image-manager"
            self.run_client(program, "--cloud", cloud, "--images", definition, *words, **variables)
            log = self.state.access_log.read_text()
            (image,) = self.service_of_images.request("GET", "/v2/images").json()["images"]
            return image, log.count(" stage_data 204 ")

        image, uploads = manage("ann")
        self.assertEqual(("Small 1", "active", "lab", 1), (image["name"], image["status"], image["owner"], uploads))
        self.assertEqual(hashlib.md5(CONTENT).hexdigest(), image["checksum"])
        self.assertEqual((image, uploads), manage("ann"))
        manage("admin", "--share-image", image["name"], "--share-type", "project", "--share-target", "other")
        members = self.service_of_images.request("GET", f"/v2/images/{image['id']}/members").json()["members"]
        self.assertEqual(["other"], [member["member_id"] for member in members])
