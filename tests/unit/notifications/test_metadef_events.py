"""Which events the changes of metadata definitions cause, and what they say."""

from dataclasses import replace
from typing import Any

import testtools

from glance_mini.domain.metadefs import (
    Association,
    NamespaceContent,
    ObjectDefinition,
    PropertyDefinition,
    TagDefinition,
    TagsWritten,
)
from glance_mini.notifications.event_rules import events_for
from glance_mini.notifications.metadef_rules import EVENT_TYPES, RULES
from glance_mini.operations import metadef_parts as parts
from glance_mini.operations import metadefs
from glance_mini.operations.base import DataCall
from glance_mini.testing.samples import TIME, make_namespace
from tests.unit.notifications.test_event_rules import CALLER, caused_by

NAMESPACE = make_namespace(name="new", display_name="N", description="about")
TYPE = Association("OS::Glance::Image", "acme_", "image", TIME, TIME)
DEFINITION = {"type": "string", "title": "P", "enum": ["a"], "confidential": True, "readonly": True}
PROPERTY = PropertyDefinition("p", DEFINITION, TIME, TIME)
OBJECT = ObjectDefinition("o", "about", ("p",), {"p": DEFINITION}, TIME, TIME)
TAG = TagDefinition("t", TIME, TIME)
CONTENT = NamespaceContent(NAMESPACE, (TYPE,), (PROPERTY,), (OBJECT,), (TAG,))

TIMES = {"created_at", "updated_at"}
DELETED = {"deleted", "deleted_at"}
NAMES = {"namespace", "name", "name_old"}
DEFINED = {
    "type", "title", "description", "default", "minimum", "maximum", "enum", "pattern", "minLength", "maxLength",
    "confidential", "items", "uniqueItems", "minItems", "maxItems", "additionalItems",
}  # fmt: skip
NAMESPACE_KEYS = {
    "namespace", "namespace_old", "display_name", "protected", "visibility", "owner", "description", *TIMES, *DELETED,
}  # fmt: skip
PROPERTY_KEYS = NAMES | DEFINED | DELETED
OBJECT_KEYS = NAMES | {"properties", "required", "description"} | TIMES | DELETED
TYPE_KEYS = NAMES | {"prefix", "properties_target"} | TIMES | DELETED
TAG_KEYS = NAMES | TIMES | DELETED

CHANGES: list[tuple[DataCall[Any], Any, list[tuple[str, set[str]]]]] = [
    (
        metadefs.AddNamespace(CONTENT),
        CONTENT,
        [
            ("metadef_namespace.create", NAMESPACE_KEYS),
            ("metadef_resource_type.create", TYPE_KEYS),
            ("metadef_property.create", PROPERTY_KEYS),
            ("metadef_object.create", OBJECT_KEYS),
            ("metadef_tag.create", TAG_KEYS),
        ],
    ),
    (metadefs.ModifyNamespace("n", new=NAMESPACE), CONTENT, [("metadef_namespace.update", NAMESPACE_KEYS)]),
    (metadefs.DeleteNamespace("n"), NAMESPACE, [("metadef_namespace.delete", NAMESPACE_KEYS)]),
    (metadefs.AddAssociation("n", new=TYPE), TYPE, [("metadef_resource_type.create", TYPE_KEYS)]),
    (metadefs.RemoveAssociation("n", resource_type="x"), TYPE, [("metadef_resource_type.delete", TYPE_KEYS)]),
    (parts.AddProperty("n", new=PROPERTY), PROPERTY, [("metadef_property.create", PROPERTY_KEYS)]),
    (
        parts.ModifyProperty("n", property_name="old", new=PROPERTY),
        PROPERTY,
        [("metadef_property.update", PROPERTY_KEYS)],
    ),
    (parts.RemoveProperty("n", property_name="p"), PROPERTY, [("metadef_property.delete", PROPERTY_KEYS)]),
    (parts.DeleteProperties("n"), NAMESPACE, [("metadef_namespace.delete_properties", NAMESPACE_KEYS)]),
    (parts.AddObject("n", new=OBJECT), OBJECT, [("metadef_object.create", OBJECT_KEYS)]),
    (parts.ModifyObject("n", object_name="old", new=OBJECT), OBJECT, [("metadef_object.update", OBJECT_KEYS)]),
    (parts.DeleteObject("n", object_name="o"), OBJECT, [("metadef_object.delete", OBJECT_KEYS)]),
    (parts.DeleteObjects("n"), NAMESPACE, [("metadef_namespace.delete_objects", NAMESPACE_KEYS)]),
    (parts.AddTag("n", tag_name="t"), TAG, [("metadef_tag.create", TAG_KEYS)]),
    (
        parts.AddTags("n", tags=("t", "t2")),
        TagsWritten(NAMESPACE, (TAG, TAG)),
        [("metadef_tag.create", TAG_KEYS)] * 2,
    ),
    (
        parts.AddTags("n", tags=("t",)),
        TagsWritten(NAMESPACE, (TAG,), 2),
        [("metadef_namespace.delete_tags", NAMESPACE_KEYS), ("metadef_tag.create", TAG_KEYS)],
    ),
    (parts.ModifyTag("n", tag_name="old", new="t"), TAG, [("metadef_tag.update", TAG_KEYS)]),
    (parts.DeleteTag("n", tag_name="t"), TAG, [("metadef_tag.delete", TAG_KEYS)]),
    (parts.DeleteTags("n"), NAMESPACE, [("metadef_namespace.delete_tags", NAMESPACE_KEYS)]),
]
"""A call, its result, and the types of its events with the keys of their payloads."""


class TestMetadefEvents(testtools.TestCase):
    def test_each_change_causes_its_events(self) -> None:
        for call, result, expected in CHANGES:
            events = events_for(call, result, caused_by(call.name))
            self.assertEqual(expected, [(event.type, set(event.payload)) for event in events], call.name)
            self.assertEqual({("info", str(CALLER))}, {(event.priority, str(event.caller)) for event in events})
            self.assertIn(EVENT_TYPES[type(call)], [kind for kind, _ in expected])

    def test_each_call_of_the_table_is_tried(self) -> None:
        self.assertEqual(set(RULES), {type(call) for call, _, _ in CHANGES})

    def test_change_without_a_cause_says_nothing(self) -> None:
        for call, result, _ in CHANGES:
            self.assertEqual([], events_for(call, result, None), call.name)

    def test_payloads_name_what_there_was_before(self) -> None:
        for call, result, name, old in (
            (metadefs.ModifyNamespace("old", new=NAMESPACE), CONTENT, "namespace", "namespace_old"),
            (parts.ModifyProperty("n", property_name="old", new=PROPERTY), PROPERTY, "name", "name_old"),
            (parts.ModifyObject("n", object_name="old", new=OBJECT), OBJECT, "name", "name_old"),
            (parts.ModifyTag("n", tag_name="old", new="t"), TAG, "name", "name_old"),
        ):
            (event,) = events_for(call, result, caused_by(call.name))
            self.assertEqual("old", event.payload[old])
            self.assertNotEqual("old", event.payload[name])

    def test_payloads_hold_the_values(self) -> None:
        namespace, association, each, group, tag = events_for(CHANGES[0][0], CONTENT, caused_by("x"))
        shown = "2026-01-02T03:04:05Z"
        fields = ("namespace", "namespace_old", "created_at", "deleted")
        self.assertEqual(("new", "new", shown, False), tuple(map(namespace.payload.get, fields)))
        self.assertEqual(("acme_", "image"), (association.payload["prefix"], association.payload["properties_target"]))
        self.assertEqual((["a"], True), (each.payload["enum"], each.payload["confidential"]))
        self.assertEqual(["p"], group.payload["required"])
        (inner,) = group.payload["properties"]  # type: ignore[misc]
        self.assertEqual(("p", "string"), (inner["name"], inner["type"]))
        self.assertEqual(("new", "t"), (tag.payload["namespace"], tag.payload["name"]))
        (deleted,) = events_for(parts.DeleteTag("n"), replace(TAG, deleted_at=TIME), caused_by("x"))
        self.assertEqual((True, shown), (deleted.payload["deleted"], deleted.payload["deleted_at"]))
