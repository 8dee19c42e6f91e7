"""Tasks of the type ``import`` by calls alone, with the worker that does them (api-tasks)."""

from typing import Any

from tests.http.working import BODY, DONE, WorkingTest, digest


class TestImportTasks(WorkingTest):
    policy = '"tasks_api_access": "role:member"\n'

    def ask(self, caller: str = "member", path: str = "/disk", **properties: Any) -> dict[str, Any]:
        """Return a new task."""
        values = {
            "import_from": self.web.url(path),
            "import_from_format": "raw",
            "image_properties": {"name": "made", **properties},
        }
        answer = self.send("POST", "/v2/tasks", {"type": "import", "input": values}, caller=caller)
        self.assertEqual(201, answer.status_int, answer.text)
        task: dict[str, Any] = answer.json
        self.assertEqual(f"/v2/tasks/{task['id']}", answer.headers["Location"])
        return task

    def task(self, task_id: str, caller: str = "member") -> dict[str, Any]:
        """Return a task as it is now."""
        shown: dict[str, Any] = self.send("GET", f"/v2/tasks/{task_id}", caller=caller).json
        return shown

    def images(self) -> list[dict[str, Any]]:
        """Return all images."""
        found: list[dict[str, Any]] = self.send("GET", "/v2/images", caller="admin").json["images"]
        return found

    def test_a_task_makes_an_image_of_its_user(self) -> None:
        task = self.ask(tags=["t"], color="red")
        self.assertEqual(("pending", None), (task["status"], task["result"]))
        self.work()
        task = self.task(task["id"])
        [image] = self.images()
        self.assertEqual(("success", {"image_id": image["id"]}), (task["status"], task["result"]))
        self.assertEqual((image["id"], "member", "p1"), (task["image_id"], task["user_id"], task["owner"]))
        wanted = {"name": "made", "owner": "p1", "status": "active", "disk_format": "raw", "container_format": "bare"}
        self.assertEqual(wanted, {name: image[name] for name in wanted})
        self.assertEqual((["t"], "red", DONE), (image["tags"], image["color"], self.progress(image)))
        self.assertEqual((len(BODY), digest("md5")), (image["size"], image["checksum"]))
        self.assertEqual(BODY, self.data(image["id"]))
        self.assertEqual([task["id"]], [each["id"] for each in self.tasks(image["id"])])
        self.assertEqual([1, 0], self.kept("fast", "cheap"))

    def test_a_task_that_fails_leaves_no_image(self) -> None:
        task = self.ask(path="/absent", protected=True)
        self.work()
        task = self.task(task["id"])
        self.assertEqual(("failure", None), (task["status"], task["result"]))
        self.assertIn("404", task["message"])
        self.assertIsNotNone(task["expires_at"])
        self.assertEqual(([], [0]), (self.images(), self.kept("fast")))

    def test_a_user_gets_no_more_than_by_a_request(self) -> None:
        task = self.ask(visibility="public")
        self.work()
        self.assertIn("publicize_image", self.task(task["id"])["message"])
        self.assertEqual([], self.images())
        self.ask("admin", visibility="public")
        self.work()
        self.assertEqual(["public"], [image["visibility"] for image in self.images()])
