"""Custom properties that the operator's schema gives another type than text."""

import testtools

from glance_mini.api.v2.property_types import PropertyTypes
from glance_mini.api.v2.schemas.images import image_schema
from glance_mini.domain.image_values import custom_value

UUID = "00000000-0000-4000-8000-000000000000"

CUSTOM = {
    "text": {"type": "string"},
    "flag": {"type": "boolean"},
    "count": {"type": "integer", "minimum": 0},
    "share": {"type": "number"},
    "names": {"type": "array", "items": {"type": "string"}},
    "map": {"type": "object"},
    "maybe": {"type": ["null", "string"]},
    "kernel": {"type": ["null", "string"], "pattern": f"^{UUID}$"},
    "maybe_count": {"type": ["null", "integer"]},
    "choice": {"enum": [1, "1", None]},
}


class TestPropertyTypes(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.types = PropertyTypes(image_schema([], [], CUSTOM))

    def test_value_is_shown_in_its_type_for_every_way_of_writing_it(self) -> None:
        for name, written, shown in (
            ("text", ("True",), "True"),
            ("text", ("7",), "7"),
            ("flag", (True, "true", "True", "TRUE"), True),
            ("flag", (False, "false", "False"), False),
            ("count", (7, "7"), 7),
            ("count", (2**63, str(2**63)), 2**63),
            ("share", (0.5, "0.5", "5e-1"), 0.5),
            ("share", (2, "2"), 2),
            ("names", (["q"], '["q"]', "['q']"), ["q"]),
            ("names", ([], "[]"), []),
            ("map", ({"a": [1, None, "ä"]}, '{"a": [1, null, "ä"]}'), {"a": [1, None, "ä"]}),
            ("maybe", (None,), None),
            ("maybe", ("",), ""),
            ("maybe", ("null",), "null"),
            ("kernel", (None, ""), None),
            ("kernel", (UUID,), UUID),
            ("maybe_count", (None, "", "null"), None),
            ("maybe_count", (0, "0"), 0),
        ):
            for value in written:
                self.assertEqual(shown, self.roundtrip(name, value), (name, value))
                self.assertEqual(shown, self.roundtrip(name, self.roundtrip(name, value)), (name, value))

    def test_type_of_what_is_shown_is_exact(self) -> None:
        self.assertIs(True, self.roundtrip("flag", "true"))
        self.assertIs(int, type(self.roundtrip("count", "1")))

    def test_what_earlier_releases_stored_is_shown_in_its_type(self) -> None:
        stored = {"flag": "True", "names": "['q', 'r']", "kernel": "", "map": "{'a': True}", "count": "5"}
        expected = {"flag": True, "names": ["q", "r"], "kernel": None, "map": {"a": True}, "count": 5}
        self.assertEqual(expected, self.types.shown({**stored, "other": "True"}))

    def test_what_means_nothing_stays_as_it_is(self) -> None:
        for name, text in (
            ("flag", "maybe"),
            ("count", "-1"),
            ("count", "1.0"),
            ("count", "NaN"),
            ("names", "[1]"),
            ("names", "[" * 500),
            ("names", "[" * 100_000),
            ("names", "__import__('os')"),
            ("map", "{"),
        ):
            self.assertEqual(text, self.types.written(name, text))
            self.assertEqual({name: text}, self.types.shown({name: text}))

    def test_filter_means_what_is_stored(self) -> None:
        for text in ("true", "True", "TRUE"):
            self.assertEqual("True", self.types.stored("flag", text))
        self.assertEqual('["q"]', self.types.stored("names", "['q']"))
        self.assertEqual("", self.types.stored("kernel", ""))
        self.assertEqual("maybe", self.types.stored("flag", "maybe"))

    def test_text_alone_needs_no_look(self) -> None:
        self.assertEqual(set(CUSTOM) - {"text"}, self.types.names)

    def roundtrip(self, name: str, value: object) -> object:
        """Return how ``value`` is shown after a client wrote it."""
        stored = custom_value(self.types.written(name, value))
        return {name: stored, **self.types.shown({name: stored})}[name]
