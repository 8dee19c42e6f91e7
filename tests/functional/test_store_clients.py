"""The unmodified clients and a service with several stores: imports, copies, locations, tasks."""

import hashlib
import os

import glanceclient
import openstack

from tests.functional.service import Client
from tests.functional.test_imports import ImportTestCase

RAW = {"disk_format": "raw", "container_format": "bare"}


class StoresTestCase(ImportTestCase):
    """A service with the stores ``images`` (the default one), ``cheap`` and ``web``."""

    content = os.urandom(300_000)

    def setUp(self):
        super().setUp()
        config = self.state.config_file.read_text().replace("images:file", "images:file,cheap:file,web:http", 1)
        cheap = f"\n[cheap]\nfilesystem_store_datadir = {self.state.path / 'cheap'}\n"
        self.state.config_file.write_text(config + cheap)
        self.service = self.start()

    def assertStores(self, stores, image_id):
        """Fail unless the image is whole, and in those stores, a list with commas."""
        self.assertImported(self.service, image_id)
        self.assertEqual(stores, self.service.request("GET", f"/v2/images/{image_id}").json()["stores"])


class CommandsTest(StoresTestCase):
    def test_an_image_is_copied_to_a_store_and_leaves_another(self):
        openstack_client = self.useFixture(Client(self.state.clouds_file))
        words = ("--disk-format", "raw", "--import", "--file", str(self.file), "-f", "value", "-c", "id")
        image_id = openstack_client.openstack("image", "create", "disk", *words)
        self.assertStores("images", image_id)
        words = ("--method", "copy-image", "--all-stores", "--allow-failure", "--wait")
        openstack_client.openstack("image", "import", "disk", *words)
        self.assertStores("cheap,images", image_id)
        openstack_client.openstack("image", "delete", "disk", "--store", "images")
        self.assertStores("cheap", image_id)
        self.assertEqual((0, 1, 0), tuple(len(self.files(name)) for name in ("images", "cheap", "staging")))


class LibrariesTest(StoresTestCase):
    def test_sdk_names_stores_adds_locations_and_looks_at_tasks(self):
        config = openstack.config.OpenStackConfig(config_files=[str(self.state.clouds_file)], load_envvars=False)
        cloud = openstack.connection.Connection(config=config.get_one(cloud="glance-mini"))
        self.addCleanup(cloud.close)
        image = cloud.image.create_image("named twice", **RAW)
        web = {"method": "web-download", "uri": self.web.url("/disk.raw")}
        cloud.image.import_image(image, store="cheap", **web)
        self.assertStores("cheap", image.id)
        staged = cloud.image.create_image("staged", filename=str(self.file), use_import=True, all_stores=True, **RAW)
        self.assertStores("cheap,images", staged.id)
        cloud.image.delete_image(staged.id, store="cheap")
        self.assertStores("images", staged.id)
        located = cloud.image.create_image("located", **RAW)
        told = {"os_hash_algo": "sha512", "os_hash_value": self.digest}
        cloud.image.add_image_location(located, self.web.url("/disk.raw"), validation_data=told)
        located = self.wait_for(self.service, located.id)
        self.assertEqual(("active", "web"), (located["status"], located["stores"]))
        self.assertEqual(self.digest, located["os_hash_value"])
        tasks = list(cloud.image.tasks())
        expected = ["location_import", "api_image_import", "api_image_import"]
        self.assertEqual(expected, [task.type for task in tasks])
        self.assertEqual({"image_id": image.id}, cloud.image.get_task(tasks[-1].id).result)

    def test_glance_library_does_the_same(self):
        glance = glanceclient.Client("2", endpoint=self.service.lines[-1], token=self.service.token)
        staged = glance.images.create(name="staged", **RAW)
        with open(self.file, "rb") as data:
            glance.images.stage(staged.id, data)
        glance.images.image_import(staged.id, "glance-direct", stores=["images"])
        self.assertStores("images", staged.id)
        glance.images.image_import(staged.id, "copy-image", all_stores=True, allow_failure=False)
        self.assertStores("cheap,images", staged.id)
        glance.images.delete_from_store("cheap", staged.id)
        self.assertStores("images", staged.id)
        tasks = glance.images.get_associated_image_tasks(staged.id)["tasks"]
        self.assertEqual(["success", "success"], [task["status"] for task in tasks])
        located = glance.images.create(name="located", **RAW)
        told = {"os_hash_algo": "md5", "os_hash_value": hashlib.md5(self.content).hexdigest()}
        glance.images.add_image_location(located.id, self.web.url("/disk.raw"), told)
        self.assertEqual("active", self.wait_for(self.service, located.id)["status"])
        (location,) = glance.images.get_image_locations(located.id)
        self.assertEqual(self.web.url("/disk.raw"), location["url"])
        self.assertEqual(3, len(list(glance.tasks.list())))
