"""The tags of namespaces (api-metadefs-tags)."""

from datetime import datetime

from sqlalchemy import Connection

from glance_mini.db.sqlalchemy.metadefs import namespaces
from glance_mini.db.sqlalchemy.metadefs.rows import TAGS
from glance_mini.domain.metadefs import NO_METADEF_LIMITS, Namespace, TagDefinition, TagPage, TagsWritten
from glance_mini.operations.metadef_parts import AddTag, AddTags, DeleteTag, DeleteTags, GetTag, GetTags, ModifyTag


def list_tags(connection: Connection, call: GetTags) -> TagPage:
    """Return a page of the tags; raises NotFound."""
    return TagPage(*TAGS.page(connection, namespaces.find(connection, call).id, call.query))


def get(connection: Connection, call: GetTag) -> TagDefinition:
    """Return a tag; raises NotFound."""
    return TAGS.get(connection, namespaces.find(connection, call).id, call.tag_name)


def add(connection: Connection, call: AddTag, now: datetime) -> TagDefinition:
    """Insert a tag and return it; raises Duplicate, NotFound, LimitExceeded."""
    namespace = namespaces.lock(connection, call)
    (added,) = TAGS.add(connection, namespace, [TagDefinition(call.tag_name)], call.bounds, now)
    return added


def add_several(connection: Connection, call: AddTags, now: datetime) -> TagsWritten:
    """Insert tags, in place of all others unless ``append``; raises Duplicate, NotFound, Forbidden, LimitExceeded."""
    namespace = namespaces.lock(connection, call)
    removed = 0
    if not call.append and TAGS.count(connection, namespace.id):
        removed = TAGS.clear(connection, namespace)
    tags = [TagDefinition(name) for name in call.tags]
    return TagsWritten(namespace, TAGS.add(connection, namespace, tags, call.bounds, now), removed)


def modify(connection: Connection, call: ModifyTag, now: datetime) -> TagDefinition:
    """Rename a tag and return it; raises NotFound, Duplicate."""
    namespace = namespaces.lock(connection, call)
    return TAGS.replace(connection, namespace, call.tag_name, TagDefinition(call.new), NO_METADEF_LIMITS, now)


def remove(connection: Connection, call: DeleteTag, now: datetime) -> TagDefinition:
    """Delete a tag and return it; raises NotFound, Forbidden (protected)."""
    return TAGS.remove(connection, namespaces.lock(connection, call), call.tag_name, now)


def clear(connection: Connection, call: DeleteTags, now: datetime) -> Namespace:
    """Delete all tags and return the namespace; raises NotFound, Forbidden (protected)."""
    namespace = namespaces.lock(connection, call)
    TAGS.clear(connection, namespace)
    return namespace


QUERIES = {GetTags: list_tags, GetTag: get}
WRITES = {AddTag: add, AddTags: add_several, ModifyTag: modify, DeleteTag: remove, DeleteTags: clear}
