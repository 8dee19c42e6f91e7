"""Imports by calls alone, with the worker that does them (api-imports, api-quirks-clients)."""

import json
from typing import Any

from keystoneauth1.fixture import V3Token
from keystonemiddleware.fixture import AuthTokenFixture
from sqlalchemy import text

from glance_mini_store import errors
from glance_mini_store.drivers.memory import MemoryDriver
from tests.http.client import DATA_TYPE
from tests.http.working import BODY, DONE, Watched, WorkingTest, digest
from tests.unit.jobs.support import Interrupted
from tests.unit.store.web import Page

UNKNOWN = "11111111-2222-3333-4444-555555555555"


class FullDriver(MemoryDriver):
    """A store without room."""

    def write(self, name: str, chunks: Any, size: int | None = None) -> Any:
        raise errors.StorageFull(reason="there is no room")


class ImportsTest(WorkingTest):
    def assertImported(self, image: dict[str, Any], stores: str = "fast") -> None:
        """Fail unless the image has the data of BODY in the stores, a list with commas, and nothing else."""
        self.assertEqual(("active", stores), (image["status"], image.get("stores")))
        self.assertEqual((len(BODY), digest("md5")), (image["size"], image["checksum"]))
        self.assertEqual(("sha512", digest("sha512")), (image["os_hash_algo"], image["os_hash_value"]))
        self.assertEqual(DONE, self.progress(image))
        self.assertEqual(BODY, self.data(image["id"]))

    def assertUndone(self, image: dict[str, Any], failed: str = "fast") -> str:
        """Fail unless an image that never had data has none after its import; return what the task says."""
        self.assertEqual(("queued", None, None), (image["status"], image["size"], image.get("stores")))
        self.assertEqual((None, "", failed), self.progress(image))
        self.assertEqual([0, 0], self.kept("fast", "cheap"))
        (task,) = self.tasks(image["id"])
        self.assertEqual(("failure", None), (task["status"], task["result"]))
        return str(task["message"])

    def fill(self, store: str) -> None:
        """Let a store have no room any more."""
        self.service.services.stores.get(store).driver = FullDriver(store)


class TestMethods(ImportsTest):
    """Each method to success, by calls alone. glance-download: ``TestGlanceDownload``."""

    def test_glance_direct(self) -> None:
        image_id = self.create()
        self.stage(image_id)
        self.assertImported(self.run_import(image_id, "glance-direct"))
        self.assertEqual([], list((self.service.folder / "staging").iterdir()))

    def test_tasks_of_an_image_come_in_pages_and_the_oldest_first(self) -> None:
        image_id = self.create()
        for number in range(3):
            self.run_import(image_id, self.from_web(f"/absent{number}"))
        tasks, path = [], f"/v2/images/{image_id}/tasks?limit=2"
        while path:
            page = self.send("GET", path).json
            tasks.append([task["input"]["import_req"]["method"]["uri"][-1] for task in page["tasks"]])
            path = page.get("next")
        self.assertEqual([["0", "1"], ["2"]], tasks)
        self.assertNotIn("next", self.send("GET", f"/v2/images/{image_id}/tasks").json)
        for query in ("limit=-1", "limit=x", "marker=x", f"marker={UNKNOWN}"):
            self.assertEqual(400, self.send("GET", f"/v2/images/{image_id}/tasks?{query}").status_int, query)

    def test_web_download(self) -> None:
        self.assertImported(self.run_import(self.create(), self.from_web()))

    def test_copy_image(self) -> None:
        image_id = self.uploaded()
        image = self.run_import(image_id, "copy-image", caller="admin", stores=["cheap"])
        self.assertImported(image, "cheap,fast")
        self.assertEqual([1, 1], self.kept("fast", "cheap"))


class TestGlanceDownload(WorkingTest):
    """The method glance-download, with a token of Keystone, whose catalogue names the other service."""

    options = {
        "DEFAULT": {"enabled_import_methods": "glance-download"},
        "paste_deploy": {"flavor": "keystone"},
        "keystone_authtoken": {"www_authenticate_uri": "http://127.0.0.1:1/v3", "auth_type": "none"},
    }

    def setUp(self) -> None:
        super().setUp()
        token = V3Token(user_id="u1", project_id="p1")
        for role in ("member", "reader"):
            token.add_role(role)
        image_service = token.add_service("image")
        image_service.add_standard_endpoints(public=self.web.url("/v2"), internal=self.web.url("/none"), region="R2")
        keystone = self.useFixture(AuthTokenFixture())
        for caller in ("member", "admin"):
            keystone.add_token(token, token_id=caller)
        self.method = {"name": "glance-download", "glance_region": "R2", "glance_image_id": UNKNOWN}
        self.record = {
            "id": UNKNOWN,
            "status": "active",
            "size": len(BODY),
            "disk_format": "raw",
            "container_format": "bare",
            "checksum": digest("md5"),
            "hw_disk_bus": "scsi",
            "trait:HW_CPU": "required",
            "os_distro": "leap",
            "color": "red",
        }
        self.web.pages[f"/v2/images/{UNKNOWN}/file"] = Page(BODY)

    def take(self, **record: object) -> dict[str, Any]:
        """Return a new image after its import from an image with that ``record``."""
        self.web.pages[f"/v2/images/{UNKNOWN}"] = Page(json.dumps(self.record | record).encode())
        return self.run_import(self.create(disk_format="iso"), self.method)

    def test_data_formats_and_some_properties_come_with_the_callers_own_token(self) -> None:
        image = self.take()
        self.assertEqual(("active", "raw", digest("sha512")), tuple(image[n] for n in ("status", *_TAKEN)))
        self.assertEqual(("scsi", "required", "leap"), tuple(image[n] for n in _PROPERTIES))
        self.assertNotIn("color", image)
        self.assertEqual(BODY, self.data(image["id"]))
        self.assertEqual({"member"}, {asked.headers["X-Auth-Token"] for asked in self.web.asked})

    def test_an_image_that_is_not_active_or_of_another_size_leaves_nothing_of_itself(self) -> None:
        for record in ({"status": "deactivated"}, {"size": len(BODY) - 1}, {"checksum": "0" * 32}):
            image = self.take(**record)
            self.assertEqual(("queued", "iso", None), tuple(image[n] for n in ("status", *_TAKEN)))
            self.assertNotIn("hw_disk_bus", image)
            self.assertEqual((None, "", "fast"), self.progress(image))
            self.assertEqual([0], self.kept("fast"))

    def test_a_region_or_an_interface_that_the_catalogue_does_not_know_fails_as_a_task(self) -> None:
        for unknown in ({"glance_region": "R3"}, {"glance_service_interface": "admin"}):
            image = self.run_import(self.create(hw_cpu_cores="1"), self.method | unknown)
            self.assertEqual(("queued", "1"), (image["status"], image["hw_cpu_cores"]))
            (task,) = self.send("GET", f"/v2/images/{image['id']}/tasks").json["tasks"]
            self.assertEqual("failure", task["status"])
            self.assertIn("service catalogue has no", task["message"])
        self.assertEqual([], self.web.asked)


class TestRefusedAddresses(ImportsTest):
    """What only shows when the data is fetched. The addresses themselves: ``import.yaml``."""

    def test_redirects_to_what_is_refused_fail_the_import(self) -> None:
        for address in (
            "http://169.254.169.254/latest",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://127.0.0.1:22/",
            "http://10.0.0.1/disk",
            "file:///etc/passwd",
            "ftp://127.0.0.1/disk",
        ):
            self.web.pages["/away"] = Page(redirect=address)
            message = self.assertUndone(self.run_import(self.create(), self.from_web("/away")))
            self.assertIn("filtering", message, address)

    def test_a_redirect_to_what_is_allowed_is_followed(self) -> None:
        self.web.pages["/away"] = Page(redirect=self.web.url("/disk"))
        self.assertImported(self.run_import(self.create(), self.from_web("/away")))

    def test_what_the_server_does_not_have_fails_the_import(self) -> None:
        self.assertIn("404", self.assertUndone(self.run_import(self.create(), self.from_web("/none"))))


class TestStores(ImportsTest):
    """Which stores get the data. What is refused: ``import.yaml``."""

    def test_all_stores_are_those_that_can_be_written(self) -> None:
        image = self.run_import(self.create(), self.from_web(), all_stores=True)
        self.assertImported(image, "cheap,fast")
        self.assertEqual([1, 1], self.kept("fast", "cheap"))
        self.assertEqual(["fast", "cheap"], self.tasks(image["id"])[0]["input"]["backend"])

    def test_one_store_in_body_and_header_is_that_store(self) -> None:
        image_id = self.create()
        body = {"method": self.from_web(), "stores": ["cheap"]}
        answer = self.send("POST", f"/v2/images/{image_id}/import", body, X_Image_Meta_Store="cheap")
        self.assertEqual(202, answer.status_int, answer.text)
        self.work()
        self.assertImported(self.show(image_id), "cheap")
        self.assertEqual([0, 1], self.kept("fast", "cheap"))

    def test_a_copy_to_all_stores_goes_to_those_that_have_none(self) -> None:
        image_id = self.uploaded()
        self.assertImported(self.run_import(image_id, "copy-image", "admin", all_stores=True), "cheap,fast")
        self.assertEqual(["cheap"], self.tasks(image_id)[0]["input"]["backend"])

    def test_a_copy_that_is_everywhere_begins_nothing(self) -> None:
        image_id = self.uploaded()
        before = self.run_import(image_id, "copy-image", "admin", all_stores=True)
        after = self.run_import(image_id, "copy-image", "admin", all_stores=True, all_stores_must_succeed=False)
        self.assertEqual((before, 1), (after, len(self.tasks(image_id))))
        self.assertEqual([1, 1], self.kept("fast", "cheap"))

    def test_a_copy_as_nova_asks_for_it(self) -> None:
        """As nova copies: one store, and each failure has a status of its own (api-quirks-clients)."""
        image_id = self.uploaded()
        body = {"stores": ["cheap"], "all_stores": False, "all_stores_must_succeed": False}
        self.assertEqual(404, self.import_image(UNKNOWN, "copy-image", "admin", **body).status_int)
        self.assertEqual(403, self.import_image(image_id, "copy-image", "member", **body).status_int)
        self.assertImported(self.run_import(image_id, "copy-image", "admin", **body), "cheap,fast")
        self.assertEqual(400, self.import_image(image_id, "copy-image", "admin", **body).status_int)


class TestFailingStores(ImportsTest):
    """One of two stores fails. Data from the web, data of the image, both settings."""

    def test_all_is_undone_where_all_must_succeed(self) -> None:
        for full in ("fast", "cheap"):
            stores = self.service.services.stores
            before = stores.get(full).driver
            self.fill(full)
            self.assertUndone(self.run_import(self.create(), self.from_web(), stores=["fast", "cheap"]), "fast,cheap")
            stores.get(full).driver = before

    def test_one_is_enough_where_that_was_said(self) -> None:
        self.fill("cheap")
        values = {"stores": ["cheap", "fast"], "all_stores_must_succeed": False}
        image = self.run_import(self.create(), self.from_web(), **values)
        self.assertEqual(("active", "fast"), (image["status"], image["stores"]))
        self.assertEqual((None, "", "cheap"), self.progress(image))
        self.assertEqual(BODY, self.data(image["id"]))
        (task,) = self.tasks(image["id"])
        self.assertEqual(("success", {"image_id": image["id"]}), (task["status"], task["result"]))

    def test_where_none_works_the_image_is_queued_again(self) -> None:
        self.fill("fast")
        self.fill("cheap")
        values = {"stores": ["cheap", "fast"], "all_stores_must_succeed": False}
        self.assertUndone(self.run_import(self.create(), self.from_web(), **values), "cheap,fast")

    def test_a_copy_that_fails_leaves_the_image_active_and_says_where_it_failed(self) -> None:
        self.fill("cheap")
        for must_succeed in (True, False):
            image_id = self.uploaded()
            values = {"stores": ["cheap"], "all_stores_must_succeed": must_succeed}
            image = self.run_import(image_id, "copy-image", "admin", **values)
            self.assertEqual(("active", "fast"), (image["status"], image["stores"]))
            self.assertEqual((None, "", "cheap"), self.progress(image))
            self.assertEqual("failure", self.tasks(image_id)[0]["status"])


class TestLock(ImportsTest):
    """One import at a time; the lock of a dead one is broken (api-imports-lock)."""

    def setUp(self) -> None:
        super().setUp()
        self.image_id = self.uploaded()

    def copy(self) -> int:
        """Return the status of the answer to a copy to ``cheap``."""
        return int(self.import_image(self.image_id, "copy-image", "admin", stores=["cheap"]).status_int)

    def let_pass(self, minutes: int) -> None:
        """Make all jobs look as they would after that time without a word from a worker."""
        columns = ", ".join(
            f"{name} = datetime({name}, '-{minutes} minutes')" for name in ("updated_at", "lease_until")
        )
        with self.service.backend.engine.begin() as connection:
            connection.execute(text(f"UPDATE jobs SET {columns}"))

    def test_a_second_import_is_refused_while_one_waits(self) -> None:
        self.assertEqual(202, self.copy())
        self.assertEqual(409, self.copy())
        self.let_pass(119)
        self.assertEqual(409, self.copy())
        self.work()
        self.assertImported(self.show(self.image_id), "cheap,fast")

    def test_the_lock_of_one_that_nobody_begins_is_broken_after_two_hours(self) -> None:
        self.copy()
        self.let_pass(121)
        self.assertEqual(202, self.copy())
        lock = self.show(self.image_id)["os_glance_import_task"]
        self.assertEqual(
            [("failure", False), ("pending", True)],
            [(task["status"], task["id"] == lock) for task in self.tasks(self.image_id)],
        )
        self.work()
        self.assertImported(self.show(self.image_id), "cheap,fast")
        self.assertEqual(["failure", "success"], [task["status"] for task in self.tasks(self.image_id)])

    def test_a_worker_whose_lock_was_broken_stops_and_leaves_nothing(self) -> None:
        asked: list[int] = []

        def take_over() -> None:
            self.let_pass(59)
            asked.append(self.copy())
            self.let_pass(2)
            asked.append(self.copy())

        self.copy()
        slow = Interrupted(self.job_types["api_image_import"], checks=1, stop=take_over)
        self.worker(api_image_import=slow).run_one()
        self.assertEqual([409, 202], asked)
        self.assertEqual([1, 0], self.kept("fast", "cheap"))
        self.work()
        self.assertImported(self.show(self.image_id), "cheap,fast")
        self.assertEqual([1, 1], self.kept("fast", "cheap"))


class TestProgress(ImportsTest):
    """What clients and Tempest wait for (api-images-tasks, api-imports-progress, api-quirks-progress)."""

    def import_and_look(self, image_id: str, method: Any, caller: str, **body: Any) -> dict[str, Any]:
        """Return the one task of the image after the import, which must be that of the request."""
        answer = self.import_image(image_id, method, caller, **body)
        self.assertEqual(202, answer.status_int, answer.text)
        self.work()
        (task,) = self.tasks(image_id)
        self.assertEqual(answer.headers["x-openstack-request-id"], task["request_id"])
        return task

    def test_an_import_ends_with_both_keys_empty_and_one_task(self) -> None:
        image_id = self.create()
        method = self.from_web()
        values = {"stores": ["fast", "cheap"], "all_stores_must_succeed": False}
        task = self.import_and_look(image_id, method, "member", **values)
        self.assertEqual(DONE, self.progress(self.show(image_id)))
        self.assertLess(task["created_at"], task["updated_at"])
        self.assertLess(task["updated_at"], task["expires_at"])
        expected = {
            "id": task["id"],
            "image_id": image_id,
            "request_id": task["request_id"],
            "user_id": "member",
            "type": "api_image_import",
            "status": "success",
            "owner": "p1",
            "expires_at": task["expires_at"],
            "created_at": task["created_at"],
            "updated_at": task["updated_at"],
            "deleted_at": None,
            "deleted": False,
            "input": {
                "image_id": image_id,
                "import_req": {"method": method, **values},
                "backend": ["fast", "cheap"],
            },
            "result": {"image_id": image_id},
            "message": task["message"],
        }
        self.assertEqual(expected, task)

    def test_a_copy_ends_with_both_keys_empty_and_one_task(self) -> None:
        image_id = self.uploaded()
        task = self.import_and_look(image_id, "copy-image", "admin", all_stores=True)
        self.assertEqual(DONE, self.progress(self.show(image_id)))
        self.assertEqual(("success", "copy-image"), (task["status"], task["input"]["import_req"]["method"]["name"]))

    def test_a_failure_ends_with_its_stores_and_one_task_that_says_why(self) -> None:
        image_id = self.create()
        task = self.import_and_look(image_id, self.from_web("/none"), "member", stores=["cheap", "fast"])
        self.assertEqual((None, "", "cheap,fast"), self.progress(self.show(image_id)))
        self.assertEqual(("failure", None), (task["status"], task["result"]))
        self.assertNotEqual("", task["message"])
        self.assertIsNotNone(task["expires_at"])

    def test_an_import_after_one_that_failed_tells_only_of_itself(self) -> None:
        image_id = self.create()
        self.run_import(image_id, self.from_web("/none"), stores=["cheap"])
        self.assertImported(self.run_import(image_id, self.from_web()))
        self.assertEqual(["failure", "success"], [task["status"] for task in self.tasks(image_id)])

    def test_the_stores_that_are_still_to_come_are_seen_meanwhile(self) -> None:
        image_id = self.create()
        self.import_image(image_id, self.from_web(), stores=["fast", "cheap"], all_stores_must_succeed=False)
        seen: set[tuple[Any, ...]] = set()

        def look() -> None:
            image = self.show(image_id)
            seen.add((image["status"], image.get("stores"), image["os_glance_importing_to_stores"]))

        self.worker(api_image_import=Watched(self.job_types["api_image_import"], look)).run_one()
        self.assertEqual({("importing", None, "cheap,fast"), ("active", "fast", "cheap")}, seen)
        self.assertImported(self.show(image_id), "cheap,fast")


class TestMeanwhile(ImportsTest):
    """What users do to an image while its import waits or runs."""

    def interrupt(self, what: Any, checks: int = 1) -> None:
        """Run the next import and let ``what`` happen at one of its checks; then run what is left."""
        interrupted = Interrupted(self.job_types["api_image_import"], checks=checks, stop=what)
        self.worker(api_image_import=interrupted).run_one()
        self.assertTrue(interrupted.is_interrupted)
        self.work()

    def delete(self, image_id: str) -> None:
        """Delete the image."""
        self.assertEqual(204, self.send("DELETE", f"/v2/images/{image_id}", caller="admin").status_int)

    def assertGone(self, image_id: str, lock: str) -> None:
        """Fail unless nothing of the image is left and its task has failed."""
        self.assertEqual(404, self.send("GET", f"/v2/images/{image_id}", caller="admin").status_int)
        self.assertEqual("failure", self.send("GET", f"/v2/tasks/{lock}", caller="admin").json["status"])
        self.assertEqual([0, 0], self.kept("fast", "cheap"))
        self.assertEqual([], list((self.service.folder / "staging").glob("*")))

    def test_an_image_that_is_deleted_ends_its_import(self) -> None:
        for checks in (1, 2, 3):
            image_id = self.create()
            self.import_image(image_id, self.from_web(), stores=["fast", "cheap"])
            lock = self.show(image_id)["os_glance_import_task"]
            self.interrupt(lambda image_id=image_id: self.delete(image_id), checks)
            self.assertGone(image_id, lock)

    def test_an_image_that_is_deleted_ends_its_copy(self) -> None:
        image_id = self.uploaded()
        self.import_image(image_id, "copy-image", "admin", stores=["cheap"])
        lock = self.show(image_id)["os_glance_import_task"]
        self.interrupt(lambda: self.delete(image_id))
        self.assertGone(image_id, lock)

    def test_an_image_that_is_deleted_before_its_import_takes_the_staged_data_with_it(self) -> None:
        image_id = self.create()
        self.stage(image_id)
        self.import_image(image_id, "glance-direct")
        lock = self.show(image_id)["os_glance_import_task"]
        self.delete(image_id)
        self.assertEqual([], list((self.service.folder / "staging").iterdir()))
        self.work()
        self.assertGone(image_id, lock)

    def test_an_image_that_is_deactivated_gets_its_copy_and_stays_so(self) -> None:
        image_id = self.uploaded()
        self.import_image(image_id, "copy-image", "admin", stores=["cheap"])
        self.interrupt(lambda: self.send("POST", f"/v2/images/{image_id}/actions/deactivate", caller="admin"))
        image = self.show(image_id)
        self.assertEqual(("deactivated", "cheap,fast"), (image["status"], image["stores"]))
        self.assertEqual(DONE, self.progress(image))

    def test_properties_that_are_set_stay_set(self) -> None:
        image_id = self.create()
        self.import_image(image_id, self.from_web())
        patch = [{"op": "add", "path": "/color", "value": "red"}, {"op": "replace", "path": "/name", "value": "new"}]
        kind = "application/openstack-images-v2.1-json-patch"
        self.interrupt(lambda: self.send("PATCH", f"/v2/images/{image_id}", patch, Content_Type=kind))
        image = self.show(image_id)
        self.assertEqual(("red", "new"), (image["color"], image["name"]))
        self.assertImported(image)


class TestQuota(ImportsTest):
    """What an import brings beyond the quota is undone."""

    options = {"DEFAULT": {"user_storage_quota": f"{len(BODY) * 3 // 2}B"}}

    def test_staged_data_takes_room_and_counts_once_when_it_is_stored(self) -> None:
        image_id = self.create()
        self.stage(image_id)
        other = self.create()
        answer = self.send("PUT", f"/v2/images/{other}/file", BODY, Content_Type=DATA_TYPE)
        self.assertEqual(413, answer.status_int)
        self.assertImported(self.run_import(image_id, "glance-direct"))
        self.assertEqual(204, self.send("DELETE", f"/v2/images/{image_id}").status_int)
        answer = self.send("PUT", f"/v2/images/{other}/file", BODY, Content_Type=DATA_TYPE)
        self.assertEqual(204, answer.status_int)

    def test_a_second_store_that_passes_the_quota_undoes_the_import(self) -> None:
        image = self.run_import(self.create(), self.from_web(), stores=["fast", "cheap"])
        self.assertEqual(("queued", None), (image["status"], image.get("stores")))
        self.assertEqual("failure", self.tasks(image["id"])[0]["status"])
        self.assertImported(self.run_import(image["id"], self.from_web()))


_TAKEN = ("disk_format", "os_hash_value")
_PROPERTIES = ("hw_disk_bus", "trait:HW_CPU", "os_distro")
