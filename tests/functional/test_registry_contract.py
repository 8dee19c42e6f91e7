"""A registry over HTTPS, on the real server, on SQLite: values, refusals, events, and calls at once.

The coding of all calls is tested without a server, and the whole contract through one in the integration part
``registry``.
"""

import testtools

from glance_mini.db.interface import no_events
from glance_mini.domain import errors
from glance_mini.testing.data_access.concurrency import ConcurrencyContract
from glance_mini.testing.data_access.members import MemberContract
from glance_mini.testing.data_access.once import OnceContract
from glance_mini.testing.data_access.outbox import OutboxContract
from glance_mini.testing.data_access.samples import NOW, creation, sample
from tests.functional.faults import use_for_class
from tests.functional.registry import EVERY, EmptiedRegistry, access


class EventsOfRegistry:
    """What is different in the contract for events: the rules are the registry's, and its faults do not cross."""

    database = "sqlite://"

    def test_event_that_cannot_be_made_undoes_the_change(self):
        image = sample()
        self.registry.empty("failing", self.database)
        failing = self.open_data_access(object())
        self.addCleanup(failing.close)
        self.assertRaises(errors.Unavailable, failing.run, creation(image), NOW)
        self.assertRaises(errors.NotFound, self.image, image)
        self.assertIn("ZeroDivisionError", self.registry.log.read_text())


class OnSqlite(EventsOfRegistry):
    """One registry for all tests of a class; each gives it a new database."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = use_for_class(cls, EmptiedRegistry())

    def setUp(self):
        self.registry.empty("contract")
        super().setUp()

    def open_data_access(self, event_rules=no_events):
        """Return an access through the registry as a node with all roles."""
        return access(self.registry.port, node=EVERY, stores_events=event_rules is not no_events)


class TestContract(OnSqlite, MemberContract, OutboxContract, OnceContract, ConcurrencyContract, testtools.TestCase):
    pass
