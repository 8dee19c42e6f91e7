"""The usage of a project, counted in ``quota_usage`` by one conditional statement (api-quotas-counting).

The rows are hot: a transaction changes them last and locks them only for its commit. A missing row is computed
from the real sums, so that counting can begin at any time. Images without an owner are not counted.
"""

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import BigInteger, Connection, bindparam, case, cast, false, func, literal_column, not_, select, update
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import ScalarSelect

from glance_mini.db.sqlalchemy import spares
from glance_mini.db.sqlalchemy.dynamic import AnyColumn
from glance_mini.db.sqlalchemy.missing import insert_missing
from glance_mini.db.sqlalchemy.models import (
    image_bases,
    image_locations,
    images,
    jobs,
    pending_deletes,
    quota_usage,
    staged_data,
    transfers,
)
from glance_mini.domain import errors
from glance_mini.domain.image import RESERVED_NAMESPACE, Image
from glance_mini.domain.quota import (
    COUNTED,
    IMAGE_COUNT_TOTAL,
    IMAGE_COUNT_UPLOADING,
    IMAGE_SIZE_DELETED,
    IMAGE_SIZE_TOTAL,
    IMAGE_STAGE_TOTAL,
    IN_BYTES,
    NO_LIMITS,
    Limits,
)
from glance_mini.domain.status import PENDING_DELETE
from glance_mini.domain.transfer import REMAINS_BEGAN, Transfer
from glance_mini.operations.records import CountUsage

NOT_COUNTED = ("killed", "deleted", PENDING_DELETE)

Usage = Counter[tuple[str | None, str]]
"""Amounts by project and resource."""


def of_image(image: Image) -> Usage:
    """Return the usage of ``image``: one image, and what each of its locations holds."""
    if image.deleted_at is not None or image.status in NOT_COUNTED:
        return Counter()
    return Counter({(image.owner, IMAGE_COUNT_TOTAL): 1, (image.owner, IMAGE_SIZE_TOTAL): image.stored_bytes})


def of_deleted(image: Image) -> Usage:
    """Return the usage of ``image``, with its locations, while it can be restored."""
    return Counter({(image.owner, IMAGE_SIZE_DELETED): image.stored_bytes})


def of_transfer(transfer: Transfer) -> Usage:
    """Return the usage of a running ``transfer``: one upload, and its reserved bytes; of remains nothing."""
    if transfer.is_remains:
        return Counter()
    project = transfer.project_id
    return Counter({(project, resource_of(transfer)): transfer.reserved, (project, IMAGE_COUNT_UPLOADING): 1})


def of_transfers(transfers: Iterable[Transfer]) -> Usage:
    """Return the usage of several transfers together."""
    total = Usage()
    for transfer in transfers:
        total.update(of_transfer(transfer))
    return total


def resource_of(transfer: Transfer) -> str:
    """Return the resource of the bytes of ``transfer``: ``image_stage_total`` if its store is a reserved one."""
    return IMAGE_STAGE_TOTAL if transfer.store.startswith(RESERVED_NAMESPACE) else IMAGE_SIZE_TOTAL


def change(connection: Connection, before: Usage, after: Usage, limits: Limits = NO_LIMITS) -> None:
    """Count the difference between ``before`` and ``after``, as the last statements of a transaction.

    Raises LimitExceeded if a resource grows beyond ``limits``.
    """
    difference = Counter(after)
    difference.subtract(before)
    for (project, resource), amount in counted(difference):
        limit = limits.project.get(resource) if amount > 0 else None
        if limit is not None and (others := limits.together.get(resource)):
            _check_together(connection, project, (resource, *others), difference, limit)
            limit = None
        _add(connection, project, resource, amount, limit)


def counted(difference: Usage) -> list[tuple[tuple[str, str], int]]:
    """Return what is counted of ``difference``, always in the same order, so that two transactions do not deadlock."""
    return sorted(
        ((str(key[0]), key[1]), amount) for key, amount in difference.items() if key[0] is not None and amount
    )


def _check_together(connection: Connection, project: str, pool: tuple[str, ...], difference: Usage, limit: int) -> None:
    """Lock the rows of all bytes of ``project``; raise LimitExceeded if those of ``pool`` grow beyond ``limit`` in sum.

    What is added before the first limited resource of a change is in the rows already.
    """
    growth = sum(difference[project, each] for each in pool)
    if growth <= 0:
        return
    used = _lock_bytes(connection, project, difference)
    counted_already = sum(difference[project, each] for each in pool if each < pool[0])
    wanted = sum(used[each] for each in pool) - counted_already + growth
    if wanted > limit:
        raise errors.LimitExceeded(resource=pool[0], limit=limit, wanted=wanted)


def _lock_bytes(connection: Connection, project: str, difference: Usage) -> dict[str, int]:
    """Lock the rows that count bytes, in their order, and return what they hold.

    Missing rows are made first, without what this transaction will still add to them.
    """
    while True:
        rows = connection.execute(_LOCK_BYTES, {"project": project})
        used: dict[str, int] = {row.resource: row.used for row in rows}
        missing = [resource for resource in sorted(IN_BYTES) if resource not in used]
        if not missing:
            return used
        for resource in missing:
            before = connection.execute(_SUMS[resource], {"project": project}).scalar_one()
            before = max(before - difference[project, resource], 0)
            insert_missing(connection, quota_usage, {"project_id": project, "resource": resource, "used": before})


def read(connection: Connection, call: CountUsage) -> dict[str, int]:
    """Return the usage of one project or of all projects, by resource."""
    return _read_total(connection) if call.project_id is None else _read_project(connection, call.project_id)


def _read_project(connection: Connection, project_id: str) -> dict[str, int]:
    rows = connection.execute(_ROWS, {"project": project_id})
    used: dict[str, int] = {row.resource: max(row.used, 0) for row in rows}
    for resource, statement in _SUMS.items():
        if resource not in used:
            used[resource] = connection.execute(statement, {"project": project_id}).scalar_one()
    return dict.fromkeys(COUNTED, 0) | used


def _read_total(connection: Connection) -> dict[str, int]:
    # Projects without rows are left out.
    return dict.fromkeys(COUNTED, 0) | {resource: int(amount) for resource, amount in connection.execute(_TOTALS)}


def _add(connection: Connection, project: str, resource: str, amount: int, limit: int | None) -> None:
    key = {"project": project, "of": resource}
    values = key | {"amount": amount} | ({} if limit is None else {"limit": limit})
    statement = _ADD if limit is None else _ADD_WITHIN
    while not connection.execute(statement, values).rowcount:
        used = connection.execute(_USED, key).scalar()
        if used is None:
            spares.drop(connection, project, resource)
            before = connection.execute(_SUMS[resource], {"project": project}).scalar_one() - amount
            row = {"project_id": project, "resource": resource, "used": max(before, 0)}
            insert_missing(connection, quota_usage, row)
        elif limit is not None and used + amount > limit and not spares.collect(connection, project, resource):
            raise errors.LimitExceeded(resource=resource, limit=limit, wanted=used + amount)
        # Otherwise there is room now, or another transaction has inserted the row.


KEY = (quota_usage.c.project_id == bindparam("project"), quota_usage.c.resource == bindparam("of"))
_ROWS = select(quota_usage.c.resource, (quota_usage.c.used - spares.SPARE).label("used")).where(KEY[0])
_LOCK_BYTES = (
    select(quota_usage.c.resource, quota_usage.c.used)
    .where(KEY[0], quota_usage.c.resource.in_(sorted(IN_BYTES)))
    .order_by(quota_usage.c.resource)
    .with_for_update()
)
_TOTALS = select(quota_usage.c.resource, func.sum(quota_usage.c.used - spares.SPARE)).group_by(quota_usage.c.resource)
_USED = select(quota_usage.c.used).where(*KEY)

_ZERO = literal_column("0", BigInteger)
_THEN = quota_usage.c.used + bindparam("amount", type_=BigInteger)
_ADD = update(quota_usage).where(*KEY).values(used=case((_THEN < _ZERO, _ZERO), else_=_THEN))
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
_DELTA = select(image_bases.c.size).where(image_bases.c.image_id == images.c.id).correlate(images).scalar_subquery()
_BYTES = func.coalesce(_DELTA, images.c.size) * _COPIES
_STORED = select(func.coalesce(func.sum(_BYTES), 0)).where(*_PROJECT_IMAGES).scalar_subquery()
_DELETED = (
    select(func.coalesce(func.sum(_BYTES), 0))
    .join_from(pending_deletes, images, images.c.id == pending_deletes.c.image_id)
    .where(images.c.owner == bindparam("project"))
    .scalar_subquery()
)
IS_STAGING = transfers.c.store.startswith(RESERVED_NAMESPACE, autoescape=True)
"""The condition for transfers into the staging area, as in ``resource_of``."""


def _sum(column: AnyColumn, *conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.coalesce(func.sum(column), 0)).where(*conditions).scalar_subquery()


def _count(column: AnyColumn, *conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).where(column == bindparam("project"), *conditions).scalar_subquery()


_PROJECT_TRANSFERS = transfers.c.project_id == bindparam("project")
_RESERVED = _sum(transfers.c.reserved, _PROJECT_TRANSFERS, not_(IS_STAGING))
_STAGING = _sum(transfers.c.reserved, _PROJECT_TRANSFERS, IS_STAGING)
_STAGED = _sum(staged_data.c.size, staged_data.c.project_id == bindparam("project"))
_SUMS = {
    IMAGE_COUNT_TOTAL: select(func.count()).select_from(images).where(*_PROJECT_IMAGES),
    IMAGE_SIZE_TOTAL: select(cast(_STORED + _RESERVED, BigInteger)),
    IMAGE_SIZE_DELETED: select(cast(_DELETED, BigInteger)),
    IMAGE_STAGE_TOTAL: select(cast(_STAGED + _STAGING, BigInteger)),
    IMAGE_COUNT_UPLOADING: select(
        _count(transfers.c.project_id, transfers.c.started_at > REMAINS_BEGAN)
        + _count(staged_data.c.project_id)
        + _count(jobs.c.counted_for)
    ),
}


QUERIES = {CountUsage: read}
