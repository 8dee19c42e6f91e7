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
from glance_mini.operations.base import DataCall, NamespaceOperation

P = TypeVar("P")

Rule = Callable[[object, object, Cause | None], Iterable[Event]]


def _part(kind: str, payload: Callable[[str, P, str | None], Payload], old: str = "") -> Rule:
    """Return the rule of a call that writes one part; ``old`` is the field of the call with the name before."""

    def rule(call: object, part: object, cause: Cause | None) -> Iterator[Event]:
        assert isinstance(call, NamespaceOperation)
        if cause is not None:
            before = getattr(call, old) if old else None
            yield Event(kind, payload(call.namespace, cast(P, part), before), caller=cause.caller())

    return rule


def _namespace(kind: str) -> Rule:
    def rule(call: object, namespace: object, cause: Cause | None) -> Iterator[Event]:
        assert isinstance(namespace, Namespace)
        if cause is not None:
            yield Event(kind, namespace_payload(namespace), caller=cause.caller())

    return rule


def _creation(call: object, content: object, cause: Cause | None) -> Iterator[Event]:
    """Yield the event of the new namespace, then those of its parts."""
    assert isinstance(content, NamespaceContent)
    if cause is None:
        return
    name, caller = content.namespace.name, cause.caller()
    yield Event("metadef_namespace.create", namespace_payload(content.namespace), caller=caller)
    yield from _created("metadef_resource_type.create", association_payload, name, content.associations, caller)
    yield from _created("metadef_property.create", property_payload, name, content.properties, caller)
    yield from _created("metadef_object.create", object_payload, name, content.objects, caller)
    yield from _created("metadef_tag.create", tag_payload, name, content.tags, caller)


def _created(
    kind: str, payload: Callable[[str, P], Payload], namespace: str, parts: Iterable[P], caller: Mapping[str, object]
) -> Iterator[Event]:
    for part in parts:
        yield Event(kind, payload(namespace, part), caller=caller)


def _modification(call: object, content: object, cause: Cause | None) -> Iterator[Event]:
    assert isinstance(call, metadefs.ModifyNamespace) and isinstance(content, NamespaceContent)
    if cause is not None:
        payload = namespace_payload(content.namespace, call.namespace)
        yield Event("metadef_namespace.update", payload, caller=cause.caller())


def _tags(call: object, written: object, cause: Cause | None) -> Iterator[Event]:
    assert isinstance(call, parts.AddTags) and isinstance(written, TagsWritten)
    if cause is None:
        return
    if written.removed:
        payload = namespace_payload(written.namespace)
        yield Event("metadef_namespace.delete_tags", payload, caller=cause.caller())
    yield from _created("metadef_tag.create", tag_payload, call.namespace, written.tags, cause.caller())


RULES: Mapping[type[DataCall[object]], Rule] = {
    metadefs.AddNamespace: _creation,
    metadefs.ModifyNamespace: _modification,
    metadefs.DeleteNamespace: _namespace("metadef_namespace.delete"),
    metadefs.AddAssociation: _part("metadef_resource_type.create", association_payload),
    metadefs.RemoveAssociation: _part("metadef_resource_type.delete", association_payload),
    parts.AddProperty: _part("metadef_property.create", property_payload),
    parts.ModifyProperty: _part("metadef_property.update", property_payload, "property_name"),
    parts.RemoveProperty: _part("metadef_property.delete", property_payload),
    parts.DeleteProperties: _namespace("metadef_namespace.delete_properties"),
    parts.AddObject: _part("metadef_object.create", object_payload),
    parts.ModifyObject: _part("metadef_object.update", object_payload, "object_name"),
    parts.DeleteObject: _part("metadef_object.delete", object_payload),
    parts.DeleteObjects: _namespace("metadef_namespace.delete_objects"),
    parts.AddTag: _part("metadef_tag.create", tag_payload),
    parts.AddTags: _tags,
    parts.ModifyTag: _part("metadef_tag.update", tag_payload, "tag_name"),
    parts.DeleteTag: _part("metadef_tag.delete", tag_payload),
    parts.DeleteTags: _namespace("metadef_namespace.delete_tags"),
}
