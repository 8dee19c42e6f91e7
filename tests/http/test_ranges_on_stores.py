"""The table of ranges on every kind of store (api-data-ranges)."""

import shutil
import tempfile
from typing import Any

from tests.http.client import DATA_TYPE, ApplicationTest
from tests.http.test_transfers import pattern
from tests.unit.store.web import Page, WebServer

DATA = pattern(3 * 1024 * 1024 + 17)
SIZE = len(DATA)

PARTS = (
    ("bytes=0-0", 0, 1),
    ("bytes=100-199", 100, 200),
    ("bytes=1048570-1048590", 1048570, 1048591),
    (f"bytes=5-{SIZE + 100}", 5, SIZE),
    ("bytes=3000000-", 3000000, SIZE),
    ("bytes=-17", SIZE - 17, SIZE),
    (f"bytes=-{SIZE + 5}", 0, SIZE),
)

REFUSED = (
    ("bytes=0-1,5-6", 400),
    ("bytes=5-2", 416),
    ("bytes=abc", 416),
    ("chunks=0-1", 416),
    (f"bytes={SIZE}-", 416),
    ("bytes=-0", 416),
)


class RangeTable(ApplicationTest):
    """Runs the table on the image that ``store_image`` makes."""

    def check_table(self, image_id: str) -> None:
        path = f"/v2/images/{image_id}/file"
        self.assertEqual(DATA, self.send("GET", path).body)
        for header, first, end in PARTS:
            answer = self.send("GET", path, Range=header)
            self.assertEqual((206, DATA[first:end]), (answer.status_int, answer.body), header)
            self.assertEqual(f"bytes {first}-{end - 1}/{SIZE}", answer.headers["Content-Range"])
            self.assertEqual(end - first, answer.content_length)
        for header, status in REFUSED:
            self.assertEqual(status, self.send("GET", path, Range=header).status_int, header)

    def upload(self) -> str:
        image_id = self.create()
        answer = self.send("PUT", f"/v2/images/{image_id}/file", DATA, Content_Type=DATA_TYPE)
        self.assertEqual(204, answer.status_int, answer.text)
        return image_id


class TestMemory(RangeTable):
    def test_ranges_of_data_in_memory(self) -> None:
        self.check_table(self.upload())


class TestFiles(RangeTable):
    def setUp(self) -> None:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        self.options = {
            "DEFAULT": {"enabled_backends": "disk:file"},
            "glance_store": {"default_backend": "disk"},
            "disk": {"filesystem_store_datadir": folder},
        }
        super().setUp()

    def test_ranges_of_a_file(self) -> None:
        self.check_table(self.upload())


class TestWeb(RangeTable):
    options: Any = {"DEFAULT": {"show_multiple_locations": True}}

    def settings(self) -> Any:
        self.web = self.useFixture(WebServer())
        filters = {"allowed_hosts": "127.0.0.1", "allowed_ports": self.web.port}
        return {**self.options, "import_filtering_opts": filters}

    def add_web_location(self, page: Page) -> str:
        self.web.pages["/disk"] = page
        image_id = self.create()
        step = {"op": "add", "path": "/locations/-", "value": {"url": self.web.url("/disk"), "metadata": {}}}
        kind = "application/openstack-images-v2.1-json-patch"
        answer = self.send("PATCH", f"/v2/images/{image_id}", [step], Content_Type=kind)
        self.assertEqual(200, answer.status_int, answer.text)
        return image_id

    def test_ranges_of_a_web_server_that_knows_ranges(self) -> None:
        self.check_table(self.add_web_location(Page(DATA)))
