"""Two nodes, each with a staging area of its own, on one PostgreSQL and one store (api-imports-nodes)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import fixtures
from testtools.content import text_content

from glance_mini.standalone.state import StateDirectory
from tests.functional.importing import DIRECT, begin_import, end_of_import, entries, last_task, run_import, stage
from tests.functional.service import Service
from tests.functional.test_worker import WorkerProcess
from tests.http_server.running import eventually
from tests.integration.base import ServiceTestCase
from tests.ports import free_port

CONFIGURATION = """
[workers]
lease_seconds = 2
poll_interval = 0.2

[transfers]
reaper_interval = 1
"""


class NodesTest(ServiceTestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.data = os.urandom(300_000)
        self.ports = {"one": free_port(), "two": free_port()}
        self.states = {name: StateDirectory(self.root / name) for name in self.ports}
        self.states["one"].create()
        file = self.states["one"].config_file
        own = "sqlite:///$state_directory/glance-mini.db"
        file.write_text(file.read_text().replace(own, self.fresh_database("postgresql").replace("$", "$$")))
        words = [sys.executable, "-m", "glance_mini.cmd.manage", "db", "sync", "--state", str(self.root / "one")]
        subprocess.run(words, check=True, timeout=60, stdout=subprocess.DEVNULL)
        self.configure("one")

    def configure(self, name):
        """Let a node know how the others call it."""
        with open(self.states[name].config_file, "a", encoding="utf-8") as file:
            address = f"http://127.0.0.1:{self.ports[name]}"
            file.write(f"{CONFIGURATION}\n[DEFAULT]\nworker_self_reference_url = {address}\n")

    def start(self, name, *words):
        """Return a node that runs."""
        node = self.useFixture(Service(self.states[name].path, *words, port=self.ports[name]))
        self.addCleanup(lambda: self.addDetail(name, text_content(node.log.read_text())))
        return node

    def start_both(self):
        """Return both nodes; the second has what the first has, but for the staging area and its worker's files."""
        first = self.start("one", "--no-worker")
        here, there = self.states["one"], self.states["two"]
        there.path.mkdir(mode=0o700)
        for path in (here.config_file, here.users_file, here.clouds_file):
            shutil.copy(path, there.path)
        text = here.config_file.read_text().replace(CONFIGURATION, "").partition("\n[DEFAULT]\nworker_self")[0]
        text = text.replace("$state_directory", str(here.path))
        for name in ("staging", "work"):
            text = text.replace(str(here.path / name), str(there.path / name))
        there.config_file.write_text(text)
        self.configure("two")
        return first, self.start("two")

    def staged(self, node):
        """Return the id of an image whose data was staged on that node."""
        image = node.create_image()
        self.assertEqual(204, stage(node, image, self.data).status_code)
        self.assertEqual(1, len(entries(node, "staging")))
        return image

    def test_import_and_deletion_on_another_node_are_done_by_the_node_that_has_the_data(self):
        first, second = self.start_both()
        image = self.staged(first)
        begin_import(second, image, DIRECT)
        other = self.staged(second)
        # The worker of the second node looks at the queue in which the import waits.
        self.assertEqual("active", run_import(second, other, DIRECT)[0]["status"])
        waiting = last_task(second, image)
        self.assertEqual(("pending", ""), (waiting["status"], waiting["message"]))
        self.useFixture(WorkerProcess(first.state))
        self.assertEqual("active", end_of_import(second, image)[0]["status"])
        self.assertEqual(self.data, second.request("GET", f"/v2/images/{image}/file").content)
        self.assertEqual([], entries(first, "staging") + entries(second, "staging"))
        image = self.staged(first)
        self.assertEqual(204, second.request("DELETE", f"/v2/images/{image}").status_code)
        self.assertEqual([], entries(first, "staging"))

    def test_upload_that_began_on_one_node_goes_on_by_another(self):
        first, second = self.start_both()
        image = first.create_image()
        tus, path = {"Tus-Resumable": "1.0.0"}, f"/v2/images/{image}/upload"
        piece = {**tus, "Content-Type": "application/offset+octet-stream"}
        begun = first.request("POST", path, headers={**self.token(first), **tus, "Upload-Length": str(len(self.data))})
        upload = begun.headers["Location"]

        def send(node, start, end):
            headers = {**self.token(node), **piece, "Upload-Offset": str(start)}
            return node.request("PATCH", upload, data=self.data[start:end], headers=headers)

        answers = [send(first, 0, 100_000), send(second, 100_000, 200_000), send(second, 5, 9)]
        self.assertEqual([204, 204, 409], [answer.status_code for answer in answers], answers[1].text)
        self.assertEqual("200000", answers[1].headers["Upload-Offset"])
        self.assertEqual((1, 0), (len(entries(first, "staging")), len(entries(second, "staging"))))
        self.assertEqual(204, send(second, 200_000, len(self.data)).status_code)
        self.assertEqual(self.data, second.request("GET", f"/v2/images/{image}/file").content)
        self.assertEqual([], entries(first, "staging"))

    def token(self, node):
        """Return the header with the token of the administrator."""
        return {"X-Auth-Token": node.token}

    def test_worker_removes_at_its_start_what_killed_processes_of_its_node_have_left(self):
        first = self.start("one", "--no-worker")
        image = self.staged(first)
        foreign = f"{uuid4()}-0123abcd"
        for place in (f"staging/{image}-0123abcd", f"staging/{foreign}", f"work/{uuid4()}/1/converted"):
            path = first.state / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"left")
        self.useFixture(WorkerProcess(first.state))
        eventually(lambda: len(entries(first, "staging", "work")) == 2, "what was left was removed")
        self.assertEqual("active", run_import(first, image, DIRECT)[0]["status"])
        self.assertEqual([foreign], [Path(each).name for each in entries(first, "staging", "work")])

    def test_node_that_is_away_answers_no_import_and_deletes_its_data_when_it_is_back(self):
        first, second = self.start_both()
        image = self.staged(first)
        first.stop()
        body = {"method": DIRECT}
        self.assertEqual(504, second.request("POST", f"/v2/images/{image}/import", json=body).status_code)
        self.assertEqual("uploading", second.request("GET", f"/v2/images/{image}").json()["status"])
        self.assertEqual(204, second.request("DELETE", f"/v2/images/{image}").status_code)
        self.assertEqual(404, second.request("GET", f"/v2/images/{image}").status_code)
        self.assertEqual(1, len(entries(first, "staging")))
        self.start("one", "--no-worker")
        eventually(lambda: not entries(first, "staging"), "the data of the first node was deleted")
