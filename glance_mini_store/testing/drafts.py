"""Data that is written over several calls."""

from glance_mini_store import capabilities, errors
from glance_mini_store.testing.case import DriverCase
from glance_mini_store.testing.content import MIB, new_name, pattern


class DraftTests(DriverCase):
    """Drafts that go on where they were left."""

    def test_draft_goes_on_where_it_was_left_and_is_read_and_removed(self) -> None:
        if capabilities.DRAFT not in self.driver.capabilities:
            with self.assertRaises(errors.StoreAddDisabled), self.store.draft(new_name(), 0):
                pass
            self.skipTest("the driver has no drafts")
        name, data = new_name(), pattern(2 * MIB + 1)
        with self.store.draft(name, 0) as draft:
            draft.write(data[:MIB])
            draft.write(b"what is dropped")
            draft.sync()
        with self.store.draft(name, MIB) as draft:
            draft.write(memoryview(data)[MIB:])
            draft.sync()
            self.assertEqual(data, self.content(draft.location))
        with self.assertRaises(errors.NotFound), self.store.draft(name, len(data) + 1):
            pass
        self.driver.discard(name)
        with self.assertRaises(errors.NotFound), self.store.draft(name, MIB):
            pass
        with self.store.draft(name, 0) as draft:
            self.assertEqual(b"", self.content(draft.location))

    def test_draft_has_one_user_at_a_time(self) -> None:
        self.needs(capabilities.DRAFT)
        name = new_name()
        with self.store.draft(name, 0) as first:
            first.write(b"first")
            with self.assertRaises(errors.DraftInUse), self.store.draft(name, 0):
                pass
            self.assertEqual(b"first", self.content(first.location))
        with self.store.draft(name, 5):
            pass
