"""The contract of drivers for the file and http drivers of ``glance_store``, where that package is installed."""

import http.server
import os
import re
import tempfile
import threading
import unittest
from types import SimpleNamespace

from glance_mini_store import errors
from glance_mini_store.loading import load_driver
from glance_mini_store.testing import DriverContract


class TemporaryDirectory(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        super().setUp()


def settings(driver, **values):
    """Return the defaults of the options, and ``values``."""
    return SimpleNamespace(**{option.dest: values.get(option.dest, option.default) for option in driver.options})


class TestFile(DriverContract, TemporaryDirectory):
    def make_driver(self):
        kind = load_driver("glance_store.file")
        driver = kind.from_config(settings(kind, filesystem_store_datadir=f"{self.directory}/data"), "old")
        driver.check()
        return driver

    def leftovers(self):
        return sorted(os.listdir(f"{self.directory}/data"))

    @unittest.expectedFailure
    def test_write_of_a_killed_process_is_not_readable_and_can_be_discarded(self):
        # This driver writes to the place from which it reads.
        super().test_write_of_a_killed_process_is_not_readable_and_can_be_discarded()

    def test_killed_write_can_be_discarded(self):
        path = f"{self.directory}/data/half"
        with open(path, "wb") as file:
            file.write(b"half")
        self.driver.discard("half")
        self.assertFalse(os.path.exists(path))

    def test_directory_that_is_gone_is_an_error_of_the_contract(self):
        os.rmdir(f"{self.directory}/data")
        with self.assertRaises(errors.StoreError):
            self.driver.write("abc", [b"data"], 4)

    def test_prefix_is_that_of_the_directory_and_of_no_other(self):
        self.assertEqual((f"file://{self.directory}/data/",), self.driver.prefixes)


class Pages(http.server.BaseHTTPRequestHandler):
    """The bytes of ``pages`` by path, without ranges."""

    pages = {}
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._answer(False)

    def do_GET(self):
        self._answer(True)

    def _answer(self, has_body):
        data = self.pages.get(self.path)
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        if has_body and data:
            self.wfile.write(data)

    def log_message(self, *args):
        pass


class TestHttp(DriverContract, TemporaryDirectory):
    def make_driver(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}/"
        kind = load_driver("glance_store.http")
        driver = kind.from_config(settings(kind), "web")
        driver.check()
        return driver

    def put(self, name, data):
        Pages.pages[f"/{name}"] = data
        return self.url + name

    def missing_location(self):
        return self.url + "missing"

    def test_credentials_are_not_shown(self):
        location = self.url.replace("//", "//user:secret@") + "missing"
        with self.assertRaises(errors.StoreError) as caught:
            list(self.driver.read(location))
        self.assertNotIn("secret", str(caught.exception))


class TestLoading(unittest.TestCase):
    def test_options_with_secrets_are_hidden(self):
        hidden = {
            option.dest
            for name in ("s3", "swift", "vmware", "rbd")
            for option in load_driver(f"glance_store.{name}").options
            if option.secret
        }
        self.assertLessEqual(
            {"s3_store_secret_key", "s3_store_access_key", "swift_store_key", "vmware_server_password"}, hidden
        )

    def test_unknown_driver_names_those_that_are_installed(self):
        with self.assertRaises(errors.DriverLoadFailure) as caught:
            load_driver("glance_store.gold")
        self.assertTrue(re.search("there are .*file.*http", str(caught.exception)))


if __name__ == "__main__":
    unittest.main()
