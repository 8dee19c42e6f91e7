"""Every data call is answered once, the contract loses no test, and backends are loaded as entry points."""

import importlib
import pkgutil
from collections import Counter

from testtools import TestCase

from glance_mini import conf as configuration
from glance_mini.db import sqlalchemy
from glance_mini.db.factory import BACKENDS, open_data_access
from glance_mini.db.interface import Backend, no_events
from glance_mini.db.sqlalchemy.access import QUERIES, TIMED_QUERIES, WRITES, SqlDataAccess
from glance_mini.domain.errors import ConfigurationError
from glance_mini.operations import DATA_CALLS
from glance_mini.operations.images import CreateImage
from glance_mini.operations.records import Ping
from glance_mini.testing import DataAccessContract
from glance_mini.testing.data_access.samples import creation, sample
from glance_mini.testing.tables import make_tables
from tests.unit.entry_points import installed

HERE = __name__

SQL = ("sqlalchemy", "glance_mini.db.sqlalchemy.access:SqlDataAccess")


class TestTables(TestCase):
    def test_every_data_call_is_answered_by_one_function(self):
        functions = Counter()
        for module in pkgutil.walk_packages(sqlalchemy.__path__, f"{sqlalchemy.__name__}."):
            if ".migrations" not in module.name and not module.name.endswith(".access"):
                loaded = importlib.import_module(module.name)
                for table in ("QUERIES", "TIMED_QUERIES", "WRITES"):
                    functions.update(list(getattr(loaded, table, {})))
        self.assertEqual(dict.fromkeys(DATA_CALLS, 1), dict(functions))

    def test_the_tables_say_of_each_call_whether_it_writes(self):
        self.assertEqual({call for call in DATA_CALLS if call.writes}, set(WRITES))
        self.assertEqual({call for call in DATA_CALLS if not call.writes}, {*QUERIES, *TIMED_QUERIES})

    def test_every_read_may_be_repeated(self):
        self.assertEqual([], [call for call in (*QUERIES, *TIMED_QUERIES) if not call.may_repeat])

    def test_names_of_calls_are_unique(self):
        self.assertEqual(len(DATA_CALLS), len({call.name for call in DATA_CALLS}))


class TestContract(TestCase):
    def test_no_test_of_the_contract_replaces_another(self):
        names = Counter(name for each in DataAccessContract.__mro__ for name in vars(each) if name.startswith("test_"))
        self.assertEqual([], [name for name, count in names.items() if count > 1])

    def test_no_helper_of_the_contract_replaces_another(self):
        found = {}
        for each in DataAccessContract.__mro__[:-1]:
            for name in vars(each):
                if not name.startswith("_") and name != "setUp":
                    found.setdefault(name, []).append(each.__name__)
        self.assertEqual({}, {name: classes for name, classes in found.items() if len(classes) > 1})


class Elsewhere(Backend):
    """A backend of another package."""

    name = "elsewhere"

    def __init__(self, event_rules):
        self.event_rules = event_rules

    @classmethod
    def from_config(cls, conf, event_rules=no_events):
        if not conf.database.connection:
            raise ZeroDivisionError
        return cls(event_rules)

    def run(self, call, now=None, cause=None):
        """Answer nothing."""

    def close(self):
        """Close nothing."""


class TestBackends(TestCase):
    def open(self, name, *offers, connection="sqlite://", **values):
        conf = configuration.load(files=[])
        conf.set_override("data_access", name, group="database")
        conf.set_override("connection", connection, group="database")
        with installed(BACKENDS.namespace, *offers):
            data = open_data_access(conf, **values)
        self.addCleanup(data.close)
        return data

    def refusal(self, name, *offers, **values):
        return str(self.assertRaises(ConfigurationError, self.open, name, *offers, **values))

    def test_the_database_is_the_default(self):
        conf = configuration.load(files=[])
        conf.set_override("connection", "sqlite://", group="database")
        data = open_data_access(conf)
        self.addCleanup(data.close)
        self.assertIsInstance(data, SqlDataAccess)
        data.run(Ping())

    def test_the_backend_is_given_the_event_rules(self):
        made = []

        def rules(call, result, cause):
            made.append((type(call), result, cause))
            return ()

        data = self.open("sqlalchemy", SQL, event_rules=rules)
        make_tables(data.engine)
        image = data.run(creation(sample()))
        self.assertEqual([(CreateImage, image, None)], made)

    def test_another_package_may_offer_one(self):
        data = self.open("elsewhere", ("elsewhere", f"{HERE}:Elsewhere"))
        self.assertEqual((Elsewhere, no_events), (type(data), data.event_rules))

    def test_a_name_that_nobody_offers_stops_the_start(self):
        text = self.refusal("elswhere", ("elsewhere", f"{HERE}:Elsewhere"))
        self.assertIn("[database] data_access names elswhere, which no installed package offers as", text)

    def test_a_class_that_is_no_backend_stops_the_start(self):
        text = self.refusal("tests", ("tests", f"{HERE}:TestBackends"))
        self.assertIn(f"Data access tests ({HERE}:TestBackends) is no subclass of", text)

    def test_a_backend_with_another_name_stops_the_start(self):
        text = self.refusal("nearby", ("nearby", f"{HERE}:Elsewhere"))
        self.assertIn(f"Data access nearby ({HERE}:Elsewhere) calls itself elsewhere", text)

    def test_a_backend_that_cannot_be_imported_stops_the_start(self):
        text = self.refusal("broken", ("broken", f"{HERE}_that_is_not_there:Broken"))
        self.assertIn("could not be loaded: ModuleNotFoundError", text)

    def test_a_backend_that_cannot_be_built_stops_the_start(self):
        text = self.refusal("elsewhere", ("elsewhere", f"{HERE}:Elsewhere"), connection=None)
        self.assertIn(f"Data access elsewhere ({HERE}:Elsewhere) could not be built: ZeroDivisionError", text)

    def test_the_database_needs_an_address(self):
        self.assertIn("[database] connection is not set", self.refusal("sqlalchemy", SQL, connection=None))
