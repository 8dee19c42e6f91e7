"""Many clients at once: nothing acknowledged is lost, and no limit is passed together."""

import testtools

from tests.functional.faults import MIB, SharedService, at_once, files_of, status_of

CLIENTS = 24
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


class ChangesAtOnceTest(SharedService, testtools.TestCase):
    words = ("--no-worker", "--workers", "2")

    def test_properties_added_by_patch_are_all_there(self):
        image = self.service.create_image()

        def add(number):
            change = [{"op": "add", "path": f"/key{number}", "value": str(number)}]
            return self.service.request("PATCH", f"/v2/images/{image}", json=change, headers=PATCH).status_code

        self.assertEqual([200] * CLIENTS, at_once(CLIENTS, add))
        found = self.service.request("GET", f"/v2/images/{image}").json()
        expected = {f"key{number}": str(number) for number in range(CLIENTS)}
        self.assertEqual(expected, {name: value for name, value in found.items() if name.startswith("key")})

    def test_added_tags_are_all_there(self):
        image = self.service.create_image()

        def add(number):
            return self.service.request("PUT", f"/v2/images/{image}/tags/tag{number}").status_code

        self.assertEqual([204] * CLIENTS, at_once(CLIENTS, add))
        found = self.service.request("GET", f"/v2/images/{image}").json()
        self.assertEqual({f"tag{number}" for number in range(CLIENTS)}, set(found["tags"]))


class QuotaAtOnceTest(SharedService, testtools.TestCase):
    uploads, room = 20, 5
    options = {"DEFAULT": {"user_storage_quota": f"{4 * room}MB"}, "transfers": {"reserve_step_mib": 1}}

    def test_uploads_of_known_size_fill_the_quota_exactly(self):
        self._fill("known", b"x" * 4 * MIB)

    def test_uploads_of_unknown_size_fill_the_quota_exactly(self):
        self._fill("unknown", [b"x" * MIB] * 4)

    def _fill(self, project, data):
        images = [self.service.create_image(owner=project) for _ in range(self.uploads)]

        def upload(number):
            body = data if isinstance(data, bytes) else iter(data)
            return self.service.upload(images[number], body).status_code

        answers = at_once(self.uploads, upload)
        stored = [image for image in images if files_of(self.service, image)]
        self.assertEqual([204] * self.room + [413] * (self.uploads - self.room), sorted(answers))
        self.assertEqual([image for image, answer in zip(images, answers, strict=True) if answer == 204], stored)
        expected = ["active" if answer == 204 else "queued" for answer in answers]
        self.assertEqual(expected, [status_of(self.service, image) for image in images])
