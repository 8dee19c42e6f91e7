"""Counts wrong passwords, so that they cannot be guessed, nor the processor be kept busy with them.

The count is a table of SQLite, because the processes of one server share it.
"""

import hashlib
import ipaddress
import sqlite3
import threading
import time
from collections.abc import Callable
from math import ceil

from glance_mini.domain.errors import TooManyAttempts

REMEMBERED = 4096
"""The largest number of callers whose failures are counted; the longest known one is forgotten first."""

ADDRESS_FACTOR = 10
"""How many times as many failures one address may have with all user names together."""


_TABLE = "CREATE TABLE IF NOT EXISTS failures (caller BLOB PRIMARY KEY, number INTEGER, until REAL)"
_FIND = "SELECT number, until FROM failures WHERE caller = ? AND until > ?"
_COUNT = """
INSERT INTO failures VALUES (:caller, 1, :until) ON CONFLICT DO UPDATE SET
number = CASE WHEN until > :now THEN number + 1 ELSE 1 END, until = CASE WHEN until > :now THEN until ELSE :until END
"""
_FORGET_OLDEST = f"DELETE FROM failures WHERE rowid <= (SELECT max(rowid) FROM failures) - {REMEMBERED}"


class FailedAttempts:
    """Counts failures for each user name at each address, and for each address; may be used by all threads.

    ``limit`` failures are allowed in ``seconds``, beginning with the first one; 0 allows any number. An IPv6 address
    counts as its network of 64 bits, because one caller has all of it. Processes with the same ``path``, an SQLite
    file, count together; ``clock`` must be the same in all of them, and the file must not outlive the machine's start.
    """

    def __init__(
        self, limit: int, seconds: float, path: str = ":memory:", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA synchronous = OFF", "PRAGMA journal_mode = MEMORY", _TABLE):
            self._database.execute(statement)

    def check(self, name: str, address: str) -> None:
        """Raise TooManyAttempts if the user name at the address, or the address, has failed too often."""
        now = self._clock()
        with self._lock:
            for caller, limit in self._limits(name, address):
                for number, until in self._database.execute(_FIND, (caller, now)).fetchall():
                    if number >= limit:
                        raise TooManyAttempts(seconds=max(1, ceil(until - now)))

    def note(self, name: str, address: str) -> None:
        """Count one failure."""
        now = self._clock()
        with self._lock:
            for caller, _ in self._limits(name, address):
                self._database.execute(_COUNT, {"caller": caller, "now": now, "until": now + self._seconds})
            self._database.execute(_FORGET_OLDEST)

    def forget(self, name: str, address: str) -> None:
        """Forget the failures of the user name at the address, whose password was right now."""
        with self._lock:
            self._database.execute("DELETE FROM failures WHERE caller = ?", (_digest(network_of(address), name),))

    def _limits(self, name: str, address: str) -> tuple[tuple[bytes, int], ...]:
        if not self._limit:
            return ()
        network = network_of(address)
        return (_digest(network, name), self._limit), (_digest(network), self._limit * ADDRESS_FACTOR)


def _digest(*caller: str) -> bytes:
    """Return what stands for a caller: it is short, whatever the length of the name, and tells nobody the name."""
    return hashlib.sha256(repr(caller).encode()).digest()


def network_of(address: str) -> str:
    """Return what counts as one caller: the IPv4 address, the network of an IPv6 address, or any other text."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return address
    return str(known.ipv4_mapped or ipaddress.ip_network((known, 64), strict=False))
