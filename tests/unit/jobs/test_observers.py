"""What a user expects of imported data: its hashes, compared on its way to a store."""

import hashlib

import testtools

from glance_mini.content.hashes import ExpectedHashes, HashMismatch
from glance_mini.domain.errors import Invalid
from glance_mini_store import errors as store_errors
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.store import Store

DATA = bytes(range(256)) * 100


def digest(name):
    return hashlib.new(name, DATA).hexdigest()


class ObserverCase(testtools.TestCase):
    def write(self, observer, data=DATA):
        """Write ``data`` to a store with ``observer`` and return whether it can be read back."""
        driver = MemoryDriver()
        store = Store(driver)
        chunks = [data[start : start + 1000] for start in range(0, len(data), 1000)]
        try:
            store.write("image", chunks, observers=(observer,))
        finally:
            self.readable = self.read(store)
        return self.readable

    def read(self, store):
        try:
            return b"".join(store.read("memory://default/image")) == DATA
        except store_errors.NotFound:
            return False


class TestExpectedHashes(ObserverCase):
    def test_data_with_all_expected_hashes_is_stored(self):
        for expected in (
            {},
            {"sha256": digest("sha256")},
            {"SHA512": f" {digest('sha512').upper()} ", "md5": digest("md5"), "sha3_256": digest("sha3_256")},
        ):
            self.assertTrue(self.write(ExpectedHashes(expected)))

    def test_data_with_one_other_hash_is_not_stored(self):
        expected = {"sha256": digest("sha256"), "md5": "0" * 32}
        error = self.assertRaises(HashMismatch, self.write, ExpectedHashes(expected))
        self.assertIn(f"The md5 of the data is {digest('md5')}", str(error))
        self.assertFalse(self.readable)

    def test_hashes_that_no_data_can_have_are_refused_at_once(self):
        for name, value in (
            *(("nonsense", "00"), ("shake_128", "00"), ("sha256", ""), ("sha256", digest("md5"))),
            *(("md5", "x" * 32), ("md5", "-" + "0" * 31)),
        ):
            self.assertRaises(Invalid, ExpectedHashes, {name: value})
