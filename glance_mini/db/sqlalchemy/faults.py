"""Classifies database errors by what can be done about them.

oslo.db translates the errors that it knows; SQLite's locks, PostgreSQL's serialization failures and a server that is
starting or stopping arrive as plain operational errors.
"""

import logging
import sqlite3

from oslo_db.exception import DBConnectionError, DBDeadlock, DBError, DBNonExistentDatabase
from sqlalchemy.exc import DBAPIError, OperationalError

from glance_mini.domain import errors

LOG = logging.getLogger(__name__)

_CONFLICT_STATES = frozenset({"40001", "40P01", "55P03"})
_QUERY_CANCELED = "57014"
_STATEMENT_TIMEOUT = 1969
"""MariaDB: the statement took longer than max_statement_time."""

_LOST_CLASSES = ("08", "57P")
_UNREACHABLE_WORDS = ("connection to server", "failed to resolve host")
_REFUSING_WORDS = ("authentication failed", "no password supplied", "pg_hba.conf", "FATAL:  role")
_REFUSING_CODES = frozenset({1044, 1045, 1698})
"""MariaDB: access denied."""

_REFUSED_CODES = frozenset({1040, 1053, 1927, 2002, 2003, 2006, 2013, 2055})
"""MariaDB: too many connections, shutdown in progress, and the codes of a lost connection."""


def is_timeout(error: BaseException) -> bool:
    """Return whether the database ended a statement because it took too long."""
    original = _original(error)
    return (
        getattr(original, "sqlstate", None) == _QUERY_CANCELED
        or _number(original) == _STATEMENT_TIMEOUT
        or str(original) == "interrupted"
    )


def is_conflict(error: BaseException) -> bool:
    """Return whether the transaction lost against another one: deadlock, serialization failure, locked database."""
    if isinstance(error, DBDeadlock):
        return True
    original = _original(error)
    text = str(original)
    return getattr(original, "sqlstate", None) in _CONFLICT_STATES or (
        "database is locked" in text or "database table is locked" in text
    )


def is_lost_connection(error: BaseException) -> bool:
    """Return whether the connection was lost or could not be made."""
    if isinstance(error, DBConnectionError):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    original = _original(error)
    state = getattr(original, "sqlstate", None) or ""
    if state.startswith(_LOST_CLASSES) or any(words in str(original) for words in _UNREACHABLE_WORDS):
        return True
    return isinstance(error, OperationalError) and _number(original) in _REFUSED_CODES


def is_missing_database(error: BaseException) -> bool:
    """Return whether the server does not have the database, or the file cannot be opened."""
    return isinstance(error, DBNonExistentDatabase)


def is_refusal(error: BaseException) -> bool:
    """Return whether the server does not let the user in."""
    original = _original(error)
    return _number(original) in _REFUSING_CODES or any(words in str(original) for words in _REFUSING_WORDS)


def is_damaged(error: BaseException) -> bool:
    """Return whether an SQLite file is not a database, or a damaged one."""
    code = getattr(_original(error), "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_out_of_order(error: BaseException) -> bool:
    """Return whether the database itself refuses work, for example because of a full disk or too many connections."""
    return isinstance(error, OperationalError | DBNonExistentDatabase) or is_damaged(error)


def text_of(error: BaseException) -> str:
    """Return the first line of the driver's own text, which contains neither statement nor parameters."""
    original = _original(error)
    text = str(original.args[1] if isinstance(_number(original), int) and len(original.args) > 1 else original)
    line = text.partition("\n")[0]
    return line.rpartition("FATAL: ")[2].strip()


def unavailable(error: BaseException) -> errors.DatabaseUnavailable:
    """Return DatabaseUnavailable for ``error`` and log the error without its statement and parameters."""
    LOG.error("The database does not answer: %s", _original(error))
    return errors.DatabaseUnavailable(reason="The database does not answer now; the request may be repeated later.")


def too_slow(error: BaseException) -> errors.Unavailable:
    """Return Unavailable for a read that took too long, and log that."""
    LOG.warning("The database ended a read that took longer than [database] read_timeout: %s", _original(error))
    return errors.Unavailable(reason="The answer takes too long to find; ask with fewer or other filters.")


def _original(error: BaseException) -> BaseException:
    """Return the driver's own error, which contains neither statement nor parameters."""
    if isinstance(error, DBError) and isinstance(error.inner_exception, BaseException):
        error = error.inner_exception
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    return error


def _number(error: BaseException) -> object:
    return error.args[0] if error.args else None


__all__ = [
    "DBError",
    "is_conflict",
    "is_damaged",
    "is_lost_connection",
    "is_missing_database",
    "is_out_of_order",
    "is_refusal",
    "is_timeout",
    "text_of",
    "too_slow",
    "unavailable",
]
