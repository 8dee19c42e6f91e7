"""The rules that a namespace makes for custom properties, and the layer that asks them."""

import time
from typing import Any

import testtools

from glance_mini.domain.errors import PropertyRefused, Unavailable
from glance_mini.domain.metadefs import (
    Association,
    Namespace,
    NamespaceContent,
    ObjectDefinition,
    PropertyDefinition,
)
from glance_mini.layers.base import Layer
from glance_mini.layers.metadefs.layer import REMEMBERED, EnforcedRules, MetadefsLayer
from glance_mini.layers.metadefs.rules import open_compiler, rules_of
from glance_mini.operations.metadefs import AddNamespace, DeleteNamespace, ModifyNamespace
from glance_mini.testing.layers import LayerContract
from tests.unit.layers.support import make_database

IMAGE = Association("OS::Glance::Image", "os_")


def content(*properties: PropertyDefinition, name: str = "Acme", **parts: Any) -> NamespaceContent:
    """Return a namespace with ``properties``."""
    return NamespaceContent(Namespace(name, visibility="public"), properties=properties, **parts)


class RulesTest(testtools.TestCase):
    def broken(self, definition: dict[str, Any], text: str | None) -> str | None:
        """Return the rule that a value breaks, None if it breaks none."""
        rules, problems = rules_of([content(PropertyDefinition("p", definition))], open_compiler())
        self.assertEqual([], problems)
        try:
            rules.check("p", text)
        except PropertyRefused as error:
            self.assertEqual(("p", "Acme"), (error.values["name"], error.values["namespace"]))
            return str(error.values["rule"])
        return None

    def test_each_rule(self) -> None:
        for definition, good, bad in TABLE:
            for text in good:
                self.assertIsNone(self.broken(definition, text), (definition, text))
            for text, rule in bad.items():
                self.assertEqual(rule, self.broken(definition, text), (definition, text))

    def test_null_is_of_no_type_but_null(self) -> None:
        self.assertIsNone(self.broken({"type": "null"}, None))
        self.assertEqual("type string", self.broken({"type": "string"}, None))

    def test_pattern_that_takes_others_forever_holds_nobody(self) -> None:
        begun = time.perf_counter()
        for pattern in ("(a+)+$", "^(a|a)*$", "^(.*a){20}$"):
            broken = self.broken({"type": "string", "pattern": pattern}, "a" * 60_000 + "b")
            self.assertEqual(f"pattern {pattern}", broken)
        self.assertLess(time.perf_counter() - begun, 5)

    def test_pattern_that_cannot_be_matched_in_linear_time_is_ignored_and_named(self) -> None:
        for pattern in (r"(a)\1", "(?=a)b", "("):
            definition = {"type": "integer", "pattern": pattern}
            rules, problems = rules_of([content(PropertyDefinition("p", definition))], open_compiler())
            self.assertEqual(1, len(problems))
            self.assertIn("p of Acme", problems[0])
            self.assertRaises(PropertyRefused, rules.check, "p", "x")

    def test_long_value_is_cut_in_the_error(self) -> None:
        rules, _ = rules_of([content(PropertyDefinition("p", {"type": "integer"}))], open_compiler())
        error = self.assertRaises(PropertyRefused, rules.check, "p", "x" * 1000)
        self.assertLess(len(str(error)), 250)

    def test_names_have_the_prefix_of_images(self) -> None:
        number = {"type": "integer"}
        group = ObjectDefinition("Tuning", None, ("depth",), {"depth": number})
        flavor = Association("OS::Nova::Flavor", "hw_")
        both = content(PropertyDefinition("bus", number), objects=(group,), associations=(flavor, IMAGE))
        rules, _ = rules_of([both], open_compiler())
        for name in ("os_bus", "os_depth"):
            self.assertRaises(PropertyRefused, rules.check, name, "x")
        for name in ("bus", "hw_bus", "depth", "other"):
            rules.check(name, "x")
        self.assertEqual(("os_depth",), rules.required)

    def test_what_is_required(self) -> None:
        group = ObjectDefinition("o", None, ("a", "b"), {"b": {"type": "string", "required": ["c"]}})
        inside = PropertyDefinition("d", {"type": "object", "required": ["key"]})
        each = content(PropertyDefinition("e", {"type": "string", "required": ["e"]}), inside, objects=(group,))
        self.assertEqual(("a", "b", "c", "e"), rules_of([each], open_compiler())[0].required)

    def test_first_of_two_definitions_counts(self) -> None:
        first = content(PropertyDefinition("p", {"type": "integer"}))
        second = content(PropertyDefinition("p", {"type": "string"}), name="Other")
        rules, _ = rules_of([first, second], open_compiler())
        error = self.assertRaises(PropertyRefused, rules.check, "p", "x")
        self.assertEqual("Acme", error.values["namespace"])


TABLE: list[tuple[dict[str, Any], tuple[str, ...], dict[str, str]]] = [
    ({"type": "string"}, ("", "x", "1"), {}),
    ({"type": "string", "enum": ["a", "b"]}, ("a",), {"c": 'enum ["a", "b"]', "": 'enum ["a", "b"]'}),
    ({"type": "string", "minLength": 2, "maxLength": 3}, ("ab", "üüü"), {"a": "minLength 2", "abcd": "maxLength 3"}),
    ({"type": "string", "pattern": "^[a-z]+$"}, ("ab",), {"a1": "pattern ^[a-z]+$"}),
    ({"type": "string", "pattern": "b"}, ("abc",), {"x": "pattern b"}),
    ({"type": "integer"}, ("0", "-7", "9" * 30), dict.fromkeys(("", "x", "1.5", "1e3", "+1", "١"), "type integer")),
    ({"type": "integer", "minimum": 1, "maximum": 8}, ("1", "8"), {"0": "minimum 1", "9": "maximum 8"}),
    ({"type": "integer", "enum": [1, 2]}, ("1",), {"3": "enum [1, 2]"}),
    ({"type": "integer", "enum": ["1"]}, ("1",), {"2": 'enum ["1"]'}),
    ({"type": "number"}, ("0.5", "1e3", "7", "-1"), dict.fromkeys(("nan", "inf", "x", "1_0"), "type number")),
    ({"type": "number", "minimum": 0.5}, ("0.5",), {"0.4": "minimum 0.5"}),
    ({"type": "boolean"}, ("true", "False", "TRUE"), {"1": "type boolean", "yes": "type boolean", "": "type boolean"}),
    ({"type": "boolean", "enum": [True]}, ("true",), {"false": "enum [true]"}),
    ({"type": "null"}, ("",), {"x": "type null"}),
    ({"type": "object"}, ('{"a": 1}',), {"[]": "type object", "x": "type object", "[" * 60_000: "type object"}),
    ({"type": "array"}, ("", "a", "a,b", "[1]"), {"[": "type array", "[" * 60_000: "type array"}),
    ({"type": "array", "minItems": 1, "maxItems": 2}, ("a,b",), {"": "minItems 1", "a,b,c": "maxItems 2"}),
    ({"type": "array", "uniqueItems": True}, ("a,b", "[1, true]"), {"a,a": "uniqueItems", "[1, 1]": "uniqueItems"}),
    ({"type": "array", "items": {"type": "integer"}}, ("1, 2", "[1]"), {"1,x": "items type integer"}),
    ({"type": "array", "items": {"type": "string", "enum": ["a"]}}, ("a",), {"a,b": 'items enum ["a"]'}),
    ({"type": "unknown"}, (), {"x": "type unknown"}),
]  # fmt: skip
"""A definition, values that it allows, and others with the rule that each breaks."""


class EnforcedRulesTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.data = make_database(self)
        self.now = 0.0

    def add(self, kind: str) -> None:
        self.data.run(AddNamespace(content(PropertyDefinition("p", {"type": kind}))))

    def test_changes_are_seen_after_a_while(self) -> None:
        rules = EnforcedRules(self.data, ("Acme", "Other"), open_compiler(), lambda: self.now)
        rules.current().check("p", "x")
        self.add("integer")
        self.now = REMEMBERED - 0.1
        rules.current().check("p", "x")
        self.now = REMEMBERED
        self.assertRaises(PropertyRefused, rules.current().check, "p", "x")
        self.data.run(ModifyNamespace("Acme", new=Namespace("Gone")))
        self.now = 2 * REMEMBERED
        rules.current().check("p", "x")
        self.data.run(DeleteNamespace("Gone"))

    def test_rules_that_cannot_be_read_never_mean_no_rules(self) -> None:
        class Broken:
            def run(self, call: Any) -> Any:
                raise Unavailable(reason="no database")

        rules = EnforcedRules(Broken(), ("Acme",), open_compiler())  # type: ignore[arg-type]
        self.assertRaises(Unavailable, rules.current)


class TestContract(LayerContract, testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.data = make_database(self)

    def make_layer(self) -> Layer:
        return MetadefsLayer(EnforcedRules(self.data, ("Acme",), open_compiler()))
