"""Uploads and downloads whose body is more than bytes: round trips, clients that fail, images that go meanwhile."""

import hashlib
from typing import Any

from webob import Request

from tests.http.client import DATA_TYPE, ApplicationTest, Stream

KIB = 1024
SIZES = (0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 5 * KIB * KIB)


def pattern(size: int) -> bytes:
    """Return ``size`` bytes in which no two places look alike for long."""
    return b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(size // 32 + 1))[:size]


class TestRoundTrips(ApplicationTest):
    def test_data_comes_back_as_it_was_sent(self) -> None:
        for size in SIZES:
            for length in (size, None):
                with self.subTest(size=size, chunked=length is None):
                    self._round_trip(pattern(size), length)

    def _round_trip(self, data: bytes, length: int | None) -> None:
        image_id = self.create()
        path = f"/v2/images/{image_id}/file"
        answer = self.send_stream("PUT", path, Stream(data), length, Content_Type=DATA_TYPE)
        self.assertEqual(204, answer.status_int, answer.text)
        answer = self.send("GET", path)
        self.assertEqual(data, answer.body)
        self.assertEqual(len(data), answer.content_length)
        image = self.send("GET", f"/v2/images/{image_id}").json
        self.assertEqual(hashlib.md5(data).hexdigest(), image["checksum"])
        self.assertEqual(image["checksum"], answer.headers["Content-MD5"])
        self.assertEqual(hashlib.sha512(data).hexdigest(), image["os_hash_value"])
        self.assertEqual(len(data), image["size"])
        self.assertTrue(self.is_stored(image_id))

    def test_ranges_cut_where_they_say(self) -> None:
        data = pattern(3 * KIB * KIB)
        image_id = self.create()
        self.send("PUT", f"/v2/images/{image_id}/file", data, Content_Type=DATA_TYPE)
        for first, last in ((0, 0), (1, KIB * KIB), (KIB * KIB - 1, KIB * KIB + 1), (5, 3 * KIB * KIB - 1)):
            answer = self.send("GET", f"/v2/images/{image_id}/file", Range=f"bytes={first}-{last}")
            self.assertEqual(206, answer.status_int)
            self.assertEqual(data[first : last + 1], answer.body)


class TestBrokenUploads(ApplicationTest):
    def setUp(self) -> None:
        super().setUp()
        self.image_id = self.create()

    def _upload(self, stream: Stream, length: int | None) -> int:
        path = f"/v2/images/{self.image_id}/file"
        return self.send_stream("PUT", path, stream, length, Content_Type=DATA_TYPE).status_int

    def _assert_nothing_left(self) -> None:
        self.assertEqual("queued", self.status_of(self.image_id))
        self.assertFalse(self.is_stored(self.image_id))
        self.assertEqual(204, self._upload(Stream(b"abc"), 3))

    def test_a_body_that_ends_early_leaves_nothing(self) -> None:
        self.assertEqual(400, self._upload(Stream(b"x" * 100), 200))
        self._assert_nothing_left()

    def test_a_client_that_goes_away_leaves_nothing(self) -> None:
        for error in (ConnectionResetError(), OSError("gone"), ValueError("no size line"), EOFError()):
            for length in (200, None):
                with self.subTest(error=error, length=length):
                    self.assertEqual(400, self._upload(Stream(b"x" * 100, error), length))
                    self.assertEqual("queued", self.status_of(self.image_id))
        self._assert_nothing_left()

    def test_a_client_that_stalls_is_given_up(self) -> None:
        self.assertEqual(408, self._upload(Stream(b"x" * 100, TimeoutError("too slow")), 200))
        self._assert_nothing_left()

    def test_bytes_beyond_the_announced_length_are_not_read(self) -> None:
        self.assertEqual(204, self._upload(Stream(b"abcdef"), 3))
        self.assertEqual(b"abc", self.send("GET", f"/v2/images/{self.image_id}/file").body)


class TestRefusedBeforeReading(ApplicationTest):
    def _refused(self, path: str, caller: str = "member", **headers: object) -> int:
        stream = Stream(b"x" * 10)
        headers = {"Content_Type": DATA_TYPE, "X_Auth_Token": caller} | headers
        status = self.send_stream("PUT", path, stream, 10, **headers).status_int
        self.assertEqual(0, stream.reads)
        return status

    def test_nothing_is_read_of_an_upload_that_is_refused(self) -> None:
        queued, active = self.create(), self.create()
        self.send("PUT", f"/v2/images/{active}/file", b"abc", Content_Type=DATA_TYPE)
        bare = self.send("POST", "/v2/images", {}).json["id"]
        self.assertEqual(401, self._refused(f"/v2/images/{queued}/file", caller="nobody"))
        self.assertEqual(403, self._refused(f"/v2/images/{queued}/file", caller="reader"))
        self.assertEqual(404, self._refused(f"/v2/images/{queued}/file", caller="other"))
        self.assertEqual(409, self._refused(f"/v2/images/{active}/file"))
        self.assertEqual(400, self._refused(f"/v2/images/{bare}/file"))
        self.assertEqual(415, self._refused(f"/v2/images/{queued}/file", Content_Type="text/plain"))
        self.assertEqual(400, self._refused(f"/v2/images/{queued}/file", x_image_meta_store="nowhere"))
        self.assertEqual(413, self._refused(f"/v2/images/{queued}/file", x_openstack_image_size=2**50))


class TestMeanwhile(ApplicationTest):
    def test_an_image_deleted_during_its_upload_is_gone_and_leaves_nothing(self) -> None:
        image_id = self.create()
        test = self

        class Deleting(Stream):
            def read(self, size: int = -1) -> bytes:
                if self.reads == 1:
                    test.assertEqual(204, test.send("DELETE", f"/v2/images/{image_id}").status_int)
                return super().read(size)

        stream = Deleting(b"x" * 10, b"y" * 10)
        answer = self.send_stream("PUT", f"/v2/images/{image_id}/file", stream, 20, Content_Type=DATA_TYPE)
        self.assertEqual(410, answer.status_int, answer.text)
        self.assertFalse(self.is_stored(image_id))
        self.assertEqual(404, self.send("GET", f"/v2/images/{image_id}").status_int)

    def test_a_second_upload_during_the_first_is_refused(self) -> None:
        image_id = self.create()
        test = self
        statuses: list[int] = []

        class Uploading(Stream):
            def read(self, size: int = -1) -> bytes:
                path = f"/v2/images/{image_id}/file"
                statuses.append(test.send("PUT", path, b"other", Content_Type=DATA_TYPE).status_int)
                return super().read(size)

        answer = self.send_stream("PUT", f"/v2/images/{image_id}/file", Uploading(b"first"), 5, Content_Type=DATA_TYPE)
        self.assertEqual(204, answer.status_int)
        self.assertEqual([409], statuses)


class TestMaxTransfers(ApplicationTest):
    options = {"server": {"max_transfers": 1}}

    def test_a_transfer_beyond_the_limit_is_asked_to_come_later(self) -> None:
        image_id, second = self.create(), self.create()
        self.send("PUT", f"/v2/images/{image_id}/file", b"abc", Content_Type=DATA_TYPE)
        running = self._begin_download(image_id)
        stream = Stream(b"abc")
        answer = self.send_stream("PUT", f"/v2/images/{second}/file", stream, 3, Content_Type=DATA_TYPE)
        self.assertEqual(503, answer.status_int)
        self.assertGreater(int(answer.headers["Retry-After"]), 0)
        self.assertEqual(0, stream.reads)
        self.assertEqual(503, self.send("GET", f"/v2/images/{image_id}/file").status_int)
        self.assertEqual(200, self.send("GET", f"/v2/images/{image_id}").status_int)
        running.close()
        self.assertEqual(204, self.send("PUT", f"/v2/images/{second}/file", b"abc", Content_Type=DATA_TYPE).status_int)

    def _begin_download(self, image_id: str) -> Any:
        request = Request.blank(f"/v2/images/{image_id}/file", headers={"X-Auth-Token": "member"})
        return request.call_application(self.service.app)[2]
