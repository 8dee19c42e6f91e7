"""Checks passwords without the cost of bcrypt at each request."""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable

from glance_mini.standalone.users import User, is_password

REMEMBERED = 4096
"""The largest number of remembered passwords."""

_DECOY = "$2b$12$7dZTxXGtPmmdhGoE.EMoZuaHP4ayrt7XXlvEZ7tWnwrhXA5ZzCjPW"
"""The hash of an unknown password; checking it takes as long for unknown users as for known ones."""


class PasswordCheck:
    """Checks passwords and remembers right ones for ``seconds``; may be used by all threads.

    It remembers a digest of the password and its hash in the file, under a key of this process: a changed password is
    forgotten at once. One password is hashed at a time, so that guessing takes one processor at most.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._right_until: dict[bytes, float] = {}
        self._hashing = threading.Lock()

    def is_right(self, user: User | None, password: str) -> bool:
        """Return whether ``password`` is that of ``user``; takes as long for a user who does not exist."""
        hashed = (user and user.password) or _DECOY
        digest = self._digest(hashed, password)
        if self._is_remembered(digest):
            return True
        with self._hashing:
            if self._is_remembered(digest):
                return True
            is_right = is_password(password, hashed) and hashed is not _DECOY
        if is_right and self._seconds:
            if len(self._right_until) >= REMEMBERED:
                self._right_until.clear()
            self._right_until[digest] = self._clock() + self._seconds
        return is_right

    def _is_remembered(self, digest: bytes) -> bool:
        return self._right_until.get(digest, 0.0) > self._clock()

    def _digest(self, hashed: str, password: str) -> bytes:
        return hmac.digest(self._key, f"{hashed}\0{password}".encode("utf-8", "surrogateescape"), hashlib.sha256)
