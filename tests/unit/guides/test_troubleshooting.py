"""The texts that the manual explains are those of the program, and the tests that it names exist."""

import ast
import re
from functools import cache

import testtools

from tests.unit.guides.printed import ROOT

MANUAL = ROOT / "doc" / "source" / "operator"
AT_LEAST = 30
"""Symptoms that the page explains."""

_PLACEHOLDER = re.compile(r"\{[^{}]*\}|%(?:\.\d+)?[sdrf]")
_TITLE = re.compile(r"^``(.+)``$", re.MULTILINE)
_NAMED_TEST = re.compile(r"``(tests/[\w/]+\.py): (test_\w+)``")


def _text(node):
    if isinstance(node, ast.JoinedStr):
        return "".join(
            _PLACEHOLDER.sub("…", each.value) if isinstance(each, ast.Constant) else "…" for each in node.values
        )
    return _PLACEHOLDER.sub("…", node.value)


@cache
def texts():
    """Return the texts in the source, with … for what is put in; docstrings are none."""
    found = []
    for package in ("glance_mini", "glance_mini_store"):
        for path in (ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text())
            statements = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
            for node in ast.walk(tree):
                is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
                if (is_text or isinstance(node, ast.JoinedStr)) and id(node) not in statements:
                    found.append(_text(node))
    return frozenset(found)


def is_known(symptom):
    """Return whether a text of the source can look like ``symptom``, which may begin or end with what is put in."""
    return any(symptom.strip("…") in text for text in texts())


class TestTroubleshooting(testtools.TestCase):
    def test_every_symptom_is_a_text_of_the_program(self):
        symptoms = _TITLE.findall((MANUAL / "troubleshooting.rst").read_text())
        self.assertGreaterEqual(len(symptoms), AT_LEAST)
        self.assertEqual([], [symptom for symptom in symptoms if not is_known(symptom)])
        self.assertEqual(len(symptoms), len(set(symptoms)))

    def test_a_text_that_the_program_does_not_have_is_noticed(self):
        self.assertFalse(is_known("Image … is … and always was."))
        self.assertFalse(is_known("Return whether a text of the source can look like"))


class TestSecurity(testtools.TestCase):
    def test_every_test_that_the_page_names_exists(self):
        named = _NAMED_TEST.findall((MANUAL / "security.rst").read_text())
        self.assertGreaterEqual(len(named), 20)
        self.assertEqual([], [(file, name) for file, name in named if f" def {name}(" not in (ROOT / file).read_text()])
