"""Images made through the API of a real Glance are taken over, and both APIs show the same; the way back too."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5
from typing import ClassVar

from sqlalchemy import inspect, text

from glance_mini.db.sqlalchemy.engine import make_engine
from tests.integration.base import ServiceTestCase
from tests.integration.glance import Glance, call
from tests.integration.served import Served

MANY = 1000
FEW = 120

OWNERS = tuple(f"project-{number}" for number in range(7))
VISIBILITIES = ("public", "community", "shared", "private")
FORMATS = (("raw", "bare"), ("raw", "ovf"), ("iso", "bare"), ("vmdk", "bare"), (None, None))

SETTINGS = """
[DEFAULT]
show_multiple_locations = true
show_image_direct_url = true
image_property_quota = 128
"""

LEFT_EMPTY = ("os_glance_importing_to_stores", "os_glance_failed_import")
"""Properties of imports that Glance leaves, empty, when it is done."""


NAMESPACE = "/v2/metadefs/namespaces/Acme::Hardware"
SPACE = {
    "namespace": "Acme::Hardware",
    "display_name": "Hardware",
    "description": "größe",
    "visibility": "public",
    "protected": True,
    "resource_type_associations": [{"name": "OS::Glance::Image", "prefix": "hw_", "properties_target": "image"}],
    "properties": {"cores": {"title": "Cores", "type": "integer", "minimum": 1, "maximum": 64, "default": 2}},
    "objects": [
        {
            "name": "disk",
            "description": "A disk",
            "required": ["bus", "size"],
            "properties": {
                "bus": {"title": "Bus", "type": "string", "enum": ["scsi", "virtio"]},
                "size": {"title": "Size", "type": "integer"},
            },
        }
    ],
    "tags": [{"name": "fast"}],
}


def described(number):
    """Return the request that creates image ``number``: each field takes each of its kinds of values."""
    disk_format, container_format = FORMATS[number % len(FORMATS)]
    values = {
        "visibility": VISIBILITIES[number % 4],
        "protected": number % 10 == 1,
        "os_hidden": number % 11 == 1,
        "min_ram": number % 3 * 512,
        "min_disk": number % 2 * 20,
        "tags": [f"tag-{each}" for each in range(number % 4)] + (["größe 大小"] if number % 7 == 0 else []),
        **{f"property-{each}": f"value {number} {each}" for each in range(number % 6)},
    }
    if number % 13:
        values["name"] = f"image {number} é大"
    if disk_format:
        values |= {"disk_format": disk_format, "container_format": container_format}
    if number % 17 == 0:
        values |= {"a name: with/odd %20 signs": "x" * 5000, "empty": ""}
    return values


def by_member(answer):
    """Return the members in ``answer`` by id: Glance lists them in any order."""
    return {each["member_id"]: each for each in answer["members"]}


def plain(image):
    """Return what both APIs show of an image in the same way."""
    kept = {name: value for name, value in image.items() if name not in LEFT_EMPTY or value}
    kept["tags"] = sorted(kept["tags"])
    kept["stores"] = sorted(kept.get("stores", "").split(","))
    # Glance shows locations of the same weight in the order in which its database happens to find them.
    kept["locations"] = sorted(kept["locations"], key=lambda location: location["url"])
    if len(kept["locations"]) > 1:
        del kept["direct_url"]
    return kept


def plain_namespace(shown):
    """Return what both APIs show of a namespace in the same way: Glance gives the objects in it more fields."""
    fields = ("name", "description", "required", "properties")
    return {**shown, "objects": [{name: each[name] for name in fields} for each in shown["objects"]]}


def differences(theirs, ours):
    """Return the first values that differ, by image and field, as theirs and ours."""
    found = {}
    for key in sorted(theirs.keys() | ours.keys()):
        one, other = theirs.get(key, {}), ours.get(key, {})
        if one != other:
            fields = one.keys() | other.keys()
            found[key] = {name: (one.get(name), other.get(name)) for name in fields if one.get(name) != other.get(name)}
    return dict(list(found.items())[:3])


class Moving:
    """Fills a Glance on ``server``, moves to a service of ours and compares; ``count`` images."""

    server: ClassVar[str]
    own_server: ClassVar[str | None] = None
    count: ClassVar[int] = FEW
    programs: ClassVar[str] = "TEST_GLANCE_BIN"

    def setUp(self):
        super().setUp()
        programs = self.service("glance")[self.programs]
        self.glance = self.useFixture(Glance(programs, self.fresh_database(self.server)))
        self.glance.sync()
        self.glance.start()
        stores = self.glance.root / "stores.conf"
        command = [sys.executable, "-m", "glance_mini.cmd.manage", "migrate-from-glance"]
        command += ["--config", self.glance.config_file, "--stores-file", stores]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        database = f"[database]\nconnection = {self.fresh_database(self.own_server)}\n" if self.own_server else ""
        configuration = f"{SETTINGS}{database}{stores.read_text()}"
        self.ours = self.useFixture(Served(configuration, users={"root": ("admin", "admin")}))

    def migrate(self, *words):
        """Return the report of a migration."""
        words = ["migrate-from-glance", "--config", self.glance.config_file, "--format", "json", *words]
        return json.loads(self.ours.manage(*words))

    def show(self, path):
        """Return what our API answers to an administrator."""
        return call(self.ours.url + path, "GET", headers={"X-Auth-Token": self.ours.tokens["root"]})

    def all_images(self, ask):
        """Return all images by id, hidden ones too, as an administrator sees them in lists."""
        found = {}
        for hidden in ("false", "true"):
            path = f"/v2/images?limit=1000&visibility=all&os_hidden={hidden}&member_status=all"
            while path:
                page = ask(path)
                found |= {image["id"]: plain(image) for image in page["images"]}
                path = page.get("next")
        return found

    def check_same(self, ids, closely=None):
        """Check that both APIs list the same images and neither shows a deleted one; return the images.

        Each of the images ``closely`` (None: all) is looked at alone too, with its members and its data.
        """

        def theirs(path):
            return self.glance.request("GET", path)

        images = self.all_images(theirs)
        self.assertEqual({}, differences(images, self.all_images(self.show)))
        self.assertLess(len(ids) * 0.8, len(images))
        for key in ids.values():
            if key not in images:
                self.assertRaises(AssertionError, self.show, f"/v2/images/{key}")

        def check(image):
            path = f"/v2/images/{image['id']}"
            key = image["id"]
            self.assertEqual({}, differences({key: plain(theirs(path))}, {key: plain(self.show(path))}))
            if image["visibility"] == "shared":
                self.assertEqual(by_member(theirs(f"{path}/members")), by_member(self.show(f"{path}/members")))
            if image["status"] == "active":
                data = self.show(f"{path}/file")
                self.assertEqual(image["checksum"], md5(data).hexdigest())

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(check, [images[key] for key in closely or images]))
        self.assertEqual(plain_namespace(theirs(NAMESPACE)), plain_namespace(self.show(NAMESPACE)))
        return images

    def fill(self):
        """Make the images and return their ids by number, those of deleted images too."""
        self.glance.request("POST", "/v2/metadefs/namespaces", SPACE, project=OWNERS[0])
        with ThreadPoolExecutor(6) as pool:
            return dict(zip(range(self.count), pool.map(self.make, range(self.count)), strict=True))

    def make(self, number):
        """Make image ``number`` in the state that its number says, and return its id."""
        owner, ask = OWNERS[number % len(OWNERS)], self.glance.request
        image = ask("POST", "/v2/images", described(number), project=owner)
        path = f"/v2/images/{image['id']}"
        if number % 3 == 0 and image["disk_format"] == "raw":
            store = {"X-Image-Meta-Store": ("fast", "cheap")[number % 2]}
            ask("PUT", f"{path}/file", f"data of {number}".encode() * (number % 50 + 1), project=owner, **store)
            if number % 60 == 0:
                ask("POST", f"{path}/import", {"method": {"name": "copy-image"}, "all_stores": True}, project=owner)
                self.wait_for_copies(path)
            if number % 27 == 0:
                ask("POST", f"{path}/actions/deactivate", b"")
        if image["visibility"] == "shared":
            for each in range(1 + number % 3):
                ask("POST", f"{path}/members", {"member": f"member-{each}"}, project=owner)
            ask("PUT", f"{path}/members/member-0", {"status": "accepted"}, project="member-0")
            if number % 5 == 0:
                ask("POST", f"{path}/members", {"member": "former"}, project=owner)
                ask("DELETE", f"{path}/members/former", project=owner)
        if number % 9 == 4:
            change = [{"op": "replace", "path": "/name", "value": f"renamed {number}"}]
            gone = [{"op": "remove", "path": "/property-0"}] if number % 6 else []
            ask("PATCH", path, change + gone, project=owner)
        if number % 20 == 18 and not image["protected"]:
            ask("DELETE", path, project=owner)
        return image["id"]

    def wait_for_copies(self, path):
        """Wait until the image at ``path`` is in both stores."""
        deadline = time.monotonic() + 60
        while "," not in self.glance.request("GET", path).get("stores", ""):
            if time.monotonic() > deadline:
                raise AssertionError(f"{path} was not copied")
            time.sleep(0.1)

    def change(self, ids, images):
        """Change some images in Glance and return them; add one, delete one without data and one with data."""
        ask = self.glance.request
        shared = [key for key, image in images.items() if image["visibility"] == "shared" and not image["protected"]]
        for key in shared[:3]:
            ask("PATCH", f"/v2/images/{key}", [{"op": "replace", "path": "/name", "value": "later"}])
        ask("DELETE", f"/v2/images/{shared[3]}/members/member-0")
        ask("POST", f"/v2/images/{shared[4]}/members", {"member": "newest"})
        without_data = next(key for key in shared[5:] if images[key]["status"] == "queued")
        with_data = next(key for key in shared[5:] if images[key]["status"] == "active")
        ask("DELETE", f"/v2/images/{without_data}")
        ask("DELETE", f"/v2/images/{with_data}")
        ids[len(ids)] = self.make(self.count * 60)
        return shared[:5]

    def rows_of_glance(self):
        """Return a digest of every table of the Glance database."""
        engine = make_engine(self.glance.connection)
        digests = {}
        with engine.connect() as connection:
            for table in inspect(connection).get_table_names():
                rows = sorted(map(repr, connection.execute(text(f"SELECT * FROM {table}"))))
                digests[table] = (len(rows), md5("".join(rows).encode()).hexdigest())
        engine.dispose()
        return digests

    def count_trash(self):
        """Return how many images can be restored."""
        return len(json.loads(self.ours.manage("images", "deleted", "--limit", "10000", "--format", "json")))

    def check_usage(self, images):
        """Check that each project uses what its images say."""
        used = json.loads(self.ours.manage("quota", "show", "--format", "json"))
        counted = {(row["project"], row["resource"]): row["used"] for row in used}
        for owner in OWNERS:
            own = [image for image in images.values() if image["owner"] == owner]
            size = sum((image["size"] or 0) * len(image["locations"]) for image in own)
            self.assertEqual(len(own), counted[owner, "image_count_total"])
            self.assertEqual(size, counted[owner, "image_size_total"])

    def check_tasks(self, report):
        """Check that the tasks of imports are shown as Glance shows them."""
        tasks = self.glance.request("GET", "/v2/tasks?limit=100")["tasks"]
        self.assertEqual(len(tasks), report["tasks"]["added"])
        self.assertNotEqual([], tasks)
        for task in tasks:
            path = f"/v2/tasks/{task['id']}"
            theirs, own = self.glance.request("GET", path), self.show(path)
            for answer in (theirs, own):
                # Glance writes into its own input to which stores the copies go.
                answer["input"].pop("backend", None)
            self.assertEqual(theirs, own)

    def check_ids_are_taken(self, ids, images):
        """Check that no id of a deleted image can be given to a new one."""
        token = {"X-Auth-Token": self.ours.tokens["root"]}
        for key in [key for key in ids.values() if key not in images][:10]:
            error = self.assertRaises(
                AssertionError, call, f"{self.ours.url}/v2/images", "POST", {"id": key, "name": "again"}, token
            )
            self.assertIn(" 409 ", str(error))


class ThereAndBack(Moving):
    """Moves, changes both sides, moves again, and goes back."""

    def test_both_apis_show_the_same_after_each_run(self):
        ids = self.fill()
        rehearsed = self.migrate("--dry-run")
        self.assertEqual({}, self.all_images(self.show))
        before = self.rows_of_glance()
        report = self.migrate()
        self.assertEqual(before, self.rows_of_glance(), "the Glance database was changed")
        self.assertEqual({**rehearsed, "dry_run": False}, report)
        self.assertEqual({}, report["left_out"])
        images = self.check_same(ids)
        trash = self.count_trash()
        self.assertEqual(len(images) + trash, report["images"]["added"])
        self.assertEqual(len(ids), report["images"]["added"] + report["deleted_images"]["added"])
        self.check_usage(images)
        self.check_tasks(report)
        self.check_ids_are_taken(ids, images)
        again = self.migrate()
        self.assertEqual(report["images"]["added"], again["images"]["unchanged"])
        self.assertEqual(0, again["images"]["added"] + again["images"]["changed"])
        changed = self.change(ids, images)
        third = self.migrate()
        added = {"added": 1, "changed": len(changed) + 1}
        self.assertEqual(added, {key: third["images"][key] for key in added})
        images = self.check_same(ids, changed)
        self.check_usage(images)
        self.check_the_way_back(images)

    def check_the_way_back(self, images):
        """Check that a Glance on a new database shows the same images, data and namespace after an export."""
        space = self.glance.request("GET", NAMESPACE)
        self.glance.stop()
        self.glance.use(self.fresh_database(self.server))
        self.glance.sync()
        counts = json.loads(
            self.ours.manage("export", "--to-glance", "--config", self.glance.config_file, "--format", "json")
        )
        self.assertEqual(len(images) + self.count_trash(), counts["images"])
        self.glance.start()
        self.assertEqual({}, differences(images, self.all_images(lambda path: self.glance.request("GET", path))))
        for key, image in [each for each in images.items() if each[1]["status"] == "active"][:10]:
            data = self.glance.request("GET", f"/v2/images/{key}/file")
            self.assertEqual(image["checksum"], md5(data).hexdigest())
        self.assertEqual(space, self.glance.request("GET", NAMESPACE))


class FromOlderRelease(Moving):
    """Moves a few images from a release before the newest."""

    server = "postgresql"
    count = 24

    def test_images_of_an_older_release_are_taken_over(self):
        ids = self.fill()
        report = self.migrate()
        self.assertEqual({}, report["left_out"])
        images = self.check_same(ids)
        self.assertEqual(len(ids), report["images"]["added"] + report["deleted_images"]["added"])
        self.check_usage(images)
        self.check_tasks(report)


class TestFromPostgresql(ThereAndBack, ServiceTestCase):
    server = "postgresql"
    own_server = "postgresql"
    count = MANY


class TestFromMariadb(ThereAndBack, ServiceTestCase):
    server = "mariadb"


class TestFromRelease32(FromOlderRelease, ServiceTestCase):
    programs = "TEST_GLANCE_32_BIN"


class TestFromRelease31(FromOlderRelease, ServiceTestCase):
    programs = "TEST_GLANCE_31_BIN"
