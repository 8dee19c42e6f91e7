"""The import method glance-download."""

import json

import testtools

from glance_mini.fetching.downloads import Downloads, FetchBroken, FetchRefused
from glance_mini.fetching.uri_filter import Choice, UriFilter
from glance_mini.imports.glance_source import GlanceSource, NoEndpoint, SourceRefused, find_endpoint
from glance_mini_store.web.client import FetchLimits, WebClient
from glance_mini_store.web.timeouts import Timeouts
from tests.unit.imports.raw_server import RawServer, response

IMAGE_ID = "5b1cc7c5-7c0d-4c6e-9a2f-2f6d2b3c4d5e"
DATA = bytes(range(256)) * 100
RECORD = {
    "id": IMAGE_ID,
    "status": "active",
    "size": len(DATA),
    "disk_format": "qcow2",
    "container_format": "bare",
    "checksum": "c" * 32,
    "os_hash_algo": "sha512",
    "os_hash_value": "a" * 128,
    "hw_disk_bus": "scsi",
    "trait:HW_CPU_X86_AVX": "required",
    "os_type": "linux",
    "os_glance_import_task": "t",
    "tags": ["hw_"],
    "hw_number": 5,
    "color": "red",
}
PREFIXES = ("hw_", "trait:", "os_distro", "os_secure_boot", "os_type")


def no_pause(seconds):
    """Wait for nothing."""


class TestEndpoint(testtools.TestCase):
    MODERN = [
        {"type": "identity", "endpoints": [{"interface": "public", "region": "north", "url": "http://id/"}]},
        {
            "type": "image",
            "endpoints": [
                {"interface": "public", "region_id": "north", "region": "north", "url": "http://n:9292/v2/"},
                {"interface": "internal", "region_id": "north", "url": "http://n.inside/image/v2.9"},
                {"interface": "public", "region": "south", "url": "http://s/image"},
            ],
        },
    ]
    OLD = [
        {"type": "image", "endpoints": [{"region": "north", "publicURL": "http://n/", "internalURL": "http://i/v1"}]}
    ]

    def test_the_endpoint_is_that_of_region_and_interface_without_version(self):
        for catalogue, region, interface, url in (
            (self.MODERN, "north", "public", "http://n:9292"),
            (self.MODERN, "north", "internal", "http://n.inside/image"),
            (self.MODERN, "south", "public", "http://s/image"),
            (self.OLD, "north", "public", "http://n"),
            (self.OLD, "north", "internal", "http://i"),
        ):
            self.assertEqual(url, find_endpoint(catalogue, region, interface))

    def test_where_there_is_none_the_text_names_what_was_looked_for(self):
        for catalogue, region, interface in (
            ([], "north", "public"),
            (self.MODERN, "east", "public"),
            (self.MODERN, "south", "internal"),
            (self.OLD, "north", "admin"),
            (self.OLD, "north", "region"),
        ):
            text = str(self.assertRaises(NoEndpoint, find_endpoint, catalogue, region, interface))
            self.assertIn(f"{interface} endpoint of an image service in region {region}", text)


class TestSource(testtools.TestCase):
    def source(self, *answers, allowed=("127.0.0.1",), size=10**6):
        self.server = self.useFixture(RawServer(*answers))
        uri_filter = UriFilter(ports=Choice(), allowed_hosts=allowed)
        downloads = Downloads(WebClient(uri_filter), FetchLimits(size, Timeouts(idle=10), retries=1))
        return GlanceSource(downloads, self.server.url("/image"), "secret-token", PREFIXES)

    def image(self, record, **values):
        return self.source(response(json.dumps(record).encode()), **values).image(IMAGE_ID, no_pause)

    def test_formats_hashes_and_properties_by_prefix_are_taken_over(self):
        image = self.image(RECORD)

        self.assertEqual(("qcow2", "bare", len(DATA)), (image.disk_format, image.container_format, image.size))
        self.assertEqual(
            {"hw_disk_bus": "scsi", "trait:HW_CPU_X86_AVX": "required", "os_type": "linux"}, image.properties
        )
        self.assertEqual({"sha512": "a" * 128}, image.hashes)
        self.assertIn(f"GET /image/v2/images/{IMAGE_ID} HTTP/1.1", self.server.asked[0])
        self.assertIn("X-Auth-Token: secret-token\r\n", self.server.asked[0])

    def test_an_image_without_a_newer_hash_has_its_checksum(self):
        self.assertEqual({"md5": "c" * 32}, self.image({**RECORD, "os_hash_algo": None}).hashes)
        self.assertEqual({}, self.image({**RECORD, "os_hash_algo": None, "checksum": None}).hashes)

    def test_only_active_images_with_formats_are_taken(self):
        for change in (
            *({"status": "queued"}, {"status": "deactivated"}, {"size": None}),
            *({"disk_format": None}, {"container_format": None}),
        ):
            text = str(self.assertRaises(SourceRefused, self.image, {**RECORD, **change}))
            self.assertIn(IMAGE_ID, text)

    def test_answers_that_are_no_image_are_refused(self):
        for answer in (response(b"<html>"), response(b"[]"), response(b"", status="401 Unauthorized")):
            text = str(self.assertRaises(FetchRefused, self.source(answer).image, IMAGE_ID, no_pause))
            self.assertNotIn("secret", text)

    def test_the_data_must_have_the_size_of_the_image(self):
        record = response(json.dumps(RECORD).encode())
        for answer, is_good in (
            (response(DATA), True),
            (response(DATA, Content_Length=None), True),
            (response(DATA[:-1]), False),
            (response(DATA + b"."), False),
            (response(DATA + b".", Content_Length=None), False),
            (response(DATA[:-1], Content_Length=None), False),
            (response(b"", status="204 No Content"), False),
        ):
            source = self.source(record, answer)
            image = source.image(IMAGE_ID, no_pause)
            if is_good:
                self.assertEqual(DATA, b"".join(source.data(image, no_pause)))
                self.assertIn(f"GET /image/v2/images/{IMAGE_ID}/file ", self.server.asked[1])
            else:
                self.assertRaises((FetchRefused, FetchBroken), lambda: list(source.data(image, no_pause)))  # noqa: B023

    def test_an_endpoint_inside_must_be_allowed(self):
        self.assertRaises(FetchRefused, self.image, RECORD, allowed=())
