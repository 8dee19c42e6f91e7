"""A backend that is reached over a network keeps the data access contract: nothing but plain values crosses."""

from dataclasses import dataclass

import msgspec
from testtools import TestCase

from glance_mini.db import wire
from glance_mini.db.interface import DataAccess, EventRules, no_events
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.domain import errors
from glance_mini.domain.changes import PropertyChange, TagChange
from glance_mini.domain.query import ImageQuery
from glance_mini.operations import DATA_CALLS
from glance_mini.operations.images import ListImages, UpdateImage
from glance_mini.operations.once import RunOnce
from glance_mini.operations.records import DeleteFromTrash, MarkDeleted, Ping
from glance_mini.testing.data_access import DataAccessContract
from glance_mini.testing.tables import make_tables
from tests.unit.db.wire import WireAccess


class TestWire(DataAccessContract, TestCase):
    def setUp(self) -> None:
        self.engine = make_engine("sqlite://")
        make_tables(self.engine)
        super().setUp()

    def open_data_access(self, event_rules: EventRules = no_events) -> DataAccess:
        return WireAccess(self.engine, event_rules=event_rules)


class TestTypes(TestCase):
    def test_every_call_and_every_result_can_be_read(self):
        for call in DATA_CALLS:
            wire.reader(call)
            wire.reader(wire._result_type(call))

    def test_a_union_of_changes_keeps_their_kinds(self):
        call = UpdateImage("one", changes=(PropertyChange("add", "name", "x"), TagChange("add", "y")))
        self.assertEqual(call, wire.decode_call(wire.decode(wire.encode_request(call, None), wire.Request)))

    def test_a_call_with_a_key_arrives_with_it(self):
        call = RunOnce("key", MarkDeleted("one"))
        self.assertEqual(call, wire.decode_call(wire.decode(wire.encode_request(call, None), wire.Request)))

    def test_what_is_no_data_is_not_written(self):
        self.assertRaises(TypeError, wire.encode, {"open": self})


@dataclass(frozen=True)
class LaterPing(Ping):
    """A call of a later release, with fields that this one does not know."""

    wanted: str = ""
    depth: int = 0


class TestNeighbours(TestCase):
    def request(self, call, **values):
        text = wire.encode(call)
        return wire.Request(call.name, msgspec.Raw(text), **values)

    def test_a_field_that_an_older_release_does_not_send_has_its_default(self):
        call = wire.decode_call(wire.Request("delete_from_trash", msgspec.Raw(b'{"image_id":"one"}')))
        self.assertEqual(DeleteFromTrash("one", only_due=False), call)

    def test_a_field_that_is_not_known_is_ignored_where_it_is_empty(self):
        self.assertEqual(Ping(), wire.decode_call(self.request(LaterPing())))

    def test_a_field_that_is_not_known_is_refused_where_it_asks_for_something(self):
        error = self.assertRaises(errors.Invalid, wire.decode_call, self.request(LaterPing(wanted="all")))
        self.assertIn("ping has fields that this release does not know: wanted", str(error))

    def test_unknown_fields_are_found_in_what_a_call_holds(self):
        sent = msgspec.json.decode(wire.encode(ListImages(ImageQuery(tags=("a", "b")))))
        sent["query"]["nearby"] = "x"
        raw = msgspec.Raw(msgspec.json.encode(sent))
        error = self.assertRaises(errors.Invalid, wire.decode_call, wire.Request("list_images", raw))
        self.assertIn("query.nearby", str(error))

    def test_a_call_that_is_not_known_has_a_clear_error(self):
        request = wire.Request("fold_image", msgspec.Raw(b"{}"))
        self.assertEqual(
            "No data call found with ID fold_image", str(self.assertRaises(errors.NotFound, wire.decode_call, request))
        )

    def test_changes_that_are_none_are_refused(self):
        for changes in (
            "5",
            "null",
            '["x"]',
            "[{}]",
            '[{"action":"add"}]',
            '[{"action":5,"name":"x"}]',
            '[{"action":"add","name":5}]',
            '[{"action":"add","name":"x","more":1}]',
            '[{"action":"add","tag":["x"]}]',
            '[{"action":"add","locations":[{}]}]',
        ):
            values = f'{{"image_id":"x","changes":{changes}}}'.encode()
            request = wire.Request("update_image", msgspec.Raw(values))
            self.assertRaises(errors.Invalid, wire.decode_call, request)
        for values in (b"[]", b"{}", b'{"image_id":5}', b'{"image_id":"x","image":{}}'):
            self.assertRaises(errors.Invalid, wire.decode_call, wire.Request("update_image", msgspec.Raw(values)))

    def test_a_wrong_type_is_named_with_its_place(self):
        request = wire.Request("load_image", msgspec.Raw(b'{"image_id":5}'))
        error = self.assertRaises(errors.Invalid, wire.decode_call, request)
        self.assertIn("$.image_id", str(error))

    def test_an_error_of_a_later_release_is_the_one_above_it(self):
        sent = wire.encode(wire.Failure("conflict.bound", {"a": 1}, "The image is bound."))
        error = wire.decode_error(sent)
        self.assertEqual((errors.Conflict, "The image is bound."), (type(error), str(error)))

    def test_an_error_with_other_values_keeps_its_text(self):
        error = wire.decode_error(wire.encode(wire.Failure("conflict.status", {}, "It is queued.")))
        self.assertEqual((errors.Conflict, "It is queued."), (type(error), str(error)))

    def test_an_error_of_an_unknown_family_is_unavailable(self):
        error = wire.decode_error(wire.encode(wire.Failure("strange", {}, "It is strange.")))
        self.assertEqual((errors.Unavailable, "It is strange."), (type(error), str(error)))
