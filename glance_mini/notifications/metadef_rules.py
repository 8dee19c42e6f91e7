"""The events of the data calls on metadata definitions; ``event_rules`` adds this table to its own."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar, cast

from glance_mini.domain.cause import Cause
from glance_mini.domain.event import Event
from glance_mini.domain.metadefs import Namespace, NamespaceContent, TagsWritten
from glance_mini.notifications.metadef_payloads import (
    association_payload,
    namespace_payload,
    object_payload,
    property_payload,
    tag_payload,
)
from glance_mini.notifications.payloads import Payload
from glance_mini.operations import metadef_parts as parts
from glance_mini.operations import metadefs
from glance_mini.operations.base import DataCall, NamespaceOperation, Operation

P = TypeVar("P")

Rule = Callable[[object, object, Cause | None], Iterable[Event]]

Found = Iterator[tuple[str, Payload]]

Events = Callable[[str, object, object], Found]
"""A function that returns the types and payloads of events from the type of a call's own event, call and result."""


def _part(payload: Callable[[str, P, str | None], Payload], old: str = "") -> Events:
    """Return the events of a call that writes one part; ``old`` is the field of the call with the name before."""

    def events(kind: str, call: object, part: object) -> Found:
        assert isinstance(call, NamespaceOperation)
        yield kind, payload(call.namespace, cast(P, part), getattr(call, old) if old else None)

    return events


def _namespace(kind: str, call: object, namespace: object) -> Found:
    assert isinstance(namespace, Namespace)
    yield kind, namespace_payload(namespace)


def _creation(kind: str, call: object, content: object) -> Found:
    """Yield the event of a new namespace, then those of its parts."""
    assert isinstance(content, NamespaceContent)
    name = content.namespace.name
    yield kind, namespace_payload(content.namespace)
    for association in content.associations:
        yield "metadef_resource_type.create", association_payload(name, association)
    for each in content.properties:
        yield "metadef_property.create", property_payload(name, each)
    for group in content.objects:
        yield "metadef_object.create", object_payload(name, group)
    for tag in content.tags:
        yield "metadef_tag.create", tag_payload(name, tag)


def _modification(kind: str, call: object, content: object) -> Found:
    assert isinstance(call, metadefs.ModifyNamespace) and isinstance(content, NamespaceContent)
    yield kind, namespace_payload(content.namespace, call.namespace)


def _tags(kind: str, call: object, written: object) -> Found:
    assert isinstance(written, TagsWritten)
    if written.removed:
        yield "metadef_namespace.delete_tags", namespace_payload(written.namespace)
    for tag in written.tags:
        yield kind, tag_payload(written.namespace.name, tag)


_TABLE: Mapping[type[DataCall[object]], tuple[str, Events]] = {
    metadefs.AddNamespace: ("metadef_namespace.create", _creation),
    metadefs.ModifyNamespace: ("metadef_namespace.update", _modification),
    metadefs.DeleteNamespace: ("metadef_namespace.delete", _namespace),
    metadefs.AddAssociation: ("metadef_resource_type.create", _part(association_payload)),
    metadefs.RemoveAssociation: ("metadef_resource_type.delete", _part(association_payload)),
    parts.AddProperty: ("metadef_property.create", _part(property_payload)),
    parts.ModifyProperty: ("metadef_property.update", _part(property_payload, "property_name")),
    parts.RemoveProperty: ("metadef_property.delete", _part(property_payload)),
    parts.DeleteProperties: ("metadef_namespace.delete_properties", _namespace),
    parts.AddObject: ("metadef_object.create", _part(object_payload)),
    parts.ModifyObject: ("metadef_object.update", _part(object_payload, "object_name")),
    parts.DeleteObject: ("metadef_object.delete", _part(object_payload)),
    parts.DeleteObjects: ("metadef_namespace.delete_objects", _namespace),
    parts.AddTag: ("metadef_tag.create", _part(tag_payload)),
    parts.AddTags: ("metadef_tag.create", _tags),
    parts.ModifyTag: ("metadef_tag.update", _part(tag_payload, "tag_name")),
    parts.DeleteTag: ("metadef_tag.delete", _part(tag_payload)),
    parts.DeleteTags: ("metadef_namespace.delete_tags", _namespace),
}

EVENT_TYPES: Mapping[type[Operation[object]], str] = {call: kind for call, (kind, _) in _TABLE.items()}
"""The type of the event of each operation."""


def _rule(kind: str, events: Events) -> Rule:
    def rule(call: object, result: object, cause: Cause | None) -> Iterator[Event]:
        if cause is not None:
            for each, payload in events(kind, call, result):
                yield Event(each, payload, caller=cause.caller())

    return rule


RULES: Mapping[type[DataCall[object]], Rule] = {call: _rule(*row) for call, row in _TABLE.items()}
