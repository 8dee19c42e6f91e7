"""All tables of HTTP cases, with a registry between the application and SQLite."""

import atexit
from functools import cache

from glance_mini.testing.application import ApplicationFixture
from tests.functional.registry import EVERY, EmptiedRegistry, node_options
from tests.http import test_cases


@cache
def registry():
    """Return the registry of this process."""
    started = EmptiedRegistry()
    started.setUp()
    atexit.register(started.cleanUp)
    return started


class ThroughRegistry(ApplicationFixture):
    """The application of the cases, as a node without a database. Its certificate has all roles."""

    def __init__(self, options=None, policy="", **values):
        node = node_options(registry().port, node=EVERY)
        merged = {group: dict(found) for group, found in (options or {}).items()}
        for group, found in node.items():
            merged.setdefault(group, {}).update(found)
        merged["database"]["connection"] = None
        super().__init__(merged, policy, **values)

    def _make_tables(self):
        registry().empty()


def _make_class(cases):
    return type(cases.__name__, (cases,), {"__module__": __name__, "application": ThroughRegistry})


globals().update(
    {
        name: _make_class(found)
        for name, found in vars(test_cases).items()
        if isinstance(found, type) and issubclass(found, test_cases.HttpCase) and found is not test_cases.HttpCase
    }
)
