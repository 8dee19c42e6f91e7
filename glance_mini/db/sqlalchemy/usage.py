"""What a project uses, counted in ``quota_usage`` by one conditional statement (reference 18; DESIGN, quota).

The rows are hot: a transaction changes them last and holds them for its commit only. A row that is missing is made
from the real sums, so that counting can begin at any time. Images without an owner are not counted.
"""

from collections import Counter
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, case, cast, false, func, insert, select, update
from sqlalchemy.dialects import postgresql

from glance_mini.db.sqlalchemy.models import image_locations, images, quota_usage, transfers
from glance_mini.domain import errors
from glance_mini.domain.image import Image
from glance_mini.domain.quota import (
    IMAGE_COUNT_TOTAL,
    IMAGE_COUNT_UPLOADING,
    IMAGE_SIZE_TOTAL,
    NO_LIMITS,
    RESOURCES,
    Limits,
)
from glance_mini.domain.transfer import Transfer

NOT_COUNTED = ("killed", "deleted", "pending_delete")

Usage = Counter[tuple[str | None, str]]
"""Amounts by project and resource."""


def of_image(image: Image) -> Usage:
    """Return what ``image`` uses: itself, and its size at each of its locations."""
    if image.deleted_at is not None or image.status in NOT_COUNTED:
        return Counter()
    size = (image.size or 0) * len(image.locations)
    return Counter({(image.owner, IMAGE_COUNT_TOTAL): 1, (image.owner, IMAGE_SIZE_TOTAL): size})


def of_transfer(transfer: Transfer) -> Usage:
    """Return what ``transfer`` uses while it runs: one upload, and the bytes it has reserved."""
    project = transfer.project_id
    return Counter({(project, IMAGE_SIZE_TOTAL): transfer.reserved, (project, IMAGE_COUNT_UPLOADING): 1})


def change(connection: Connection, before: Usage, after: Usage, limits: Limits = NO_LIMITS) -> None:
    """Count the difference of ``before`` and ``after``, as the last statements of a transaction.

    Raises LimitExceeded where something grows beyond ``limits``.
    """
    difference = Counter(after)
    difference.subtract(before)
    # In one order for everybody, so that two transactions do not wait for each other.
    counted = sorted((key, amount) for key, amount in difference.items() if key[0] is not None and amount)
    for (project, resource), amount in counted:
        limit = limits.project.get(resource) if amount > 0 else None
        _add(connection, str(project), resource, amount, limit)


def read(connection: Connection, project_id: str) -> dict[str, int]:
    """Return what the project uses, by resource."""
    rows = connection.execute(_ROWS, {"project": project_id})
    used: dict[str, int] = {row.resource: row.used for row in rows}
    for resource, statement in _SUMS.items():
        if resource not in used:
            used[resource] = connection.execute(statement, {"project": project_id}).scalar_one()
    return dict.fromkeys(RESOURCES, 0) | used


def read_total(connection: Connection) -> dict[str, int]:
    """Return what all projects together use, by resource; projects that were never counted are left out."""
    return dict.fromkeys(RESOURCES, 0) | {resource: int(amount) for resource, amount in connection.execute(_TOTALS)}


def _add(connection: Connection, project: str, resource: str, amount: int, limit: int | None) -> None:
    key = {"project": project, "of": resource}
    values = key | {"amount": amount} | ({} if limit is None else {"limit": limit})
    statement = _ADD if limit is None else _ADD_WITHIN
    while not connection.execute(statement, values).rowcount:
        used = connection.execute(_USED, key).scalar()
        if used is None:
            before = connection.execute(_SUMS[resource], {"project": project}).scalar_one() - amount
            _insert_missing(connection, {"project_id": project, "resource": resource, "used": max(before, 0)})
        elif limit is not None and used + amount > limit:
            raise errors.LimitExceeded(resource=resource, limit=limit, wanted=used + amount)
        # Otherwise another transaction has made the row, or made room, between the two statements.


def _insert_missing(connection: Connection, row: dict[str, Any]) -> None:
    """Insert ``row``, which holds what was used before this transaction, unless another one was faster."""
    postgres = connection.dialect.name == "postgresql"
    connection.execute(_INSERT_POSTGRESQL if postgres else _INSERT, row)


_INSERT = insert(quota_usage).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite")
_INSERT_POSTGRESQL = postgresql.insert(quota_usage).on_conflict_do_nothing()

_KEY = (quota_usage.c.project_id == bindparam("project"), quota_usage.c.resource == bindparam("of"))
_ROWS = select(quota_usage.c.resource, quota_usage.c.used).where(_KEY[0])
_TOTALS = select(quota_usage.c.resource, func.sum(quota_usage.c.used)).group_by(quota_usage.c.resource)
_USED = select(quota_usage.c.used).where(*_KEY)

_THEN = quota_usage.c.used + bindparam("amount", type_=BigInteger)
_ADD = update(quota_usage).where(*_KEY).values(used=case((_THEN < 0, 0), else_=_THEN))
_ADD_WITHIN = _ADD.where(bindparam("limit", type_=BigInteger) >= _THEN)

_PROJECT_IMAGES = (
    images.c.owner == bindparam("project"),
    images.c.deleted == false(),
    images.c.status.not_in(NOT_COUNTED),
)
_COPIES = (
    select(func.count())
    .select_from(image_locations)
    .where(image_locations.c.image_id == images.c.id)
    .correlate(images)
    .scalar_subquery()
)
_STORED = select(func.coalesce(func.sum(images.c.size * _COPIES), 0)).where(*_PROJECT_IMAGES).scalar_subquery()
_PROJECT_TRANSFERS = transfers.c.project_id == bindparam("project")
_RESERVED = select(func.coalesce(func.sum(transfers.c.reserved), 0)).where(_PROJECT_TRANSFERS).scalar_subquery()
_SUMS = {
    IMAGE_COUNT_TOTAL: select(func.count()).select_from(images).where(*_PROJECT_IMAGES),
    IMAGE_SIZE_TOTAL: select(cast(_STORED + _RESERVED, BigInteger)),
    IMAGE_COUNT_UPLOADING: select(func.count()).select_from(transfers).where(_PROJECT_TRANSFERS),
}
