"""Web servers that a web-download meets: slow ones, liars, and those that lead elsewhere or send what harms.

Whatever they do, the user is told why, the image can be imported again, and nothing of it is left.
"""

import gzip
import hashlib
import os
import time

import fixtures
import testtools

from tests.functional.faults import MIB, SHORT_LEASES, make_state, show_log, use_for_class
from tests.functional.importing import begin_import, end_of_import, entries, run_import, web
from tests.functional.service import Service
from tests.ports import free_port
from tests.unit.content.disk_images import flat_vmdk, qcow2, vmdk
from tests.unit.imports.raw_server import RawServer, response

CAP = 4 * MIB
BACKED = qcow2(backing_file="/etc/passwd")
METADATA_SERVICE = "169.254.169.254"
DATA = os.urandom(3 * MIB)
BEGUN = response(DATA[: 2 * MIB], Content_Length=len(DATA), ETag='"one"')
LEAKS = ("Traceback", "Error", "Errno", "glance_mini", "object at", "/state")


class WebFaultTest(testtools.TestCase):
    """One service and one web server for all; each test gives the server its answers."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.web = use_for_class(cls, RawServer())
        options = {
            "DEFAULT": {"image_size_cap": CAP},
            "workers": {"max_attempts": 1},
            "web_download": {"idle_timeout": 1, "rate_window": 1, "retries": 1, "retry_delay": 0},
            "image_import_opts": {"image_import_plugins": "image_decompression"},
            # All that is public, and this one server.
            "import_filtering_opts": {
                "allowed_hosts": "0.0.0.0/0,::/0,127.0.0.1",
                "allowed_ports": f"{cls.web.port},80,443",
            },
        }
        folder = use_for_class(cls, fixtures.TempDir())
        cls.service = use_for_class(cls, Service(make_state(folder.join("state"), SHORT_LEASES, options)))

    def setUp(self):
        super().setUp()
        show_log(self, self.service)

    def serve(self, *answers):
        """Let the server give these answers from now on, the last one again and again."""
        self.web.asked.clear()
        self.web.answers = answers

    def fetch(self, **properties):
        """Return the image and its task after an import of what the server has."""
        return run_import(self.service, self.service.create_image(**properties), web(self.web.url("/disk")))

    def assert_refused(self, text, ended):
        """The task tells why in these words, and the image is as good as new."""
        image, task = ended
        self.assertEqual(("failure", "queued", "images"), (task["status"], image["status"], failed_stores(image)), task)
        self.assertIn(text, task["message"])
        self.assertEqual([], [leak for leak in LEAKS if leak in task["message"]], task["message"])
        self.assertEqual((None, None, ""), (image["size"], image["checksum"], image["os_glance_importing_to_stores"]))
        self.assertNotIn("os_glance_import_task", image)
        self.assertEqual([], self.left_of(image))

    def assert_imported(self, data, ended):
        """The image has the data and nothing else is left of the import."""
        image, task = ended
        self.assertEqual(("success", "active"), (task["status"], image["status"]), task)
        self.assertEqual((len(data), hashlib.sha512(data).hexdigest()), (image["size"], image["os_hash_value"]))
        self.assertEqual(1, len(self.left_of(image)))

    def left_of(self, image):
        """Return what is in staging and work, and what the image has in the store."""
        stored = [path for path in entries(self.service, "images") if image["id"] in path.name]
        return [*entries(self.service, "staging", "work"), *stored]

    # slow

    def test_server_that_says_nothing(self):
        self.serve(self.web.stall)
        self.assert_refused("it took too long", self.fetch())
        self.assertEqual(2, len(self.web.asked))

    def test_server_that_stalls_in_the_middle(self):
        self.serve(self.web.begin_and_stall(response(bytes(1000), Content_Length=2000)))
        self.assert_refused("it took too long", self.fetch())

    def test_server_that_sends_a_byte_now_and_then(self):
        def trickle(connection):
            connection.sendall(response(Content_Length=100000))
            while True:
                time.sleep(0.1)
                connection.sendall(b"x")

        self.serve(trickle)
        self.assert_refused("The server sent less than 102400 bytes per second.", self.fetch())

    # lying

    def test_less_than_was_announced(self):
        self.serve(response(b"x" * 1000, Content_Length=1500))
        self.assert_refused("The answer broke off 500 bytes before its end.", self.fetch())

    def test_more_than_was_announced(self):
        self.serve(response(b"x" * 1000, Content_Length=500))
        self.assert_refused("The server sent more than the 500 bytes that it announced.", self.fetch())

    def test_chunks_without_an_end(self):
        self.serve(response(b"5\r\nhello\r\n", Content_Length=None, Transfer_Encoding="chunked"))
        self.assert_refused("The answer broke off", self.fetch())

    def test_more_than_an_image_may_have(self):
        self.serve(response(Content_Length=CAP + 1))
        self.assert_refused(str(CAP), self.fetch())

    def test_more_than_an_image_may_have_without_a_word_about_it(self):
        self.serve(response(bytes(CAP + 1), Content_Length=None))
        self.assert_refused(str(CAP), self.fetch())

    def test_error(self):
        self.serve(response(b"secret page", "404 Not Found"))
        self.assert_refused("The server answered 404.", self.fetch())

    # leading elsewhere

    def test_redirects_to_where_nobody_may_go(self):
        places = {
            f"http://{METADATA_SERVICE}/latest/meta-data/": "is not at a public address",
            f"//{METADATA_SERVICE}/latest/": "is not at a public address",
            "http://[::ffff:169.254.169.254]/": "is not at a public address",
            "http://[fd00:ec2::254]/": "is not at a public address",
            "http://10.0.0.1/": "is not at a public address",
            "http://127.0.0.2/": "is not at a public address",
            f"http://127.0.0.1:{free_port()}/": "is not allowed",
            f"http://127.0.0.2:{self.web.port}/": "is not at a public address",
            "http://2852039166/": "is not an address in the usual form",
            "http://0xa9fea9fe/": "is not an address in the usual form",
            "http://0251.0376.0251.0376/": "is not an address in the usual form",
            "http://169.254.43518/": "is not an address in the usual form",
            f"http://127.0.0.1:{self.web.port}@{METADATA_SERVICE}/": "user name or password",
            "file:///etc/passwd": "the scheme 'file' is not allowed",
        }
        paths = [f"/{number}" for number in range(len(places))]
        targets = dict(zip(paths, places, strict=True))

        def lead(connection):
            path = self.web.asked[-1].split()[1]
            connection.sendall(response(status="302 Found", Location=targets[path]))

        self.serve(lead)
        images = [self.service.create_image() for _ in paths]
        for image, path in zip(images, paths, strict=True):
            begin_import(self.service, image, web(self.web.url(path)))
        ended = [end_of_import(self.service, image) for image in images]
        for one, why in zip(ended, places.values(), strict=True):
            self.assert_refused(why, one)
        # No further attempt, and nowhere else.
        self.assertEqual(len(places), len(self.web.asked))

    def test_redirects_without_an_end(self):
        self.serve(response(status="302 Found", Location="/again"))
        self.assert_refused("The server redirects more than 5 times.", self.fetch())

    def test_redirect_to_where_one_may_go(self):
        data = os.urandom(1000)
        self.serve(response(status="302 Found", Location=self.web.url("/there")), response(data))
        self.assert_imported(data, self.fetch())

    # sending what harms

    def test_bomb_stops_at_the_largest_size_of_an_image(self):
        self.serve(response(gzip.compress(bytes(64 * MIB), 9)))
        self.assert_refused("unpacked", self.fetch())

    def test_bomb_that_the_web_server_declares_as_an_encoding_is_opened_by_the_plugin_only(self):
        self.serve(response(gzip.compress(bytes(64 * MIB), 9), Content_Encoding="gzip"))
        self.assert_refused("unpacked", self.fetch())

    def test_packed_data_is_the_same_whatever_encoding_the_web_server_declares(self):
        data = os.urandom(1000)
        for coding in ("x-gzip", "gzip", "none"):
            self.serve(response(gzip.compress(data), Content_Encoding=coding))
            self.assert_imported(data, self.fetch())

    def test_qcow2_with_a_backing_file(self):
        for data in (BACKED, gzip.compress(BACKED)):
            self.serve(response(data))
            self.assert_refused("Image failed safety checks: backing_file", self.fetch(disk_format="qcow2"))

    def test_qcow2_with_a_backing_file_that_says_that_it_is_raw(self):
        self.serve(response(BACKED))
        self.assert_refused("Image failed safety checks: backing_file", self.fetch(disk_format="raw"))

    def test_vmdk_with_an_absolute_path(self):
        for data in (vmdk(extents='RW 2048 FLAT "/etc/passwd" 0'), flat_vmdk()):
            self.serve(response(data))
            self.assert_refused("Image failed safety checks: descriptor", self.fetch(disk_format="vmdk"))

    # breaking off

    def test_download_goes_on_where_it_broke_off(self):
        self.serve(BEGUN, the_rest())
        self.assert_imported(DATA, self.fetch())
        first, second = self.web.asked
        self.assertNotIn("Range:", first)
        # No byte was sent twice.
        self.assertIn(f'Range: bytes={2 * MIB}-\r\nIf-Range: "one"\r\n', second)

    def test_server_without_ranges_begins_anew_and_the_parts_are_not_mixed(self):
        self.serve(BEGUN, response(DATA, ETag='"one"'))
        self.assert_refused("The server cannot go on where the answer broke off", self.fetch())

    def test_server_that_has_other_data_now(self):
        self.serve(BEGUN, the_rest('"two"'))
        self.assert_refused("another range", self.fetch())

    def test_image_can_be_imported_when_the_server_has_come_to_its_senses(self):
        image = self.service.create_image()
        self.serve(BEGUN, response(status="503 Service Unavailable"))
        self.assert_refused("The server answered 503.", run_import(self.service, image, web(self.web.url("/disk"))))
        self.serve(response(DATA))
        self.assert_imported(DATA, run_import(self.service, image, web(self.web.url("/disk"))))


def failed_stores(image):
    """Return the stores that the image shows as failed."""
    return image["os_glance_failed_import"]


def the_rest(tag='"one"'):
    """Return the answer to one who has what ``BEGUN`` sent."""
    start, end = 2 * MIB, len(DATA)
    place = f"bytes {start}-{end - 1}/{end}"
    return response(DATA[start:], "206 Partial Content", Content_Range=place, ETag=tag)
