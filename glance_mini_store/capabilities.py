"""The capabilities of drivers (``Driver.capabilities`` is a frozenset of these)."""

READ = "read"
"""``read`` and ``size`` work."""

WRITE = "write"
"""``write`` and ``discard`` work; a driver without it is shown as read-only."""

DELETE = "delete"
"""``delete`` works."""

RANGE = "range"
"""``read`` starts at an offset without transferring the data before it."""

ACL = "acl"
"""``set_acl`` works."""

PRESIGN = "presign"
"""``presigned_url`` gives addresses for data of the store."""

UPLOAD = "upload"
"""``presigned_upload``, ``uploaded`` and ``adopt`` work."""

DRAFT = "draft"
"""``draft`` works."""

LIST = "list"
"""``list_objects`` finds the data of the store."""

ALL = frozenset({READ, WRITE, DELETE, RANGE, ACL, PRESIGN, UPLOAD, DRAFT, LIST})
"""All capabilities."""
