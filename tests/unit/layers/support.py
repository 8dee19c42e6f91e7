"""What tests of single layers share: a layer over a recorder, an enforcer with given policy lines, callers."""

import os
from typing import Any

import fixtures
import testtools

from glance_mini import conf as configuration
from glance_mini.db.interface import DataAccess
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.domain.context import Context
from glance_mini.domain.member import Member
from glance_mini.layers.base import Layer
from glance_mini.layers.database import DatabaseLayer
from glance_mini.layers.stack import Stack
from glance_mini.policies.enforcer import Enforcer
from glance_mini.testing.recorder import Recorder, recorder_below
from glance_mini.testing.samples import IMAGE_ID, TIME, make_context
from glance_mini.testing.tables import make_tables

OWNER = make_context("member", "p1")
MEMBER = make_context("member", "p2")
OTHER = make_context("member", "p3")
ADMIN = make_context("admin", "p9")
ANONYMOUS = Context(read_only=True)
CLOUDLESS_ADMIN = Context(is_admin=True)
"""The administrator of a pipeline without authentication: no project, no roles."""


def stand(*layers: Layer, **answers_with: Any) -> tuple[Stack, Recorder]:
    """Return a stack of ``layers`` over a recorder with ``answers_with``."""
    recorder = recorder_below(*layers, answers_with=answers_with)
    return Stack([*layers, recorder]), recorder


def make_database(test: testtools.TestCase, connection: str = "sqlite://", **values: Any) -> SqlDataAccess:
    """Return the data access on a new database, in memory where nothing else is named, with arguments ``values``."""
    engine = make_engine(connection)
    make_tables(engine)
    data = SqlDataAccess(engine, **values)
    test.addCleanup(data.close)
    return data


def make_database_layer(data: DataAccess, **values: Any) -> DatabaseLayer:
    """Return the innermost layer on ``data``, with further arguments ``values``."""
    return DatabaseLayer(data, **values)


def make_member(member_id: str = "p2", status: str = "pending") -> Member:
    """Return a membership in the sample image."""
    return Member(image_id=IMAGE_ID, member_id=member_id, status=status, created_at=TIME, updated_at=TIME)


def count(metric: Any, *labels: str) -> float:
    """Return what a counter says, of ``labels`` where it has some."""
    value: float = (metric.labels(*labels) if labels else metric)._value.get()
    return value


def make_conf(test: testtools.TestCase, text: str = "") -> Any:
    """Return a configuration read from a file with ``text``."""
    folder = test.useFixture(fixtures.TempDir()).path
    path = os.path.join(folder, "glance-mini.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return configuration.load([], files=[path])


class Decisions:
    """Takes the place of a counter of policy decisions and remembers rule and answer of each."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bool]] = []

    def labels(self, rule: str, answer: str) -> "Decisions":
        """Take note of one decision."""
        self.seen.append((rule, answer == "allowed"))
        return self

    def inc(self) -> None:
        """Count nothing."""


def make_enforcer(test: testtools.TestCase, policy: str = "", **named: Any) -> Enforcer:
    """Return an enforcer with the default rules, overridden by the lines ``policy`` of a policy file."""
    folder = test.useFixture(fixtures.TempDir()).path
    path = os.path.join(folder, "policy.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(policy)
    return Enforcer.from_config(make_conf(test, f"[oslo_policy]\npolicy_file = {path}\n"), **named)
