"""Addresses of data in its store: for whom they are made, and what they never are made for."""

import fixtures
import testtools

from glance_mini.domain.image import Location
from glance_mini.layers.location.direct import DirectUrls
from glance_mini.testing.samples import make_image
from glance_mini_store import capabilities, errors
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores


class SigningDriver(MemoryDriver):
    """A driver whose data has addresses; ``asked`` are the seconds that they were made for."""

    capabilities = MemoryDriver.capabilities | {capabilities.PRESIGN}

    def __init__(self, store_id: str) -> None:
        super().__init__(store_id)
        self.asked: list[int] = []
        self.failure: errors.StoreError | None = None

    def presigned_url(self, location: str, seconds: int) -> str | None:
        if self.failure is not None:
            raise self.failure
        self.asked.append(seconds)
        return None if "outside" in location else f"https://store.example.com/{location.rpartition('/')[2]}?sig=1"


class DirectUrlsTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.signing, self.plain = SigningDriver("a"), MemoryDriver("b")
        self.stores = Stores([Store(self.signing, "a", is_default=True), Store(self.plain, "b")], multi=True)

    def put(self, name: str, data: bytes = b"data", driver: MemoryDriver | None = None) -> Location:
        driver = driver or self.signing
        location = driver.write(name, [data], len(data)).location
        return Location(location, {"store": "a" if driver is self.signing else "b"})

    def url(self, *locations: Location, seconds: int | None = 60, **values: object) -> str | None:
        image = make_image(
            **{"size": 4, "os_hash_algo": "sha256", "os_hash_value": "a", "locations": locations, **values}
        )
        return DirectUrls(self.stores, seconds).url(image, locations)

    def test_first_location_with_an_address_is_taken(self) -> None:
        locations = self.put("x", driver=self.plain), self.put("outside"), self.put("one"), self.put("two")
        self.assertEqual("https://store.example.com/one?sig=1", self.url(*locations))
        self.assertEqual([60, 60], self.signing.asked)

    def test_nothing_is_made_where_it_is_switched_off(self) -> None:
        self.assertIsNone(self.url(self.put("one"), seconds=None))
        self.assertEqual([], self.signing.asked)

    def test_data_that_is_missing_or_has_another_size_has_no_address(self) -> None:
        missing = self.put("one")
        self.signing.delete(missing.url)
        self.assertIsNone(self.url(missing))
        self.assertIsNone(self.url(self.put("two", b"longer")))
        self.assertIsNone(self.url())

    def test_data_of_a_user_has_no_address(self) -> None:
        location = self.put("one")
        self.assertIsNone(self.url(Location(location.url, {**location.metadata, "os_glance_version": "etag"})))
        self.assertEqual([], self.signing.asked)

    def test_data_without_a_known_hash_has_no_address(self) -> None:
        self.assertIsNone(self.url(self.put("one"), os_hash_value=None, checksum=None))
        self.assertEqual([], self.signing.asked)

    def test_store_that_fails_is_passed_over_and_its_address_not_logged(self) -> None:
        logger = self.useFixture(fixtures.FakeLogger())
        location = self.put("one")
        self.signing.failure = errors.RemoteServiceUnavailable(reason="cable cut")
        self.assertIsNone(self.url(location))
        self.assertIn("cable cut", logger.output)
        self.assertNotIn("sig=", logger.output)
