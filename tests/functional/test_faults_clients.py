"""Clients that stop reading, and images that go while they are uploaded."""

import testtools

from tests.functional.faults import (
    KNOWN,
    MIB,
    UNKNOWN,
    SharedService,
    connect,
    files_of,
    framing,
    part_of,
    status_of,
)
from tests.http_server.running import eventually

SIZE_MIB = 32


class StoppedReaderTest(SharedService, testtools.TestCase):
    options = {"server": {"io_timeout": 2, "threads": 2, "max_transfers": 1}}

    def test_whole_download_that_nobody_reads_gives_its_thread_back(self):
        self._stop_reading("")

    def test_part_of_a_download_that_nobody_reads_gives_its_thread_back(self):
        self._stop_reading(f"Range: bytes=1-{SIZE_MIB * MIB - 1}\r\n")

    def _stop_reading(self, header):
        image = self.service.create_image()
        data = bytes(range(256)) * (SIZE_MIB * MIB // 256)
        self.assertEqual(204, self.service.upload(image, data).status_code)
        path = f"/v2/images/{image}/file"
        reader = connect(self, self.service, receive_buffer=4096)
        reader.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: {self.service.token}\r\n{header}\r\n")
        # Else the requests below could have taken the only transfer before.
        self.assertRegex(reader.head(), b"^HTTP/1.1 20[06] ")
        eventually(lambda: self.service.request("GET", path).status_code == 503, "the only transfer was taken")
        eventually(lambda: self.service.request("GET", path).content == data, "the transfer was given back")
        self.assertLess(len(reader.rest()), len(data))


class DeletedDuringUploadTest(SharedService, testtools.TestCase):
    def test_upload_to_an_image_that_was_deleted_meanwhile_is_410(self):
        for kind in (KNOWN, UNKNOWN):
            image = self.service.create_image()
            client = self.upload(image, framing(kind, 4 * MIB))
            client.send(part_of(kind, b"x" * 2 * MIB))
            eventually(lambda image=image: files_of(self.service, image), "the upload began")
            self.assertEqual(204, self.service.request("DELETE", f"/v2/images/{image}").status_code)
            client.send(part_of(kind, b"x" * 2 * MIB), b"" if kind == KNOWN else b"0\r\n\r\n")
            self.assertEqual(410, client.response().status)
            self.assertEqual([], files_of(self.service, image))
            self.assertEqual(404, self.service.request("GET", f"/v2/images/{image}").status_code)

    def test_upload_that_breaks_after_its_image_was_deleted_leaves_nothing(self):
        image = self.service.create_image()
        client = self.upload(image, framing(KNOWN, 4 * MIB))
        client.send(b"x" * 2 * MIB)
        eventually(lambda: files_of(self.service, image), "the upload began")
        self.service.request("DELETE", f"/v2/images/{image}")
        client.close()
        eventually(lambda: not files_of(self.service, image), "the data was removed")

    def test_second_upload_of_an_image_is_refused_and_the_first_goes_on(self):
        image = self.service.create_image()
        client = self.upload(image, framing(KNOWN, 4 * MIB))
        client.send(b"x" * 2 * MIB)
        eventually(lambda: files_of(self.service, image), "the upload began")
        self.assertEqual(409, self.service.upload(image, b"other").status_code)
        client.send(b"x" * 2 * MIB)
        self.assertEqual(204, client.response().status)
        self.assertEqual("active", status_of(self.service, image))
        self.assertEqual(b"x" * 4 * MIB, self.service.request("GET", f"/v2/images/{image}/file").content)
