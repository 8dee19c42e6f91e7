"""What a driver says of itself, and what it refuses."""

import json
from collections.abc import Callable

from glance_mini_store import capabilities, errors
from glance_mini_store.driver import CONTRACT
from glance_mini_store.testing.case import DriverCase
from glance_mini_store.testing.content import new_name


class DescriptionTests(DriverCase):
    """Type, schemes, capabilities, properties, check and probe."""

    def test_probe_of_a_usable_backend_returns_its_free_bytes_or_none(self) -> None:
        free = self.store.probe()
        self.assertTrue(free is None or free >= 0, free)

    def test_capabilities_are_known_words_and_reading_is_one(self) -> None:
        self.assertLessEqual(self.driver.capabilities, capabilities.ALL)
        self.assertIn(capabilities.READ, self.driver.capabilities)

    def test_contract_is_the_one_of_this_library(self) -> None:
        self.assertEqual(CONTRACT, self.driver.contract)

    def test_type_and_schemes_are_named(self) -> None:
        self.assertTrue(self.driver.type)
        self.assertTrue(self.driver.schemes)
        self.assertTrue(all(prefix.partition("://")[0] in self.driver.schemes for prefix in self.driver.prefixes))

    def test_location_has_a_prefix_of_the_driver(self) -> None:
        location = self.put(new_name(), b"data")
        self.assertTrue(location.startswith(self.driver.prefixes), location)

    def test_properties_can_be_shown_as_json(self) -> None:
        json.dumps(dict(self.driver.properties()))

    def test_check_passes_and_may_be_repeated(self) -> None:
        self.driver.check()
        self.driver.check()

    def test_what_is_not_claimed_is_refused(self) -> None:
        location = self.put(new_name(), b"data")
        refusals: dict[str, tuple[type[errors.StoreError], Callable[[], object]]] = {
            capabilities.WRITE: (errors.StoreAddDisabled, lambda: self.driver.write(new_name(), [b"x"], 1)),
            capabilities.DELETE: (errors.StoreDeleteNotSupported, lambda: self.driver.delete(location)),
            capabilities.ACL: (errors.StoreAclNotSupported, lambda: self.driver.set_acl(location, True, [])),
        }
        for word in refusals.keys() - self.driver.capabilities:
            error, call = refusals[word]
            with self.assertRaises(error):
                call()

    def test_acl_can_be_set_and_set_again(self) -> None:
        self.needs(capabilities.ACL)
        location = self.put(new_name(), b"data")
        self.driver.set_acl(location, True, [])
        self.driver.set_acl(location, False, ["project"])
        self.assertEqual(b"data", self.content(location))
