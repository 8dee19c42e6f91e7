"""The unmodified command line clients and openstacksdk against the real service, by token and by password."""

import hashlib
import io
import os
from pathlib import Path

import fixtures
import glanceclient
import openstack
import testtools
import yaml
from keystoneauth1.http_basic import HTTPBasicAuth
from keystoneauth1.session import Session

from glance_mini.standalone.state import StateDirectory
from glance_mini.standalone.users import User, change_users
from tests.functional.service import Client, Service

CONTENT = os.urandom(300_000)


class ClientTestCase(testtools.TestCase):
    """A running service, an image's content in a file, and a client that knows the service."""

    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.file = self.root / "disk.raw"
        self.file.write_bytes(CONTENT)
        self.saved = self.root / "saved.raw"
        self.state = StateDirectory(self.root / "state")

    def start(self):
        """Return the running service."""
        return self.useFixture(Service(self.state.path, "--no-worker"))

    def start_with_password(self, *arguments):
        """Return a service that knows ann by her password, and the clouds.yaml with which she comes."""
        self.state.create()
        config = self.state.config_file
        config.write_text(config.read_text().replace("flavor = token", "flavor = basic"))
        user = User("ann").with_role("lab", ("member",)).with_password("correct horse")
        change_users(self.state.users_file, lambda users: users.add(user))
        service = self.useFixture(Service(self.state.path, "--no-worker", *arguments))
        auth = {"endpoint": service.lines[-1], "username": "ann", "password": "correct horse"}
        cloud = {"auth_type": "http_basic", "auth": auth, "image_endpoint_override": service.lines[-1]}
        clouds = self.root / "clouds.yaml"
        clouds.write_text(yaml.safe_dump({"clouds": {"glance-mini": cloud}}))
        return service, clouds


class OpenStackClientTest(ClientTestCase):
    def test_by_token_an_image_is_made_changed_shared_saved_and_deleted(self):
        self.start()
        self._live(self.useFixture(Client(self.state.clouds_file)), owner="admin")

    def test_by_password_an_image_is_made_changed_shared_saved_and_deleted(self):
        _, clouds = self.start_with_password()
        self._live(self.useFixture(Client(clouds)), owner="lab")

    def _live(self, client, owner):
        """Do all of it in one call of the program, which reads its commands one after the other."""
        created, listed, shown, shared, members, left = client.openstack_session(
            f"image create disk --disk-format raw --file {self.file} -f json",
            "image list -f json",
            "image set disk --property os_distro=leap --tag x86",
            "image unset disk --tag x86",
            "image show disk -f json",
            "image add project disk other -f json",
            "image member list disk -f json",
            f"image save disk --file {self.saved}",
            "image delete disk",
            "image list -f json",
        )
        self.assertEqual(("active", owner, len(CONTENT)), (created["status"], created["owner"], created["size"]))
        self.assertEqual(["disk"], [image["Name"] for image in listed])
        self.assertEqual(("leap", []), (shown["properties"]["os_distro"], shown["tags"]))
        self.assertEqual("other", shared["member_id"])
        self.assertEqual(["other"], [member["Member ID"] for member in members])
        self.assertEqual(CONTENT, self.saved.read_bytes())
        self.assertEqual([], left)


class GlanceClientTest(ClientTestCase):
    def test_image_is_made_changed_shared_downloaded_and_deleted(self):
        service = self.start()
        client = self.useFixture(Client())
        access = ("--os-auth-token", service.token, "--os-image-url", service.lines[-1], "--os-image-api-version", "2")

        def glance(*words):
            return client.call("glance", *access, *words)

        glance(
            *("image-create", "--name", "disk", "--disk-format", "raw", "--container-format", "bare"),
            *("--file", str(self.file)),
        )
        image = service.request("GET", "/v2/images").json()["images"][0]
        self.assertEqual(("active", len(CONTENT)), (image["status"], image["size"]))
        self.assertIn("leap", glance("image-update", image["id"], "--property", "os_distro=leap"))
        self.assertIn("disk", glance("image-list"))
        glance("member-create", image["id"], "other")
        self.assertIn("other", glance("member-list", "--image-id", image["id"]))
        glance("image-download", image["id"], "--file", str(self.saved))
        self.assertEqual(CONTENT, self.saved.read_bytes())
        glance("image-delete", image["id"])
        self.assertEqual([], service.request("GET", "/v2/images").json()["images"])

    def test_by_password_its_library_does_the_same(self):
        """The command itself knows no authentication but Keystone's and a token."""
        service, _ = self.start_with_password()
        session = Session(HTTPBasicAuth(service.lines[-1], "ann", "correct horse"))
        glance = glanceclient.Client("2", session=session, endpoint_override=service.lines[-1])
        image = glance.images.create(name="disk", disk_format="raw", container_format="bare")
        glance.images.upload(image.id, io.BytesIO(CONTENT))
        glance.images.update(image.id, os_distro="leap")
        self.assertEqual(["leap"], [each.os_distro for each in glance.images.list()])
        glance.image_members.create(image.id, "other")
        self.assertEqual(["other"], [member.member_id for member in glance.image_members.list(image.id)])
        self.assertEqual(CONTENT, b"".join(glance.images.data(image.id)))
        glance.images.delete(image.id)
        self.assertEqual([], list(glance.images.list()))


class SDKTest(ClientTestCase):
    def test_image_is_made_from_a_file_found_updated_streamed_and_deleted(self):
        self.start()
        self._live(self.state.clouds_file)

    def test_by_password_the_same_works(self):
        _, clouds = self.start_with_password()
        self._live(clouds)

    def _live(self, clouds):
        config = openstack.config.OpenStackConfig(config_files=[str(clouds)], load_envvars=False)
        cloud = openstack.connection.Connection(config=config.get_one(cloud="glance-mini"))
        self.addCleanup(cloud.close)
        formats = {"disk_format": "raw", "container_format": "bare"}
        image = cloud.create_image("disk", filename=str(self.file), wait=True, **formats)
        self.assertEqual("active", image.status)
        found = cloud.image.find_image("disk", ignore_missing=False)
        self.assertEqual((image.id, hashlib.md5(CONTENT).hexdigest()), (found.id, found.checksum))
        changed = cloud.image.update_image(found, name="renamed", os_distro="leap")
        self.assertEqual(("renamed", "leap"), (changed.name, changed.os_distro))
        output = io.BytesIO()
        cloud.image.download_image(changed, stream=True, output=output)
        self.assertEqual(CONTENT, output.getvalue())
        cloud.image.delete_image(changed)
        self.assertIsNone(cloud.image.find_image("renamed", ignore_missing=True))


class NoChecksumTest(ClientTestCase):
    """Images without an md5 (``compute_checksum = false``): each client saves them, and compares what it can."""

    def setUp(self):
        super().setUp()
        self.state.create()
        with self.state.config_file.open("a") as config:
            config.write("\n[DEFAULT]\ncompute_checksum = false\nhashing_algorithm = sha256\n")
        self.service = self.start()
        self.client = self.useFixture(Client(self.state.clouds_file))
        image = self.service.create_image(name="disk", disk_format="raw", container_format="bare")
        self.service.upload(image, CONTENT)

    def test_openstack_saves_it(self):
        (shown,) = self.client.openstack_session("image show disk -f json", f"image save disk --file {self.saved}")
        self.assertIsNone(shown.get("checksum"))
        self.assertEqual(CONTENT, self.saved.read_bytes())

    def test_glance_downloads_it_and_finds_what_was_changed(self):
        glance = glanceclient.Client("2", endpoint=self.service.lines[-1], token=self.service.token)
        (image,) = glance.images.list()
        self.assertEqual((None, hashlib.sha256(CONTENT).hexdigest()), (image.checksum, image.os_hash_value))
        self.assertEqual(CONTENT, b"".join(glance.images.data(image.id)))
        (file,) = (path for path in (self.state.path / "images").rglob("*") if path.is_file())
        file.write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
        error = self.assertRaises(OSError, b"".join, glance.images.data(image.id))
        self.assertIn("Corrupt image download", str(error))

    def test_sdk_downloads_it(self):
        config = openstack.config.OpenStackConfig(config_files=[str(self.state.clouds_file)], load_envvars=False)
        cloud = openstack.connection.Connection(config=config.get_one(cloud="glance-mini"))
        self.addCleanup(cloud.close)
        image = cloud.image.find_image("disk", ignore_missing=False)
        self.assertEqual(CONTENT, cloud.image.download_image(image).content)
        cloud.image.download_image(image, stream=True, output=str(self.saved))
        self.assertEqual(CONTENT, self.saved.read_bytes())


class TypedPropertiesTest(ClientTestCase):
    """Properties that the operator describes as nullable or as no text."""

    SCHEMA = '{"kernel_id": {"type": ["null", "string"], "pattern": "^[0-9a-f-]{36}$"}, "flag": {"type": "boolean"}}'

    def setUp(self):
        super().setUp()
        self.state.create()
        (self.state.config_file.parent / "schema-image.json").write_text(self.SCHEMA)
        self.service = self.start()
        self.image = self.service.create_image(kernel_id=None, flag="True", color="red")
        self.client = self.useFixture(Client(self.state.clouds_file))

    def test_glance_updates_an_image_with_null_and_renames_a_property(self):
        access = ("--os-auth-token", self.service.token, "--os-image-url", self.service.lines[-1])
        self.client.call("glance", *access, "image-update", "--property", "size_class=big", self.image)
        self.client.call(
            "glance", *access, "image-update", "--remove-property", "color", "--property", "colour=red", self.image
        )
        shown = self.show()
        names = ("kernel_id", "flag", "size_class", "colour")
        self.assertEqual((None, True, "big", "red"), tuple(map(shown.get, names)))
        self.assertNotIn("color", shown)

    def test_openstack_writes_a_boolean_as_text(self):
        for text, value in (("false", False), ("True", True)):
            self.client.openstack("image", "set", self.image, "--property", f"flag={text}")
            self.assertIs(value, self.show()["flag"])
            found = self.service.request("GET", f"/v2/images?flag={text}").json()["images"]
            self.assertEqual([self.image], [image["id"] for image in found])

    def show(self):
        return self.service.request("GET", f"/v2/images/{self.image}").json()
