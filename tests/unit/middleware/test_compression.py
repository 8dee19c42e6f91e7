"""Compressed answers: which ones, in which coding, and what their heads say."""

import hashlib
import json
import sys
import zlib
from typing import Any

import testtools
from webob import Request

from glance_mini.api.middleware.compression import AT_ONCE, SMALLEST, Compression, choose

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def image(number: int) -> dict[str, Any]:
    """An image with digests and ids as random as real ones, and ten properties."""
    digest = hashlib.sha512(str(number).encode()).hexdigest()
    return {
        "id": digest[:36],
        "name": f"image-{number}",
        "os_hash_value": digest,
        "checksum": digest[64:96],
        "self": f"/v2/images/{digest[:36]}",
        "file": f"/v2/images/{digest[:36]}/file",
        **{f"hw_property_{key}": f"value {key} of a middling length" for key in range(10)},
    }


class Answering:
    """An application with one answer."""

    def __init__(self, body: Any, content_type: str = "application/json", **headers: str) -> None:
        self._body = body
        self._headers = [("Content-Type", content_type), *headers.items()]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [*self._headers])
        return self._body


class TestCompression(testtools.TestCase):
    text = json.dumps({"images": [image(number) for number in range(1000)]}).encode()

    def ask(self, app: Any, accepted: str | None = "gzip") -> Any:
        headers = {} if accepted is None else {"Accept-Encoding": accepted}
        return Request.blank("/", headers=headers).get_response(Compression(app))

    def test_a_list_of_1000_images_takes_a_fifth(self) -> None:
        for coding, decompress in (("gzip", lambda data: zlib.decompress(data, 31)), ("zstd", zstd.decompress)):
            answer = self.ask(Answering([self.text]), coding)
            self.assertEqual((coding, "Accept-Encoding"), (answer.headers["Content-Encoding"], answer.headers["Vary"]))
            self.assertEqual(len(answer.body), answer.content_length)
            self.assertEqual(self.text, decompress(answer.body))
            self.assertLess(5 * len(answer.body), len(self.text), coding)

    def test_the_client_chooses_the_coding(self) -> None:
        for accepted, expected in {
            "": None,
            "identity": None,
            "br": None,
            "gzip": "gzip",
            "gzip, deflate": "gzip",
            "gzip, deflate, br, zstd": "zstd",
            "zstd;q=0.5, gzip": "gzip",
            "gzip;q=0": None,
            "gzip;q=0.5, identity": None,
            "*": None,
            "GZIP": "gzip",
            "nonsense;;": None,
        }.items():
            self.assertEqual(expected, choose(accepted), accepted)

    def test_other_answers_stay_as_they_are(self) -> None:
        small = b"x" * (SMALLEST - 1)
        for answer in (
            self.ask(Answering([self.text]), None),
            self.ask(Answering([small])),
            self.ask(Answering([self.text], "application/octet-stream")),
            self.ask(Answering(iter([self.text]))),
        ):
            self.assertNotIn("Content-Encoding", answer.headers)
            self.assertIn(answer.body, (self.text, small))

    def test_an_answer_with_a_coding_of_its_own_stays_as_it_is(self) -> None:
        answer = Answering([self.text], **{"Content-Encoding": "other"})
        self.assertEqual("other", self.ask(answer).headers["Content-Encoding"])

    def test_an_application_may_start_its_answer_when_it_is_read(self) -> None:
        def late(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [("Content-Type", "application/json")])
            yield self.text

        self.assertEqual(self.text, self.ask(late).body)

    def test_no_more_answers_are_compressed_at_once_than_allowed(self) -> None:
        app = Compression(Answering([self.text]))
        for _ in range(AT_ONCE):
            app._free.acquire()
        request = Request.blank("/", headers={"Accept-Encoding": "gzip"})
        self.assertEqual(self.text, request.get_response(app).body)
        app._free.release()
        self.assertEqual("gzip", request.get_response(app).headers["Content-Encoding"])
