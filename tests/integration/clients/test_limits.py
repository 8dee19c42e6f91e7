"""Limits that are registered in the real Keystone, enforced by a served process through oslo.limit."""

from concurrent.futures import ThreadPoolExecutor

from tests.http_server.running import eventually
from tests.integration.clients.test_clients_keystone import KeystoneTestCase

MIB = 1024 * 1024
LIMITS = {"image_size_total": 4, "image_stage_total": 4, "image_count_total": 5, "image_count_uploading": 3}

UNIFIED = """
[DEFAULT]
use_keystone_limits = true
[oslo_limit]
endpoint_service_name = {service}
endpoint_region_name = {region}
endpoint_interface = public
region_name = {region}
valid_interfaces = public
system_scope = all
{credentials}
"""

STAGING = """
[DEFAULT]
node_staging_uri = file://$state_directory/staging
[task]
work_dir = $state_directory/work
[workers]
poll_interval = 0.2
"""


class LimitsTestCase(KeystoneTestCase):
    """An image service that takes its limits from Keystone."""

    def start_limited(self, limits=LIMITS, service="glance", more=""):
        """Start a service whose region has these registered limits; ``more`` is further
        configuration, of [oslo_limit] first."""

        def configuration(cloud):
            for name, limit in limits.items():
                self._register(cloud, name, limit)
            self._let_the_service_read_limits(cloud)
            return UNIFIED.format(credentials=cloud.credentials(), service=service, region=cloud.region) + more

        self.start(configuration)

    def _register(self, cloud, name, limit):
        place = {"service_id": cloud.image_service.id, "region_id": cloud.region}
        made = cloud.identity.create_registered_limit(resource_name=name, default_limit=limit, **place)
        cloud.addCleanup(cloud.identity.delete_registered_limit, made)

    def _let_the_service_read_limits(self, cloud):
        user, role = cloud.identity.find_user("glance"), cloud.identity.find_role("reader")
        cloud.identity.assign_system_role_to_user(user, role, "all")

    def usage(self, user):
        """Return what the user's project uses, by resource."""
        return self.request(user, "GET", "/v2/info/usage").json()["usage"]

    def stage(self, user, image, size):
        """Return the status of the answer to ``size`` staged bytes."""
        headers = {"Content-Type": "application/octet-stream"}
        return self.status(user, "PUT", f"/v2/images/{image}/stage", data=b"x" * size, headers=headers)

    def count(self, user):
        """Return how many images the user sees."""
        return len(self.request(user, "GET", "/v2/images").json()["images"])


class UnifiedLimitsTest(LimitsTestCase):
    def test_usage_is_shown_with_limits_in_mib_and_counts(self):
        self.start_limited()
        image = self.create("alice")
        self.assertEqual(204, self.upload("alice", image, b"x" * 2 * MIB).status_code)
        self.assertEqual(
            {
                "image_size_deleted": {"usage": 0, "limit": -1},
                "image_size_total": {"usage": 2, "limit": 4},
                "image_stage_total": {"usage": 0, "limit": 4},
                "image_count_total": {"usage": 1, "limit": 5},
                "image_count_uploading": {"usage": 0, "limit": 3},
            },
            self.usage("alice"),
        )
        self.assertEqual({"usage": 0, "limit": 4}, self.usage("bob")["image_size_total"])

    def test_twenty_creates_at_once_leave_exactly_as_many_images_as_there_is_room_for(self):
        self.start_limited(more="[server]\nworkers = 2\n")
        self.running.headers("alice")
        with ThreadPoolExecutor(20) as pool:
            answers = pool.map(lambda number: self.status("alice", "POST", "/v2/images", json={}), range(20))
        self.assertEqual([201] * 5 + [413] * 15, sorted(answers))
        self.assertEqual(5, self.count("alice"))
        self.assertEqual(201, self.status("bob", "POST", "/v2/images", json={}))

    def test_bytes_of_known_and_unknown_number_are_bounded_and_given_back(self):
        self.start_limited()
        first, second = self.create("alice"), self.create("alice")
        self.assertEqual(204, self.upload("alice", first, b"x" * 3 * MIB).status_code)
        for data in (b"x" * 2 * MIB, iter([b"x" * MIB] * 2)):
            self.assertEqual(413, self.upload("alice", second, data).status_code)
            self.assertEqual("queued", self.request("alice", "GET", f"/v2/images/{second}").json()["status"])
        self.assertEqual(204, self.status("alice", "DELETE", f"/v2/images/{first}"))
        self.assertEqual(204, self.upload("alice", second, iter([b"x" * MIB] * 4)).status_code)

    def test_uploads_at_once_are_bounded(self):
        self.start_limited({**LIMITS, "image_count_uploading": 0})
        self.assertEqual(413, self.upload("alice", self.create("alice"), b"x").status_code)

    def test_limit_of_one_project_goes_before_the_registered_one(self):
        self.start_limited()
        identity = self.cloud.identity
        made = identity.create_limit(
            service_id=self.cloud.image_service.id,
            region_id=self.cloud.region,
            project_id=self.cloud.project_id("bob"),
            resource_name="image_count_total",
            resource_limit=1,
        )
        self.cloud.addCleanup(identity.delete_limit, made)
        answers = [self.status("bob", "POST", "/v2/images", json={}) for _ in range(2)]
        self.assertEqual([201, 413], answers)
        self.assertEqual({"usage": 1, "limit": 1}, self.usage("bob")["image_count_total"])

    def test_staged_bytes_are_bounded_shown_and_given_back(self):
        self.start_limited(more=STAGING)
        first, second = self.create("alice"), self.create("alice")
        self.assertEqual(204, self.stage("alice", first, 3 * MIB))
        self.assertEqual({"usage": 3, "limit": 4}, self.usage("alice")["image_stage_total"])
        self.assertEqual(413, self.stage("alice", second, 2 * MIB))
        self.assertEqual("queued", self.request("alice", "GET", f"/v2/images/{second}").json()["status"])
        self.assertEqual(204, self.stage("bob", self.create("bob"), 2 * MIB))
        self.assertEqual(204, self.status("alice", "DELETE", f"/v2/images/{first}"))
        self.assertEqual(204, self.stage("alice", second, 4 * MIB))
        self.assertEqual({"usage": 4, "limit": 4}, self.usage("alice")["image_stage_total"])

    def task(self, path):
        """Return the only task of an image."""
        (task,) = self.request("alice", "GET", f"{path}/tasks").json()["tasks"]
        return task

    def test_import_needs_room_among_the_stored_bytes(self):
        self.start_limited(more=STAGING)
        stored, staged = self.create("alice"), self.create("alice")
        self.assertEqual(204, self.upload("alice", stored, b"x" * 2 * MIB).status_code)
        self.assertEqual(204, self.stage("alice", staged, 3 * MIB))
        wanted = {"method": {"name": "glance-direct"}}
        path = f"/v2/images/{staged}"
        self.assertEqual(202, self.status("alice", "POST", f"{path}/import", json=wanted))
        eventually(lambda: self.task(path)["status"] == "failure", "the import has failed")
        task = self.task(path)
        self.assertEqual("queued", self.request("alice", "GET", path).json()["status"])
        self.assertIn("The limit for image_size_total is 4194304", task["message"])
        usage = self.usage("alice")
        self.assertEqual((2, 0), (usage["image_size_total"]["usage"], usage["image_stage_total"]["usage"]))
        self.assertEqual(204, self.status("alice", "DELETE", f"/v2/images/{stored}"))
        self.assertEqual(204, self.stage("alice", staged, 3 * MIB))
        self.assertEqual(202, self.status("alice", "POST", f"{path}/import", json=wanted))
        eventually(lambda: self.usage("alice")["image_size_total"]["usage"] == 3, "the import has ended")
        self.assertEqual(0, self.usage("alice")["image_stage_total"]["usage"])

    def test_limits_of_minus_one_bound_nothing(self):
        self.start_limited(dict.fromkeys(LIMITS, -1))
        for _ in range(7):
            self.assertEqual(204, self.upload("alice", self.create("alice"), b"x" * MIB).status_code)
        usage = self.usage("alice")
        self.assertEqual({-1}, {each["limit"] for each in usage.values()})
        self.assertEqual((7, 7), (usage["image_size_total"]["usage"], usage["image_count_total"]["usage"]))


class BrokenLimitsTest(LimitsTestCase):
    def test_limit_that_is_not_registered_leaves_no_room(self):
        self.start_limited({name: LIMITS[name] for name in LIMITS if name != "image_count_total"})
        self.assertEqual(413, self.status("alice", "POST", "/v2/images", json={}))

    def test_service_that_is_not_in_the_catalog_is_an_error_and_no_silent_pass(self):
        self.start_limited(service="no-such-service")
        self._assert_nothing_is_made()

    def test_service_that_may_not_log_in_is_an_error_and_no_silent_pass(self):
        self.start_limited(more="password = mistyped\n")
        self._assert_nothing_is_made()

    def _assert_nothing_is_made(self):
        for _ in range(2):
            self.assertEqual(500, self.status("alice", "POST", "/v2/images", json={}))
        self.assertEqual(500, self.status("alice", "GET", "/v2/info/usage"))
        self.assertEqual(0, self.count("alice"))
        log = self.running.served.log.read_text()
        self.assertIn("Unexpected error", log)
        self.assertNotIn("mistyped", log)
