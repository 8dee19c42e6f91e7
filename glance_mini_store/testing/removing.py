"""Deletion, what is removed after a failure, and lists of what is there."""

import time

from glance_mini_store import capabilities, errors
from glance_mini_store.testing.case import DriverCase
from glance_mini_store.testing.content import in_killed_process, new_name


class RemovingTests(DriverCase):
    """Deleting, discarding and listing."""

    def test_deleted_data_is_not_found_nor_deleted_twice(self) -> None:
        self.needs(capabilities.DELETE)
        location = self.put(new_name(), b"data")
        self.driver.delete(location)
        self.assert_gone(location)
        with self.assertRaises(errors.NotFound):
            self.driver.delete(location)

    def test_delete_of_a_foreign_location_is_refused(self) -> None:
        self.needs(capabilities.DELETE)
        with self.assertRaises(errors.BadStoreUri):
            self.driver.delete("foreign://somewhere/data")

    def test_discard_removes_what_was_published_and_may_be_repeated(self) -> None:
        self.needs(capabilities.WRITE)
        name = new_name()
        before = self.leftovers()
        location = self.put(name, b"unrecorded")
        self.driver.discard(name)
        self.driver.discard(name)
        self.assert_gone(location)
        self.assertEqual(before, self.leftovers())

    def test_discard_of_an_unknown_name_is_no_error(self) -> None:
        self.driver.discard(new_name())

    def test_discard_leaves_other_names_alone(self) -> None:
        self.needs(capabilities.WRITE)
        name = new_name()
        location = self.put(f"{name}-2", b"data")
        self.driver.discard(name)
        self.assertEqual(b"data", self.content(location))

    def test_write_of_a_killed_process_is_not_readable_and_can_be_discarded(self) -> None:
        self.needs(capabilities.WRITE, capabilities.DELETE)
        name, location = self.used_name()
        before = self.leftovers()
        in_killed_process(lambda source: self.driver.write(name, source, None))
        self.assert_gone(location)
        self.driver.discard(name)
        self.assertEqual(before, self.leftovers())
        self.assertEqual(b"data", self.content(self.put(name, b"data")))

    def test_names_tell_what_writes_have_left(self) -> None:
        self.needs(capabilities.WRITE)
        if self.driver.names() is None:
            self.skipTest("the driver cannot list its names")
        before = self.leftovers()
        published, killed, gone = new_name(), new_name(), new_name()
        self.put(published, b"data")
        in_killed_process(lambda source: self.driver.write(killed, source, None))
        self.put(gone, b"data")
        self.driver.discard(gone)
        found = set(self.driver.names() or ())
        self.assertIn(published, found)
        self.assertNotIn(gone, found)
        for name in found:
            self.driver.discard(name)
        self.assertEqual((set(), before), (set(self.driver.names() or ()), self.leftovers()))

    def test_list_of_objects_has_all_published_data_with_its_location_and_age(self) -> None:
        self.needs(capabilities.LIST, capabilities.WRITE, capabilities.DELETE)
        before = {each.location for each in self.driver.list_objects()}
        names = [new_name(), new_name(), new_name()]
        gone, *kept = [self.put(name, b"data") for name in names]
        killed = new_name()
        in_killed_process(lambda source: self.driver.write(killed, source, None))
        self.driver.delete(gone)
        found = {each.location: each for each in self.store.list_objects() if each.location not in before}
        self.assertEqual(set(kept), set(found))
        for name, location in zip(names[1:], kept, strict=True):
            self.assertEqual(name, found[location].name)
            self.assertIn(found[location].size, (4, None))
            self.assertLess(abs((found[location].changed_at or 0) - time.time()), 300)
        self.driver.discard(killed)

    def test_driver_without_a_list_says_so(self) -> None:
        if capabilities.LIST not in self.driver.capabilities:
            self.assertRaises(errors.StoreListNotSupported, lambda: list(self.driver.list_objects()))
