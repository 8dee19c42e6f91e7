"""Deleted images as the unmodified clients see them, and the worker that deletes them for good."""

from pathlib import Path

import fixtures
import openstack
import testtools

from glance_mini.standalone.state import StateDirectory
from tests.functional.service import Client, Service
from tests.functional.test_worker import WorkerProcess
from tests.http_server.running import eventually

OPTIONS = "[DEFAULT]\ndelayed_delete = true\nscrub_time = 0\n"


class DeletedImagesTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.state = StateDirectory(Path(self.useFixture(fixtures.TempDir()).path) / "state")
        self.state.create()
        config = self.state.config_file
        config.write_text(config.read_text().replace("[DEFAULT]\n", OPTIONS, 1))

    def test_clients_find_what_was_deleted_and_restore_it_until_a_worker_deletes_it_for_good(self):
        # Its time is over at once, but without a worker nothing goes.
        service = self.useFixture(Service(self.state.path, "--no-worker"))
        image = service.create_image()
        service.upload(image, b"content")
        client = self.useFixture(Client(self.state.clouds_file))
        cloud = self.connect()
        cloud.image.delete_image(image)
        self.assertEqual("", client.openstack("image", "list", "-f", "value"))
        words = ("image", "list", "--status", "pending_delete", "-f", "value", "-c", "ID", "-c", "Status")
        self.assertEqual(f"{image} pending_delete", client.openstack(*words))
        access = ("--os-auth-token", service.token, "--os-image-url", service.lines[-1])
        found = client.call("glance", *access, "image-list", "--property-filter", "status=pending_delete")
        self.assertIn(image, found)
        (deleted,) = cloud.image.images(status="pending_delete")
        self.assertEqual(204, cloud.image.post(f"/images/{deleted.id}/actions/restore").status_code)
        self.assertEqual(b"content", cloud.image.download_image(image).content)
        cloud.image.delete_image(image)
        self.assertEqual(1, len(service.stored_files()))
        self.useFixture(WorkerProcess(self.state.path))
        eventually(lambda: not service.stored_files(), "the data was deleted")
        self.assertEqual(404, service.request("POST", f"/v2/images/{image}/actions/restore").status_code)
        self.assertEqual([], list(cloud.image.images(status="pending_delete")))

    def connect(self):
        config = openstack.config.OpenStackConfig(config_files=[str(self.state.clouds_file)], load_envvars=False)
        cloud = openstack.connection.Connection(config=config.get_one(cloud="glance-mini"))
        self.addCleanup(cloud.close)
        return cloud
