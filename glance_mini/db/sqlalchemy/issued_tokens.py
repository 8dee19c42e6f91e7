"""Tokens that the service issues (operator/identity). A token is valid until its time by the clock of the database."""

from dataclasses import fields, replace
from datetime import datetime

import orjson
from sqlalchemy import Connection, bindparam, delete, insert, select

from glance_mini.db.sqlalchemy.dynamic import RowValues
from glance_mini.db.sqlalchemy.expired_rows import removal_from
from glance_mini.db.sqlalchemy.models import issued_tokens
from glance_mini.domain import errors
from glance_mini.domain.identity import IssuedToken
from glance_mini.operations.identity import FindToken, IssueToken, PurgeTokens, RevokeToken

_ROW = issued_tokens.c
_NAMES = {"user": "user_id", "project": "project_id", "domain": "domain_id"}
_FIELDS = tuple(field.name for field in fields(IssuedToken))
_COLUMNS = tuple(_ROW[_NAMES.get(name, name)] for name in _FIELDS)

_SURPLUS_AT_ONCE = 100
"""Tokens of one user that one log-in ends at most; only a lower limit makes more than one or two of them surplus."""

_INSERT = insert(issued_tokens)
_FIND = select(*_COLUMNS).where(
    _ROW.digest == bindparam("digest"), _ROW.expires_at > bindparam("now", type_=_ROW.expires_at.type)
)
_REVOKE = delete(issued_tokens).where(_ROW.digest == bindparam("digest"))
_SURPLUS = (
    select(_ROW.id)
    .where(_ROW.user_id == bindparam("user"))
    .order_by(_ROW.issued_at.desc(), _ROW.id.desc())
    .limit(_SURPLUS_AT_ONCE)
    .offset(bindparam("kept"))
)
_remove_expired = removal_from(issued_tokens)
_DELETE_CHOSEN = delete(issued_tokens).where(_ROW.id.in_(bindparam("ids", expanding=True)))


def issue(connection: Connection, call: IssueToken, now: datetime) -> IssuedToken:
    """Insert and return a token, after the oldest ones of its user have made room."""
    surplus = connection.execute(_SURPLUS, {"user": call.token.user, "kept": call.limit - 1}).scalars().all()
    if surplus:
        connection.execute(_DELETE_CHOSEN, {"ids": sorted(surplus)})
    end = now + call.lifetime
    token = replace(call.token, issued_at=now, expires_at=min(end, call.not_after or end))
    values = {_NAMES.get(name, name): getattr(token, name) for name in _FIELDS}
    methods = orjson.dumps(token.methods).decode()
    connection.execute(_INSERT, values | {"methods": methods, "digest": call.digest})
    return token


def find(connection: Connection, call: FindToken, now: datetime) -> IssuedToken:
    """Return a valid token by its hash; raises TokenNotFound."""
    row = connection.execute(_FIND, {"digest": call.digest, "now": now}).first()
    if row is None:
        raise errors.TokenNotFound()
    return _token(row)


def revoke(connection: Connection, call: RevokeToken, now: datetime) -> None:
    """Delete a token by its hash."""
    connection.execute(_REVOKE, {"digest": call.digest})


def purge(connection: Connection, call: PurgeTokens, now: datetime) -> int:
    """Delete tokens that have expired; return their number."""
    return _remove_expired(connection, now, call.max_rows)


def _token(row: RowValues) -> IssuedToken:
    values = dict(zip(_FIELDS, row, strict=True))
    return IssuedToken(**{**values, "methods": tuple(orjson.loads(values["methods"]))})


TIMED_QUERIES = {FindToken: find}
WRITES = {IssueToken: issue, RevokeToken: revoke, PurgeTokens: purge}
