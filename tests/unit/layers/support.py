"""What tests of single layers share: an enforcer with given policy lines, the result of a call."""

import os
from typing import Any

import fixtures
import testtools

from glance_mini import conf as configuration
from glance_mini.policies.enforcer import Enforcer


def make_conf(test: testtools.TestCase, text: str = "") -> Any:
    """Return a configuration read from a file with ``text``."""
    folder = test.useFixture(fixtures.TempDir()).path
    path = os.path.join(folder, "glance-mini.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return configuration.load([], files=[path])


def make_enforcer(test: testtools.TestCase, policy: str = "", **named: Any) -> Enforcer:
    """Return an enforcer with the default rules, overridden by the lines ``policy`` of a policy file."""
    folder = test.useFixture(fixtures.TempDir()).path
    path = os.path.join(folder, "policy.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(policy)
    return Enforcer.from_config(make_conf(test, f"[oslo_policy]\npolicy_file = {path}\n"), **named)
