"""The rules of the operations on metadata definitions (api-metadefs-rules).

An operation that is not in the table is guarded by the rule with its name. The target is the namespace.
"""

from collections.abc import Callable, Iterator, Mapping

from glance_mini.domain.context import Context
from glance_mini.domain.metadefs import Namespace
from glance_mini.operations import metadef_parts as parts
from glance_mini.operations import metadefs
from glance_mini.operations.base import Operation

Target = Mapping[str, object]
Rules = Callable[[Operation[object]], Iterator[str]]


def _only(*rules: str) -> Rules:
    return lambda op: iter(rules)


def _of_creation(op: Operation[object]) -> Iterator[str]:
    assert isinstance(op, metadefs.AddNamespace)
    content = op.content
    yield "add_metadef_namespace"
    for rule, part in (
        ("add_metadef_resource_type_association", content.associations),
        ("add_metadef_property", content.properties),
        ("add_metadef_object", content.objects),
        ("add_metadef_tag", content.tags),
    ):
        if part:
            yield rule


def _of_property(op: Operation[object]) -> Iterator[str]:
    assert isinstance(op, parts.GetProperty)
    yield "get_metadef_property"
    if op.resource_type is not None:
        yield "get_metadef_resource_type"


RULES: Mapping[type[Operation[object]], Rules] = {
    metadefs.GetNamespaces: _only("get_metadef_namespaces", "list_metadef_resource_types"),
    metadefs.AddNamespace: _of_creation,
    metadefs.GetNamespace: _only(
        "get_metadef_namespace",
        "list_metadef_resource_types",
        "get_metadef_objects",
        "get_metadef_properties",
        "get_metadef_tags",
    ),
    metadefs.ListAssociations: _only("list_metadef_resource_types"),
    parts.GetProperty: _of_property,
    parts.DeleteProperties: _only("delete_metadef_namespace"),
    parts.DeleteObjects: _only("delete_metadef_namespace"),
    parts.DeleteTags: _only("delete_metadef_namespace", "delete_metadef_tags"),
}


def namespace_target(namespace: Namespace) -> Target:
    """Return the target for rules: the attributes of the namespace."""
    return {**namespace.attributes(), "project_id": namespace.owner}


def target_of_creation(context: Context, op: Operation[object]) -> Target:
    """Return the target for the rules of a new namespace, as it is about to be."""
    assert isinstance(op, metadefs.AddNamespace)
    return namespace_target(op.content.namespace)
