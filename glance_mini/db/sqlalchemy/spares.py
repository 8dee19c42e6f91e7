"""Room that a project has counted in ``quota_usage`` before it uses it, in several rows of ``quota_spares``.

Creates at the same time take one each from different rows, and deletes give it back; in the one row of the project they
would wait for each other's commits. What is used is ``used`` less the spares: ``used`` is never too small, so a limit
that it keeps holds. At the limit the spares are counted as free again (``collect``), so that the limit is exact. Only
the single statements of PostgreSQL take spares; they are read and collected on every database.

The row of the project is locked before its spares, and the single statements pass over spares that are locked.
"""

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from glance_mini.db.sqlalchemy.dynamic import AnyCTE
from glance_mini.db.sqlalchemy.models import quota_spares, quota_usage

SHARDS = 8
"""How many rows a project has at most for one resource."""

BLOCK = 32
"""How much is counted in advance at once; a project that uses less counts nothing in advance."""

FILLS = 16
"""One of so many creates fills a row."""

MAX_GIVEN_BACK = 64
"""What is freed goes into a row with less than this."""

_PROJECT = bindparam("project", type_=quota_spares.c.project_id.type)
_OF = bindparam("of", type_=quota_spares.c.resource.type)
_SHARD = bindparam("shard", type_=Integer)
_LIMIT = bindparam("limit", type_=BigInteger)
_ZERO, _ONE, _BLOCK, _MOST = (literal_column(str(number), BigInteger) for number in (0, 1, BLOCK, MAX_GIVEN_BACK))
_COLUMNS = [quota_spares.c.project_id, quota_spares.c.resource, quota_spares.c.shard]
_IS_ROW = (quota_usage.c.project_id == _PROJECT, quota_usage.c.resource == _OF)
_ARE_SPARES = (quota_spares.c.project_id == _PROJECT, quota_spares.c.resource == _OF)

SPARE = cast(
    select(func.coalesce(func.sum(quota_spares.c.spare), 0))
    .where(
        quota_spares.c.project_id == quota_usage.c.project_id,
        quota_spares.c.resource == quota_usage.c.resource,
    )
    .correlate(quota_usage)
    .scalar_subquery(),
    BigInteger,
)
"""What is spare of a row of ``quota_usage``."""

_LOCK_ROW = select(quota_usage.c.used).where(*_IS_ROW).with_for_update()
_LOCK = select(quota_spares.c.spare).where(*_ARE_SPARES).order_by(quota_spares.c.shard).with_for_update()
_DELETE = delete(quota_spares).where(*_ARE_SPARES)
_REDUCE = update(quota_usage).where(*_IS_ROW).values(used=quota_usage.c.used - bindparam("spare", type_=BigInteger))


def collect(connection: Connection, project: str, resource: str) -> bool:
    """Count the spares of ``project`` as free, at the end of a transaction; return whether there were any."""
    key = {"project": project, "of": resource}
    connection.execute(_LOCK_ROW, key)
    spare = sum(connection.scalars(_LOCK, key))
    if not spare:
        return False
    connection.execute(_DELETE, key)
    connection.execute(_REDUCE, key | {"spare": spare})
    return True


def drop(connection: Connection, project: str, resource: str) -> None:
    """Remove the spares of a ``project`` without a row in ``quota_usage``."""
    connection.execute(_DELETE, {"project": project, "of": resource})


def count_one(condition: ColumnElement[bool], *, is_limited: bool) -> ColumnElement[bool]:
    """Return the condition that one more of ``of`` is counted for ``project``; nothing is if ``condition`` is false.

    For PostgreSQL; the parameters are ``project``, ``of`` and ``limit``, which is kept.
    """
    within = [quota_usage.c.used <= _LIMIT] if is_limited else []
    taken = (
        update(quota_spares)
        .where(*_ARE_SPARES, quota_spares.c.shard == _unlocked(quota_spares.c.spare > _ZERO))
        .where(condition, exists().where(*_IS_ROW, *within))
        .values(spare=quota_spares.c.spare - _ONE)
        .returning(quota_spares.c.shard)
        .cte("taken")
    )
    is_taken = exists(select(taken.c.shard))
    counted = _counted([condition, ~is_taken], _ONE, is_limited=is_limited)
    return is_taken | exists(select(counted.c.used))


def count_in_advance(condition: ColumnElement[bool], *, is_limited: bool) -> tuple[ColumnElement[bool], AnyCTE]:
    """Return the same as ``count_one``, and what the statement has to add to fill the row ``shard`` if it is empty."""
    is_filled = exists().where(*_ARE_SPARES, quota_spares.c.shard == _SHARD, quota_spares.c.spare > _ZERO)
    within = [quota_usage.c.used + _BLOCK < _LIMIT] if is_limited else []
    large = select(quota_usage.c.used).where(*_IS_ROW, quota_usage.c.used >= _BLOCK, ~is_filled, *within).cte("large")
    is_large = exists(select(large.c.used))
    counted = _counted([condition], _ONE + case((is_large, _BLOCK), else_=_ZERO), is_limited=is_limited)
    row = select(_PROJECT, _OF, _SHARD, _BLOCK)
    filling = insert(quota_spares).from_select(
        [*_COLUMNS, quota_spares.c.spare], row.select_from(counted).where(is_large)
    )
    more = quota_spares.c.spare + filling.excluded.spare
    filled = filling.on_conflict_do_update(index_elements=_COLUMNS, set_={"spare": more}).cte("filled")
    return exists(select(counted.c.used)), filled


def _counted(conditions: list[ColumnElement[bool]], amount: ColumnElement[int], *, is_limited: bool) -> AnyCTE:
    then = quota_usage.c.used + amount
    change = update(quota_usage).where(*_IS_ROW, *conditions, *([then <= _LIMIT] if is_limited else []))
    return change.values(used=then).returning(quota_usage.c.used).cte("counted")


def free(condition: ColumnElement[bool]) -> AnyCTE:
    """Return what counts ``freed`` of ``of`` for ``project`` as free if ``condition`` holds, for PostgreSQL."""
    freed = bindparam("freed", type_=BigInteger)
    kept = (
        update(quota_spares)
        .where(*_ARE_SPARES, quota_spares.c.shard == _unlocked(quota_spares.c.spare < _MOST), condition)
        .values(spare=quota_spares.c.spare + freed)
        .returning(quota_spares.c.shard)
        .cte("kept")
    )
    return (
        update(quota_usage)
        .where(*_IS_ROW, condition, ~exists(select(kept.c.shard)))
        .values(used=func.greatest(quota_usage.c.used - freed, _ZERO))
        .cte("freed")
    )


def _unlocked(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """Return the shard of a row that satisfies ``condition`` and that no transaction has locked, and lock it."""
    matching = select(quota_spares.c.shard).where(*_ARE_SPARES, condition).correlate(None)
    return matching.limit(_ONE).with_for_update(skip_locked=True).scalar_subquery()
