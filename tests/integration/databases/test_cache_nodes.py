"""Two nodes with caches of their own and one database: what one changes, the other follows."""

import time
from concurrent.futures import ThreadPoolExecutor

import requests

from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.standalone.users import User, change_users
from tests.functional.faults import MIB, make_state
from tests.functional.test_cache import CacheServiceTest
from tests.http_server.running import eventually
from tests.integration.base import ServiceTestCase

ROUNDS = 10
MEMBER = {"X-Auth-Token": "anns-token"}


class TwoNodesTest(ServiceTestCase, CacheServiceTest):
    def setUp(self):
        super().setUp()
        url = self.fresh_database("postgresql")
        engine = make_engine(url)
        schema.sync(engine)
        engine.dispose()
        users = self.state / "users.json"
        member = User("ann").with_role("admin", ("member",)).with_token("anns-token", "admin")
        admin = User("root").with_role("admin", ("admin",)).with_token("admins-token", "admin")
        change_users(users, lambda found: found.add(member).add(admin))
        self.nodes = []
        for name in ("first", "second"):
            cache = {"image_cache_driver": "centralized_db", "worker_self_reference_url": f"http://{name}:9292"}
            shared = {"database": {"connection": url}, "authentication": {"users_file": users}}
            state = make_state(self.root / name, self.options(name, **cache), shared)
            self.add_web_store(state)
            self.nodes.append(self.start(state))

    def read(self, node, image):
        url = f"http://127.0.0.1:{node.port}/v2/images/{image}/file"
        return requests.get(url, headers=MEMBER, timeout=30)

    def admin(self, method, path, node=None, **arguments):
        """Send a request of an administrator to a node, by default the first one."""
        token, port = {"X-Auth-Token": "admins-token"}, (node or self.nodes[0]).port
        return requests.request(method, f"http://127.0.0.1:{port}{path}", headers=token, timeout=30, **arguments)

    def test_a_deactivated_image_is_served_by_no_node_and_leaves_both(self):
        image, data = self.locate(self, 3 * MIB)
        for node in self.nodes:
            self.assertEqual(data, self.read(node, image).content)
            self.assertEqual(data, self.read(node, image).content)
        self.assertEqual(2, self.gets())
        listed = f"/v2/cache/nodes/{image}"
        names = ["http://first:9292", "http://second:9292"]
        eventually(lambda: self.admin("GET", listed).json() == names, "both nodes are listed")
        self.assertEqual(204, self.admin("POST", f"/v2/images/{image}/actions/deactivate").status_code)
        changed = time.monotonic()
        self.assertEqual([403, 403], [self.read(node, image).status_code for node in self.nodes])
        self.assertLess(time.monotonic() - changed, 1)
        eventually(lambda: not list(self.root.glob("*-cache/images/*")), "the image leaves both caches")
        eventually(lambda: self.admin("GET", listed).json() == [], "no node is listed")

    def test_one_image_prefetched_and_evicted_by_both_at_once_is_always_whole(self):
        image, data = self.locate(self, 3 * MIB)
        path = f"/v2/cache/{image}"

        def change(number):
            """Return the statuses of calls to one node, and whether each read of it got all data."""
            node, statuses, whole = self.nodes[number % 2], set(), True
            for _ in range(ROUNDS):
                statuses.add(self.admin("PUT" if number < 4 else "DELETE", path, node).status_code)
                whole = whole and self.read(node, image).content == data
            return statuses, whole

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(change, range(8)))
        # An image that neither waits nor is cached is not there to be evicted.
        self.assertEqual(set(), set().union(*(statuses for statuses, _ in results)) - {202, 204, 404})
        self.assertEqual({True}, {whole for _, whole in results})
        for node in self.nodes:
            self.assertEqual(202, self.admin("PUT", path, node).status_code)
        for node in self.nodes:
            eventually(
                lambda node=node: self.admin("GET", "/v2/cache", node).json()["queued_images"] == [], "none waits"
            )
            eventually(lambda node=node: self.sizes(node) == {image: 3 * MIB}, "the image is cached")
            before = self.gets()
            self.assertEqual(data, self.read(node, image).content)
            self.assertEqual(before, self.gets())
        for node in self.nodes:
            self.admin("DELETE", path, node)
            eventually(lambda node=node: self.sizes(node) == {}, "the image has left")
        eventually(lambda: not list(self.root.glob("*-cache/images/*")), "nothing is left on a disk")

    def cache_of(self, node):
        return self.admin("GET", "/v2/cache", node).json()

    def sizes(self, node):
        return {each["image_id"]: each["size"] for each in self.cache_of(node)["cached_images"]}

    def create_image(self):
        body = {"name": "disk", "disk_format": "raw", "container_format": "bare"}
        return self.admin("POST", "/v2/images", json=body).json()["id"]

    def request(self, method, path, **arguments):
        return self.admin(method, path, **arguments)
