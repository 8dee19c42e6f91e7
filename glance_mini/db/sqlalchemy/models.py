"""The tables, with the names that operators of image services know, and additional columns for fast lists.

Text compares byte by byte on every database. ``sort_*`` columns are generated: they replace null by the value as which
it sorts, so that an index can serve each order. ``image_created_at`` repeats the creation time of the image, which
never changes, so that an index can serve the images of a property, a tag or a member in the default order.
"""

from datetime import datetime
from hashlib import blake2b
from typing import TypeVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from glance_mini.db.sqlalchemy.dynamic import AnyTable, Options

T = TypeVar("T")

MYSQL: Options = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_nopad_bin"}
"""Without ``nopad``, "a" and "a " would be equal."""

AUDIENCE = (
    "CASE WHEN owner IS NULL OR visibility = 'public' THEN 'public'"
    " WHEN visibility = 'community' THEN 'community' ELSE 'project' END"
)
"""The audience of an image in lists: an image without an owner is public (api-images-visibility)."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uniq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def exact(length: int) -> String:
    """Return the type of a text of at most ``length`` characters that compares and sorts byte by byte."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def long_text() -> TypeEngine[str]:
    """Return the type of a text without a length limit."""
    return Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def long_bytes() -> TypeEngine[bytes]:
    """Return the type of bytes without a length limit."""
    return LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def moment() -> TypeEngine[datetime]:
    """Return the type of a time in UTC, in microseconds."""
    return DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def counter() -> TypeEngine[int]:
    """Return the type of a 64-bit number that the database increments."""
    return BigInteger().with_variant(Integer(), "sqlite")


def digest(name: str, value: str | None) -> str:
    """Return the ``value_digest``: a 128-bit hash of a property's name and value, in hex.

    Null has the digest of the empty text, so that a filter for the empty text finds both.

    Equal digests mean equal properties. A list compares only digests, because further conditions would make a database
    underestimate the number of rows and sort them all.
    """
    return blake2b((value or "").encode(), digest_size=16, key=blake2b(name.encode()).digest()).hexdigest()


def _generated(name: str, kind: TypeEngine[T], expression: str) -> Column[T]:
    # The column is never null, but MariaDB does not accept NOT NULL on a generated column.
    return Column(name, kind, Computed(expression, persisted=True))


images = Table(
    "images",
    metadata,
    Column("id", exact(36), primary_key=True),
    Column("name", exact(255)),
    Column("size", BigInteger),
    Column("virtual_size", BigInteger),
    Column("status", exact(30), nullable=False),
    Column("visibility", exact(9), nullable=False),
    Column("checksum", exact(32)),
    Column("os_hash_algo", exact(64)),
    Column("os_hash_value", exact(128)),
    Column("owner", exact(255)),
    Column("protected", Boolean, nullable=False, server_default=false()),
    Column("os_hidden", Boolean, nullable=False, server_default=false()),
    Column("container_format", exact(20)),
    Column("disk_format", exact(20)),
    Column("min_disk", Integer, nullable=False, server_default="0"),
    Column("min_ram", Integer, nullable=False, server_default="0"),
    Column("created_at", moment(), nullable=False),
    Column("updated_at", moment(), nullable=False),
    Column("deleted_at", moment()),
    Column("deleted", Boolean, nullable=False, server_default=false()),
    Column("child_bytes", BigInteger, nullable=False, server_default="0"),
    Column("version", BigInteger, nullable=False, server_default="0"),
    _generated("sort_name", exact(255), "coalesce(name, '')"),
    _generated("sort_size", BigInteger(), "coalesce(size, 0)"),
    _generated("sort_container_format", exact(20), "coalesce(container_format, '')"),
    _generated("sort_disk_format", exact(20), "coalesce(disk_format, '')"),
    _generated("audience", exact(9), AUDIENCE),
    **MYSQL,
)

"""``child_bytes``: bytes of the texts of its properties, tags and locations, which bound a page of a list.

``version``: how often the image was changed.
"""

for _name, _keys in {
    "created_at": (),
    "owner": ("owner",),
    "owner_visibility": ("owner", "visibility"),
    "visibility": ("visibility",),
    "audience": ("audience",),
    "name": ("sort_name",),
    "status": ("status",),
    "size": ("sort_size",),
    "container_format": ("sort_container_format",),
    "disk_format": ("sort_disk_format",),
    "updated_at": ("updated_at",),
}.items():
    Index(
        f"ix_images_list_{_name}",
        *(images.c[key] for key in ("deleted", "os_hidden", *_keys, "created_at", "id")),
    )
Index("ix_images_list_id", images.c.deleted, images.c.os_hidden, images.c.id)
Index("ix_images_checksum", images.c.checksum)
Index("ix_images_os_hash_value", images.c.os_hash_value)

image_properties = Table(
    "image_properties",
    metadata,
    Column("image_id", exact(36), ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    Column("name", exact(255), primary_key=True),
    Column("value", long_text()),
    Column("value_digest", exact(32), nullable=False),
    Column("image_created_at", moment(), nullable=False),
    Index("ix_image_properties_list", "value_digest", "image_created_at", "image_id"),
    **MYSQL,
)

image_tags = Table(
    "image_tags",
    metadata,
    Column("image_id", exact(36), ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    Column("value", exact(255), primary_key=True),
    Column("image_created_at", moment(), nullable=False),
    Index("ix_image_tags_list", "value", "image_created_at", "image_id"),
    **MYSQL,
)

image_locations = Table(
    "image_locations",
    metadata,
    Column("id", counter(), primary_key=True),
    Column("image_id", exact(36), ForeignKey("images.id", ondelete="CASCADE"), nullable=False),
    Column("position", SmallInteger, nullable=False),
    Column("value", long_text(), nullable=False),
    Column("meta_data", long_text(), nullable=False),
    Column("status", exact(30), nullable=False),
    Index("ix_image_locations_image_id", "image_id"),
    **MYSQL,
)

image_members = Table(
    "image_members",
    metadata,
    Column("image_id", exact(36), ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    Column("member", exact(255), primary_key=True),
    Column("status", exact(20), nullable=False),
    Column("created_at", moment(), nullable=False),
    Column("updated_at", moment(), nullable=False),
    Column("image_created_at", moment(), nullable=False),
    Index("ix_image_members_list", "member", "status", "image_created_at", "image_id"),
    **MYSQL,
)

image_bases = Table(
    "image_bases",
    metadata,
    Column("image_id", exact(36), ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    Column("base_id", exact(36), nullable=False),
    Column("depth", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("cluster_size", Integer, nullable=False),
    Column("disk_index", long_bytes(), nullable=False),
    Index("ix_image_bases_base_id", "base_id"),
    **MYSQL,
)
"""Images that are based on another one. ``depth``: how many bases lie below. ``size``: bytes of the stored delta."""

block_hashes = Table(
    "block_hashes",
    metadata,
    Column("image_id", exact(36), ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("hashes", long_bytes(), nullable=False),
    **MYSQL,
)
"""Hashes of the blocks of disks, 32 bytes for each up to the last allocated one of a part."""
image_links = Table(
    "image_links",
    metadata,
    Column("id", exact(36), primary_key=True),
    Column("image_id", exact(36), ForeignKey("images.id", ondelete="CASCADE"), nullable=False),
    Column("digest", exact(64), nullable=False),
    Column("created_at", moment(), nullable=False),
    Column("expires_at", moment(), nullable=False),
    Column("size", BigInteger),
    Column("store", exact(255)),
    Column("user_id", exact(255)),
    Column("project_id", exact(255)),
    Column("roles", long_text(), nullable=False),
    Column("service_roles", long_text(), nullable=False),
    Column("user_domain_id", exact(255)),
    Column("project_domain_id", exact(255)),
    Column("domain_id", exact(255)),
    Column("system_scope", exact(255)),
    UniqueConstraint("digest"),
    Index("ix_image_links_image_id", "image_id", "expires_at"),
    Index("ix_image_links_project_id", "project_id", "expires_at"),
    Index("ix_image_links_expires_at", "expires_at"),
    **MYSQL,
)
"""Links that work until ``expires_at``; ``digest`` is the hash of the secret in the address of a link."""

issued_tokens = Table(
    "issued_tokens",
    metadata,
    Column("id", exact(36), primary_key=True),
    Column("digest", exact(64), nullable=False),
    Column("user_id", exact(255), nullable=False),
    Column("project_id", exact(255)),
    Column("domain_id", exact(255)),
    Column("credential", exact(64), nullable=False),
    Column("methods", exact(255), nullable=False),
    Column("issued_at", moment(), nullable=False),
    Column("expires_at", moment(), nullable=False),
    UniqueConstraint("digest"),
    Index("ix_issued_tokens_user_id", "user_id", "issued_at"),
    Index("ix_issued_tokens_expires_at", "expires_at"),
    **MYSQL,
)
"""Tokens of log-ins, valid until ``expires_at``; ``digest`` is the hash of the token itself."""

upload_sessions = Table(
    "upload_sessions",
    metadata,
    Column("id", exact(36), primary_key=True),
    Column("image_id", exact(36), ForeignKey("images.id", ondelete="CASCADE"), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("kind", exact(16), nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("store", exact(255)),
    Column("metadata", long_text(), nullable=False),
    Column("parts", long_text(), nullable=False),
    Column("host", exact(255), key="node_url"),
    Column("created_at", moment(), nullable=False),
    Column("expires_at", moment(), nullable=False),
    Column("finish_at", moment()),
    Column("is_finished", Boolean, nullable=False),
    Column("user_id", exact(255)),
    Column("project_id", exact(255)),
    Column("roles", long_text(), nullable=False),
    Column("service_roles", long_text(), nullable=False),
    Column("is_admin", Boolean, nullable=False),
    Column("user_domain_id", exact(255)),
    Column("project_domain_id", exact(255)),
    Column("domain_id", exact(255)),
    Column("system_scope", exact(255)),
    Index("ix_upload_sessions_image_id", "image_id", "expires_at"),
    Index("ix_upload_sessions_project_id", "project_id", "expires_at"),
    Index("ix_upload_sessions_expires_at", "expires_at"),
    Index("ix_upload_sessions_finish_at", "finish_at"),
    **MYSQL,
)
"""Uploads that may break off and go on until ``expires_at``; the transfer with the same id has their bytes."""

image_tombstones = Table(
    "image_tombstones",
    metadata,
    Column("id", exact(36), primary_key=True),
    **MYSQL,
)

transfers = Table(
    "transfers",
    metadata,
    Column("id", exact(36), primary_key=True),
    Column("image_id", exact(36), nullable=False),
    Column("project_id", exact(255)),
    Column("process", exact(255), nullable=False),
    Column("store", exact(255), nullable=False),
    Column("name", long_text(), nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("started_at", moment(), nullable=False),
    Column("lease_until", moment(), nullable=False),
    Column("host", exact(255), key="node_url"),
    Index("ix_transfers_image_id", "image_id"),
    Index("ix_transfers_process", "process"),
    Index("ix_transfers_project_id", "project_id", "started_at"),
    Index("ix_transfers_lease_until", "lease_until"),
    **MYSQL,
)

deletions = Table(
    "deletions",
    metadata,
    Column("id", counter(), primary_key=True),
    Column("image_id", exact(36), nullable=False),
    Column("value", long_text(), nullable=False),
    Column("meta_data", long_text(), nullable=False),
    Column("due_at", moment(), nullable=False),
    Column("host", exact(255), key="node_url"),
    Index("ix_deletions_image_id", "image_id"),
    Index("ix_deletions_due_at", "due_at"),
    **MYSQL,
)

quota_usage = Table(
    "quota_usage",
    metadata,
    Column("project_id", exact(255), primary_key=True),
    Column("resource", exact(64), primary_key=True),
    Column("used", BigInteger, nullable=False),
    **MYSQL,
)

quota_spares = Table(
    "quota_spares",
    metadata,
    Column("project_id", exact(255), primary_key=True),
    Column("resource", exact(64), primary_key=True),
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("spare", BigInteger, nullable=False),
    **MYSQL,
)
"""What ``quota_usage`` counts as used and is not used yet, in several rows of a project."""

quota_limits = Table(
    "quota_limits",
    metadata,
    Column("project_id", exact(255), primary_key=True),
    Column("resource", exact(64), primary_key=True),
    Column("maximum", BigInteger, nullable=False),
    **MYSQL,
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", exact(36), primary_key=True),
    Column("kind", exact(64), nullable=False),
    Column("created_at", moment(), nullable=False),
    Column("updated_at", moment(), nullable=False),
    Column("due_at", moment(), nullable=False),
    Column("image_id", exact(36)),
    Column("project_id", exact(255)),
    Column("user_id", exact(255)),
    Column("request_id", exact(255)),
    Column("roles", long_text(), nullable=False),
    Column("input", long_text(), nullable=False),
    Column("state", exact(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("store", exact(255)),
    Column("checkpoint", long_text(), nullable=False),
    Column("result", long_text()),
    Column("message", long_text(), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("process", exact(255)),
    Column("lease_until", moment()),
    Column("is_cancelled", Boolean, nullable=False, server_default=false()),
    Column("expires_at", moment()),
    Column("token", long_text()),
    Column("rank", Integer, nullable=False),
    Column("counted_for", exact(255)),
    Column("host", exact(255), key="node_url"),
    Column("stores", long_text()),
    Column("is_admin", Boolean, nullable=False, server_default=false()),
    Column("service_roles", long_text()),
    Column("user_domain_id", exact(255)),
    Column("project_domain_id", exact(255)),
    Column("domain_id", exact(255)),
    Column("system_scope", exact(255)),
    Index("ix_jobs_queue", "state", "rank", "due_at", "id"),
    Index("ix_jobs_created_at", "created_at", "id"),
    Index("ix_jobs_image_id", "image_id", "created_at"),
    Index("ix_jobs_expires_at", "expires_at"),
    **MYSQL,
)
"""The lowest ``rank`` is given out first: it is the negated priority, so that an index serves the order.
``counted_for`` is the project whose ``image_count_uploading`` the job is part of, until it ends. ``stores`` has a comma
before and after each id; ``store`` is unused since revision 0003, which replaced it."""

staged_data = Table(
    "staged_data",
    metadata,
    Column("image_id", exact(36), primary_key=True),
    Column("project_id", exact(255)),
    Column("store", exact(255), nullable=False),
    Column("value", long_text(), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("host", exact(255), key="node_url"),
    Column("created_at", moment(), nullable=False),
    Index("ix_staged_data_project_id", "project_id"),
    **MYSQL,
)

pending_deletes = Table(
    "pending_deletes",
    metadata,
    Column("image_id", exact(36), ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    Column("status", exact(30), nullable=False),
    Column("scrub_at", moment(), nullable=False),
    Index("ix_pending_deletes_scrub_at", "scrub_at"),
    **MYSQL,
)
"""Images in the trash: they can be restored until ``scrub_at`` to their previous ``status``."""

outbox = Table(
    "outbox",
    metadata,
    Column("id", counter(), primary_key=True),
    Column("image_id", exact(36)),
    Column("event", exact(255), nullable=False),
    Column("priority", exact(16), nullable=False),
    Column("payload", long_text(), nullable=False),
    Column("caller", long_text(), nullable=False),
    Column("created_at", moment(), nullable=False),
    Column("claimed_by", exact(255)),
    Column("claimed_until", moment()),
    Index("ix_outbox_image_id", "image_id", "id"),
    sqlite_autoincrement=True,
    **MYSQL,
)
"""Events that wait for their publication; ids are never reused, so they define the order."""

event_log = Table(
    "event_log",
    metadata,
    Column("id", counter(), primary_key=True),
    Column("created_at", moment(), nullable=False),
    Column("type", exact(64), nullable=False),
    Column("body", long_text(), nullable=False),
    sqlite_autoincrement=True,
    **MYSQL,
)
"""What has changed lately, for clients that follow changes; ``body`` is JSON. Old rows are removed, never the last."""

cached_images = Table(
    "cached_images",
    metadata,
    Column("node", exact(255), primary_key=True),
    Column("image_id", exact(36), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("is_complete", Boolean, nullable=False),
    Column("hits", BigInteger, nullable=False),
    Column("last_accessed", moment(), nullable=False),
    Column("last_modified", moment(), nullable=False),
    Index("ix_cached_images_image_id", "image_id"),
    **MYSQL,
)
"""What is in the caches of the nodes. Rows of images that are not there any more keep their hits for a while."""

cache_queue = Table(
    "cache_queue",
    metadata,
    Column("node", exact(255), primary_key=True),
    Column("image_id", exact(36), primary_key=True),
    Column("queued_at", moment(), nullable=False),
    **MYSQL,
)
"""Images that nodes were asked to put into their caches."""

turns = Table(
    "turns",
    metadata,
    Column("name", exact(64), primary_key=True),
    **MYSQL,
)
"""Rows that are only locked, never changed: each is the lock of one kind of work."""

call_keys = Table(
    "call_keys",
    metadata,
    Column("id", exact(64), primary_key=True),
    Column("created_at", moment(), nullable=False),
    Column("result", long_text(), nullable=False),
    Index("ix_call_keys_created_at", "created_at"),
    **MYSQL,
)
"""Calls from nodes behind a registry that must not be done twice; ``result`` is JSON. Old ones are removed."""

verifications = Table(
    "verifications",
    metadata,
    Column("job_id", exact(36), primary_key=True),
    Column("began_at", moment(), nullable=False),
    Column("ended_at", moment()),
    Column("counts", long_text(), nullable=False),
    Index("ix_verifications_began_at", "began_at"),
    **MYSQL,
)
"""Runs of the verification of stored data; ``counts`` is JSON. The latest are kept."""

findings = Table(
    "findings",
    metadata,
    Column("id", counter(), primary_key=True),
    Column("store", exact(255), nullable=False),
    Column("subject", exact(255), nullable=False),
    Column("kind", exact(16), nullable=False),
    Column("state", exact(16), nullable=False),
    Column("reason", long_text(), nullable=False),
    Column("image_id", exact(36)),
    Column("name", exact(255)),
    Column("size", BigInteger),
    Column("found_at", moment(), nullable=False),
    UniqueConstraint("store", "subject"),
    **MYSQL,
)
"""What verifications have found, one row for each copy or object."""

metadef_namespaces = Table(
    "metadef_namespaces",
    metadata,
    Column("id", counter(), primary_key=True),
    Column("namespace", exact(80), nullable=False),
    Column("display_name", exact(80)),
    Column("description", exact(500)),
    Column("visibility", exact(9), nullable=False),
    Column("protected", Boolean, nullable=False, server_default=false()),
    Column("owner", exact(255)),
    Column("created_at", moment(), nullable=False),
    Column("updated_at", moment(), nullable=False),
    UniqueConstraint("namespace"),
    Index("ix_metadef_namespaces_created_at", "created_at", "namespace"),
    Index("ix_metadef_namespaces_updated_at", "updated_at", "namespace"),
    Index("ix_metadef_namespaces_owner", "owner"),
    sqlite_autoincrement=True,
    **MYSQL,
)
"""Namespaces of metadata definitions; ids are never reused."""


def _metadef_part(table: str, *columns: SchemaItem) -> AnyTable:
    """Return a table of parts of a namespace, whose names are unique in it."""
    of = ForeignKey("metadef_namespaces.id", ondelete="CASCADE")
    return Table(
        table,
        metadata,
        Column("namespace_id", BigInteger().with_variant(Integer(), "sqlite"), of, primary_key=True),
        Column("name", exact(80), primary_key=True),
        *columns,
        Column("created_at", moment(), nullable=False),
        Column("updated_at", moment(), nullable=False),
        **MYSQL,
    )


metadef_properties = _metadef_part("metadef_properties", Column("definition", long_text(), nullable=False))
metadef_objects = _metadef_part("metadef_objects", Column("definition", long_text(), nullable=False))
metadef_tags = _metadef_part("metadef_tags")
metadef_namespace_resource_types = _metadef_part(
    "metadef_namespace_resource_types",
    Column("prefix", exact(80)),
    Column("properties_target", exact(80)),
    Index("ix_metadef_namespace_resource_types_name", "name"),
)
"""The associations; ``definition`` of the other tables is JSON."""

metadef_resource_types = Table(
    "metadef_resource_types",
    metadata,
    Column("name", exact(80), primary_key=True),
    Column("created_at", moment(), nullable=False),
    Column("updated_at", moment(), nullable=False),
    **MYSQL,
)
