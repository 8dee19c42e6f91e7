"""Addresses by which others read and send data without credentials."""

import time
import urllib.error
import urllib.request

from glance_mini_store import capabilities, errors
from glance_mini_store.testing.case import DriverCase
from glance_mini_store.testing.content import KIB, MIB, new_name, pattern

RANGE_SIZE = 3 * 64 * KIB + 17


class AddressTests(DriverCase):
    """Presigned addresses for reading and for uploads."""

    def test_without_the_capability_there_is_no_presigned_url(self) -> None:
        if capabilities.PRESIGN not in self.driver.capabilities:
            self.assertIsNone(self.driver.presigned_url(self.put(new_name(), b"data"), 60))

    def test_presigned_url_gives_the_data_and_its_ranges_to_anybody(self) -> None:
        self.needs(capabilities.PRESIGN)
        for size in (1, RANGE_SIZE, 5 * MIB):
            data = pattern(size)
            url = self.store.presigned_url(self.put(new_name(), data), 60)
            self.assertEqual((200, data), fetched(url))
            middle = size // 2
            self.assertEqual((206, data[middle:]), fetched(url, Range=f"bytes={middle}-"))

    def test_presigned_url_gives_other_data_to_nobody(self) -> None:
        self.needs(capabilities.PRESIGN)
        mine, other = new_name(), new_name()
        url, _ = self.driver.presigned_url(self.put(mine, b"mine"), 60), self.put(other, b"other")
        self.assertIsNotNone(url)
        status, data = fetched(str(url).replace(mine, other))
        self.assertIn(status, (401, 403))
        self.assertNotEqual(b"other", data)

    def test_presigned_url_changes_nothing(self) -> None:
        self.needs(capabilities.PRESIGN)
        location = self.put(new_name(), b"data")
        url = self.driver.presigned_url(location, 60)
        for method in ("PUT", "DELETE"):
            self.assertIn(fetched(url, method, b"new" if method == "PUT" else None)[0], (401, 403))
        self.assertEqual(b"data", self.content(location))

    def test_presigned_url_ends(self) -> None:
        self.needs(capabilities.PRESIGN)
        url = self.driver.presigned_url(self.put(new_name(), b"data"), 1)
        deadline = time.monotonic() + 30
        while (status := fetched(url)[0]) == 200 and time.monotonic() < deadline:
            time.sleep(0.2)
        self.assertIn(status, (401, 403))

    def test_without_the_capability_nothing_can_be_sent(self) -> None:
        if capabilities.UPLOAD not in self.driver.capabilities:
            with self.assertRaises(errors.StoreAddDisabled):
                self.driver.presigned_upload(new_name(), 60, 4)
            self.assertIsNone(self.driver.uploaded(new_name()))

    def test_what_was_sent_is_copied_and_the_copy_does_not_change(self) -> None:
        self.needs(capabilities.UPLOAD)
        sent, name, data = new_name(), new_name(), pattern(MIB + 1)
        url = self.store.presigned_upload(sent, 60, len(data))
        self.assertIsNone(self.store.uploaded(sent))
        self.assertIn(fetched(url, "PUT", data)[0], (200, 201))
        self.assertEqual(len(data), self.store.uploaded(sent))
        written = self.store.adopt(sent, name, len(data))
        self.assertEqual(len(data), written.size)
        self.assertEqual(data, self.content(written.location))
        fetched(url, "PUT", data[::-1])
        self.assertEqual(data, self.content(written.location))
        self.driver.discard(sent)
        self.assertIsNone(self.driver.uploaded(sent))
        self.assertEqual(data, self.content(written.location))

    def test_copy_has_the_announced_size_and_replaces_nothing(self) -> None:
        self.needs(capabilities.UPLOAD)
        sent, name = new_name(), new_name()
        with self.assertRaises(errors.NotFound):
            self.driver.adopt(sent, name, 4)
        fetched(self.driver.presigned_upload(sent, 60, 4), "PUT", b"sent")
        with self.assertRaises(errors.SizeMismatch):
            self.driver.adopt(sent, name, 5)
        location = self.put(name, b"older")
        with self.assertRaises(errors.Duplicate):
            self.driver.adopt(sent, name, 4)
        self.assertEqual(b"older", self.content(location))

    def test_address_for_an_upload_reads_and_copies_nothing(self) -> None:
        self.needs(capabilities.UPLOAD)
        sent, secret = new_name(), new_name()
        location = self.put(secret, b"secret")
        url = self.driver.presigned_upload(sent, 60, 6)
        source = location.partition("://")[2].partition("/")[2]
        for headers in (
            {"x-amz-copy-source": f"/{source}"},
            {"X-Copy-From": f"/{source}"},
            {"X-Copy-From": f"/{source}", "Content-Length": "0"},
        ):
            for body in (b"public", b""):
                fetched(url, "PUT", body, **headers)
                if self.driver.uploaded(sent) is not None:
                    copied = self.driver.adopt(sent, new_name(), self.driver.uploaded(sent) or 0)
                    self.assertNotEqual(b"secret", self.content(copied.location))
        self.assertIn(fetched(url)[0], (401, 403))
        self.assertIn(fetched(url.replace(sent, secret), "PUT", b"public")[0], (401, 403))
        self.assertEqual(b"secret", self.content(location))


def fetched(url: str | None, method: str = "GET", data: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Return status and body of the answer to a request without credentials."""
    request = urllib.request.Request(str(url), method=method, headers=headers, data=data)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
