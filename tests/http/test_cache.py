"""The cache of a node through the API: reads, ranges, visibility, and the calls that manage it (api-cache)."""

import os
import threading
from pathlib import Path

import fixtures

from glance_mini.bootstrap import open_cache_keeper
from tests.counting_store import CountingDriver
from tests.http.client import DATA_TYPE, ApplicationTest

MIB = 1024 * 1024


class CacheTest(ApplicationTest):
    """An application with a cache, and a store that counts what is read from it."""

    driver_name = "sqlite"

    def settings(self):
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)
        own = {
            "image_cache_dir": self.directory,
            "image_cache_driver": self.driver_name,
            "image_cache_max_size": 64 * MIB,
            "worker_self_reference_url": "http://node1:9292",
        }
        return {**self.options, "DEFAULT": {**self.options.get("DEFAULT", {}), **own}}

    def setUp(self):
        super().setUp()
        self.store = CountingDriver()
        self.service.services.stores.default.driver = self.store
        self.cache = self.service.services.cache
        self.keeper = open_cache_keeper(self.service.conf, self.service.services, self.cache)
        self.addCleanup(self.keeper.close)

    def upload(self, size=3 * MIB + 5, **values):
        data = os.urandom(size)
        image_id = self.create(**values)
        answer = self.send("PUT", f"/v2/images/{image_id}/file", data, Content_Type=DATA_TYPE)
        self.assertEqual(204, answer.status_int, answer.text)
        return image_id, data

    def download(self, image_id, caller="member", **headers):
        answer = self.send("GET", f"/v2/images/{image_id}/file", caller=caller, **headers)
        self.assertIsNotNone(answer.body)
        self.wait_for_fills()
        return answer

    def manage(self, method, path, status=200, caller="admin", **headers):
        answer = self.send(method, path, caller=caller, **headers)
        self.assertEqual(status, answer.status_int, answer.text)
        return answer

    def cached(self):
        return {each["image_id"]: each for each in self.manage("GET", "/v2/cache").json["cached_images"]}

    def data_file(self, image_id):
        [path] = self.directory.glob(f"images/{image_id}.*/data")
        return path

    def wait_for_fills(self):
        for thread in threading.enumerate():
            if thread.name == "cache-fill":
                thread.join(10)


class TestReads(CacheTest):
    def test_a_second_read_costs_no_store_call(self):
        image_id, data = self.upload()
        first, second = self.download(image_id), self.download(image_id)
        self.assertEqual((data, data), (first.body, second.body))
        self.assertEqual([(0, None)], self.store.reads)
        for name in ("Content-Type", "Content-Length", "Content-MD5"):
            self.assertEqual(first.headers[name], second.headers[name])

    def test_a_range_of_cached_data_costs_no_store_call(self):
        image_id, data = self.upload()
        self.download(image_id)
        answer = self.download(image_id, Range=f"bytes={MIB - 7}-{2 * MIB + 9}")
        self.assertEqual((206, data[MIB - 7 : 2 * MIB + 10]), (answer.status_int, answer.body))
        self.assertEqual(1, len(self.store.reads))

    def test_a_range_caches_its_blocks_only(self):
        image_id, data = self.upload()
        for _ in range(2):
            self.assertEqual(data[MIB + 1 : MIB + 8], self.download(image_id, Range=f"bytes={MIB + 1}-{MIB + 7}").body)
        self.assertEqual([(MIB, MIB)], self.store.reads)
        self.assertEqual({}, self.cached())

    def test_a_part_is_completed_and_never_served_as_the_whole(self):
        image_id, data = self.upload()
        self.download(image_id, Range=f"bytes={MIB}-{2 * MIB - 1}")
        self.assertEqual(data, self.download(image_id).body)
        self.assertEqual([(MIB, MIB), (0, MIB), (2 * MIB, MIB + 5)], self.store.reads)
        self.assertEqual(data, self.download(image_id).body)
        self.assertEqual(3, len(self.store.reads))

    def test_the_last_bytes(self):
        image_id, data = self.upload()
        for _ in range(2):
            self.assertEqual(data[-9:], self.download(image_id, Range="bytes=-9").body)
        self.assertEqual(1, len(self.store.reads))

    def test_an_image_larger_than_the_cache_is_read_from_its_store(self):
        image_id, data = self.upload(65 * MIB)
        for _ in range(2):
            self.assertEqual(data, self.download(image_id).body)
        self.assertEqual(2, len(self.store.reads))

    def test_an_image_without_data(self):
        self.assertEqual(204, self.download(self.create()).status_int)

    def test_an_empty_image(self):
        image_id, _ = self.upload(0)
        self.assertEqual((200, b""), (self.download(image_id).status_int, self.download(image_id).body))

    def test_a_failing_store_answers_as_without_a_cache(self):
        image_id, _ = self.upload()
        self.store.fails_at = 0
        self.assertEqual(503, self.download(image_id).status_int)


class TestWhoMayRead(CacheTest):
    def test_policy_and_visibility_are_asked_on_a_hit(self):
        image_id, _ = self.upload(visibility="private")
        self.download(image_id)
        self.assertEqual(404, self.download(image_id, caller="other").status_int)
        self.assertEqual(403, self.download(image_id, caller="reader").status_int)

    def test_a_deactivated_image_is_refused_and_removed(self):
        image_id, data = self.upload()
        self.download(image_id)
        self.send("POST", f"/v2/images/{image_id}/actions/deactivate", caller="admin")
        self.assertEqual([], os.listdir(self.directory / "images"))
        self.assertEqual(403, self.download(image_id).status_int)
        self.assertEqual(data, self.download(image_id, caller="admin").body)
        self.assertEqual([], os.listdir(self.directory / "images"))

    def test_a_deleted_image_is_removed(self):
        image_id, _ = self.upload()
        self.download(image_id)
        self.send("DELETE", f"/v2/images/{image_id}")
        self.assertEqual([], os.listdir(self.directory / "images"))
        self.assertEqual(404, self.download(image_id).status_int)


class TestCalls(CacheTest):
    def test_versions(self):
        listed = {each["id"]: each["status"] for each in self.send("GET", "/versions").json["versions"]}
        self.assertEqual("CURRENT", listed["v2.18"])
        self.assertLessEqual({"v2.14", "v2.16", "v2.17"}, listed.keys())

    def test_list(self):
        image_id, data = self.upload()
        self.download(image_id)
        self.download(image_id)
        entry = self.cached()[image_id]
        self.assertEqual((image_id, 1, len(data)), (entry["image_id"], entry["hits"], entry["size"]))
        self.assertEqual({float}, {type(entry[name]) for name in ("last_accessed", "last_modified")})

    def test_queue(self):
        image_id, data = self.upload()
        self.manage("PUT", f"/v2/cache/{image_id}", 202)
        self.assertEqual([image_id], self.manage("GET", "/v2/cache").json["queued_images"])
        self.keeper.fetch()
        self.assertEqual([], self.manage("GET", "/v2/cache").json["queued_images"])
        self.assertEqual([image_id], list(self.cached()))
        self.assertEqual(data, self.download(image_id).body)
        self.assertEqual(1, len(self.store.reads))

    def test_queue_of_unknown_and_inactive_images(self):
        self.manage("PUT", "/v2/cache/00000000-0000-0000-0000-000000000000", 404)
        self.manage("PUT", f"/v2/cache/{self.create()}", 400)

    def test_delete(self):
        image_id, _ = self.upload()
        self.download(image_id)
        self.manage("DELETE", f"/v2/cache/{image_id}", 204)
        self.assertEqual({}, self.cached())
        self.manage("DELETE", f"/v2/cache/{image_id}", 204)
        self.manage("DELETE", "/v2/cache/00000000-0000-0000-0000-000000000000", 404)

    def test_clear(self):
        first, second = self.upload()[0], self.upload()[0]
        for target, left in (("cache", (0, 1)), ("queue", (1, 0)), (None, (0, 0))):
            self.download(first)
            self.manage("PUT", f"/v2/cache/{second}", 202)
            headers = {"x-image-cache-clear-target": target} if target else {}
            self.manage("DELETE", "/v2/cache", 204, **headers)
            shown = self.manage("GET", "/v2/cache").json
            self.assertEqual(left, (len(shown["cached_images"]), len(shown["queued_images"])))
        self.manage("DELETE", "/v2/cache", 400, **{"x-image-cache-clear-target": "all"})

    def test_clean_and_prune(self):
        image_id, _ = self.upload()
        self.download(image_id)
        self.assertEqual(b"", self.manage("POST", "/v2/cache/clean").body)
        self.cache.directory.limit = MIB
        pruned = self.manage("POST", "/v2/cache/prune").json
        self.assertEqual(1, pruned["total_files_pruned"])
        self.assertGreater(pruned["total_bytes_pruned"], 3 * MIB)
        self.assertEqual({}, self.cached())

    def test_nodes_are_known_only_centrally(self):
        image_id, _ = self.upload()
        self.manage("GET", f"/v2/cache/nodes/{image_id}", 409)

    def test_older_calls(self):
        image_id, data = self.upload()
        self.download(image_id)
        shown = self.manage("GET", "/v2/cached_images").json["cached_images"]
        self.assertEqual([(image_id, len(data))], [(each["image_id"], each["size"]) for each in shown])
        self.manage("PUT", f"/v2/queued_images/{image_id}")
        self.assertEqual({"queued_images": [image_id]}, self.manage("GET", "/v2/queued_images").json)
        self.manage("DELETE", f"/v2/queued_images/{image_id}")
        self.assertEqual({"num_deleted": 0}, self.manage("DELETE", "/v2/queued_images").json)
        self.manage("DELETE", f"/v2/cached_images/{image_id}")
        self.download(image_id)
        self.assertEqual({"num_deleted": 1}, self.manage("DELETE", "/v2/cached_images").json)

    def test_all_calls_are_for_administrators(self):
        image_id, _ = self.upload()
        for method, path in [
            *(("GET", "/v2/cache"), ("DELETE", "/v2/cache"), ("POST", "/v2/cache/clean"), ("POST", "/v2/cache/prune")),
            *(("PUT", f"/v2/cache/{image_id}"), ("DELETE", f"/v2/cache/{image_id}")),
            *(("GET", "/v2/cached_images"), ("DELETE", "/v2/cached_images"), ("GET", "/v2/queued_images")),
            *(("PUT", f"/v2/queued_images/{image_id}"), ("DELETE", f"/v2/cached_images/{image_id}")),
            ("GET", f"/v2/cache/nodes/{image_id}"),
        ]:
            self.assertEqual(403, self.send(method, path).status_int, (method, path))


class TestCentralDatabase(CacheTest):
    driver_name = "centralized_db"

    def test_nodes(self):
        image_id, _ = self.upload()
        self.assertEqual([], self.manage("GET", f"/v2/cache/nodes/{image_id}").json)
        self.download(image_id)
        self.keeper.check()
        self.assertEqual(["http://node1:9292"], self.manage("GET", f"/v2/cache/nodes/{image_id}").json)
        self.manage("GET", "/v2/cache/nodes/00000000-0000-0000-0000-000000000000", 404)


class TestWithoutCache(ApplicationTest):
    def test_policy_comes_before_the_answer_that_there_is_none(self):
        for caller, status in (("admin", 404), ("member", 403)):
            for path in ("/v2/cache", "/v2/cached_images"):
                self.assertEqual(status, self.send("GET", path, caller=caller).status_int)
        listed = {each["id"] for each in self.send("GET", "/versions").json["versions"]}
        self.assertEqual(set(), listed & {"v2.14", "v2.16", "v2.18"})
