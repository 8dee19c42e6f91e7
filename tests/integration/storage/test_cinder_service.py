"""The image service with a ``cinder`` store, through HTTP, under a real Keystone."""

import contextlib

import requests

from tests.http_server.running import eventually
from tests.integration.clients.test_clients_keystone import KeystoneTestCase
from tests.integration.storage.cinder_volumes import CinderTestCase

CONTENT = bytes(range(256)) * 10_000

CONFIGURATION = """
[DEFAULT]
enabled_backends = {store}:cinder,images:file
show_multiple_locations = true
[glance_store]
default_backend = {store}
[{store}]
{options}
[transfers]
lease_seconds = 3
reaper_interval = 1
"""


class TestService(CinderTestCase, KeystoneTestCase):
    def setUp(self):
        super().setUp()
        options = "\n".join(f"{name} = {value}" for name, value in self.options().items())
        self.start(CONFIGURATION.format(store=self.store_id, options=options))

    def get(self, user, image, **headers):
        answer = self.request(user, "GET", f"/v2/images/{image}/file", headers=headers)
        return answer.status_code, answer.content

    def test_data_goes_to_a_volume_and_comes_back_and_leaves_nothing(self):
        image = self.create("alice")
        # The length is not announced.
        chunks = (CONTENT[start : start + 100_000] for start in range(0, len(CONTENT), 100_000))
        answer = self.upload("alice", image, chunks)
        self.assertEqual(204, answer.status_code, answer.text)
        (volume,) = self.volumes()
        self.assertEqual(self.cloud.project_id("alice"), volume.metadata["image_owner"])
        shown = self.request("alice", "GET", f"/v2/images/{image}").json()
        self.assertEqual((len(CONTENT), [f"cinder://{self.store_id}/{volume.id}"]), (shown["size"], urls(shown)))
        self.assertEqual((200, CONTENT), self.get("alice", image))
        self.assertEqual((206, CONTENT[1_000_000:2_200_001]), self.get("alice", image, Range="bytes=1000000-2200000"))
        self.assertEqual((206, CONTENT[-5:]), self.get("alice", image, Range="bytes=-5"))
        stores = self.request("admin", "GET", "/v2/info/stores/detail").json()["stores"]
        expected = {"volume_type": self.volume_type.name, "use_multipath": False}
        self.assertEqual(("cinder", expected), (stores[0]["type"], stores[0]["properties"]))
        # The volume stays attached for a while, for the next reader.
        eventually(lambda: self.volumes()[0].status == "available", "the volume is detached")
        snapshot = self.admin.client.volume_snapshots.create(volume.id)
        eventually(lambda: self.admin.client.volume_snapshots.get(snapshot.id).status == "available", "a snapshot")
        self.assertEqual(409, self.status("alice", "DELETE", f"/v2/images/{image}"))
        self.admin.client.volume_snapshots.delete(snapshot)
        gone = lambda: not self.admin.client.volume_snapshots.list(search_opts={"volume_id": volume.id})  # noqa: E731
        eventually(gone, "the snapshot is gone")
        self.assertEqual(204, self.status("alice", "DELETE", f"/v2/images/{image}"))
        eventually(lambda: not self.volumes(), "the volume is gone")

    def test_client_makes_and_saves_an_image(self):
        client = self.running.client()
        file, saved = (self.running.served.root / name for name in ("disk.raw", "saved.raw"))
        file.write_bytes(CONTENT)
        client.call("openstack", "--os-cloud", "alice", "image", "create", "disk", "--file", str(file))
        client.call("openstack", "--os-cloud", "alice", "image", "save", "disk", "--file", str(saved))
        self.assertEqual(CONTENT, saved.read_bytes())
        self.assertEqual([1], [volume.size for volume in self.volumes()])

    def test_volume_that_cinder_made_becomes_an_image(self):
        made = self.admin.client.volumes.create(1, metadata={"image_size": "5", "glance_mini.store": self.store_id})
        eventually(lambda: self.admin.client.volumes.get(made.id).status == "available", "the volume is there")
        image = self.create("alice")
        body = {"url": f"cinder://{self.store_id}/{made.id}", "validation_data": {}}
        refused = self.status("alice", "POST", f"/v2/images/{image}/locations", json=body)
        self.assertEqual(403, refused)
        self.assertEqual(202, self.status("glance", "POST", f"/v2/images/{image}/locations", json=body))
        show = f"/v2/images/{image}"
        eventually(lambda: self.request("alice", "GET", show).json()["status"] == "active", "the image is active")
        self.assertEqual((200, bytes(5)), self.get("alice", image))

    def test_what_a_killed_service_left_is_removed(self):
        image = self.create("alice")

        def chunks():
            # More than the service reads before it begins to write.
            yield 4 * CONTENT
            eventually(lambda: [each.status for each in self.volumes()] == ["in-use"], "the volume is attached")
            self.running.served.kill()
            yield CONTENT

        with contextlib.suppress(requests.RequestException):
            self.upload("alice", image, chunks())
        self.assertEqual(1, len(self.volumes()))
        self.running.served.start()
        show = f"/v2/images/{image}"
        eventually(lambda: self.request("alice", "GET", show).json()["status"] == "queued", "the image was freed")
        self.assertEqual([], self.volumes())


def urls(image):
    """Return the URLs of the locations of an image."""
    return [location["url"] for location in image["locations"]]
