"""Events are exactly the same whether they are sent after a change (``direct``) or stored with it (``outbox``).

All cases of the tables, and the HTTP tests with a worker, run once with each delivery; what they publish is compared.
The second time the data access is behind a wire, so that all calls, results and errors of these tests cross it too.
"""

import json
import re
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any
from unittest import TestLoader, TestResult

import testtools

from glance_mini.domain.event import Event
from tests.http import (
    test_cases,
    test_delayed_delete,
    test_import_tasks,
    test_imports_done,
    test_locations_done,
    test_plugins_done,
    test_stores_done,
)
from tests.unit.entry_points import installed

MODULES = (
    test_cases,
    test_delayed_delete,
    test_import_tasks,
    test_imports_done,
    test_locations_done,
    test_plugins_done,
    test_stores_done,
)

DIRECT = {"notifications": {"delivery": "direct"}}
STORED = {"notifications": {"delivery": "outbox"}, "database": {"data_access": "wire"}}

RACES = {"test_of_two_who_restore_at_once_one_does_it"}
"""Tests whose events have another order each time, because two callers are at work at once."""

ACCESSES = (
    ("sqlalchemy", "glance_mini.db.sqlalchemy.access:SqlDataAccess"),
    ("wire", "tests.unit.db.wire:WireAccess"),
)
"""The backends that there are, while these tests run."""

_UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?:-[0-9a-f]{8})?"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
_CHANGING = re.compile(rf"(?P<id>(?:req-)?{_UUID})|(?P<time>{_TIME})|(?P<port>127\.0\.0\.1:\d+)")
"""What differs from run to run: ids, times and the ports of servers."""


class TestDeliveries(testtools.TestCase):
    def compare(self, test_class: Any) -> None:
        for name in TestLoader().getTestCaseNames(test_class):
            if name in RACES:
                continue
            direct, stored = self.published(test_class, name, DIRECT), self.published(test_class, name, STORED)
            self.assertEqual(direct, stored, f"{test_class.__name__}.{name}")

    def published(self, test_class: Any, name: str, delivery: dict[str, dict[str, object]]) -> list[str]:
        """Return the events of a test, each as text."""
        recorded: list[Event] = []

        class Recording(test_class):  # type: ignore[misc]
            options = _merge(getattr(test_class, "options", {}), delivery)

            def tearDown(self) -> None:
                recorded.extend(self.service.events())
                super().tearDown()

        result = TestResult()
        with installed("glance_mini.data_access", *ACCESSES):
            Recording(name).run(result)
        for _, text in (*result.errors, *result.failures):
            self.fail(f"{test_class.__name__}.{name} fails with {delivery}:\n{text}")
        return _normalised(recorded)


def _merge(*layers: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    merged: dict[str, dict[str, object]] = {}
    for layer in layers:
        for group, values in layer.items():
            merged[group] = {**merged.get(group, {}), **values}
    return merged


def _normalised(events: Iterable[Event]) -> list[str]:
    """Return the events as texts in which what differs from run to run is numbered in the order of its appearance."""
    numbers: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        kind = str(match.lastgroup)
        return kind if kind == "time" else f"{kind}-{numbers.setdefault(match[0], len(numbers))}"

    texts = [json.dumps([one.type, one.payload, one.priority, one.caller, one.image_id]) for one in events]
    return [_CHANGING.sub(number, text) for text in texts]


def _classes(modules: Iterable[ModuleType]) -> Iterable[Any]:
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == module.__name__ and value.__name__.startswith("Test"):
                yield value


def _make_test(test_class: Any) -> Callable[[TestDeliveries], None]:
    return lambda self: self.compare(test_class)


for _class in _classes(MODULES):
    _name = f"{_class.__module__.rpartition('.')[2]}_{_class.__name__}"
    setattr(TestDeliveries, f"test_events_of_{_name}_are_the_same", _make_test(_class))
