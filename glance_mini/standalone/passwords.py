"""Checks passwords without the cost of bcrypt at each request."""

import hashlib
import hmac
import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from oslo_config import cfg

from glance_mini.domain.errors import TooManyAttempts
from glance_mini.standalone.attempts import FailedAttempts, network_of
from glance_mini.standalone.users import User, is_password

REMEMBERED = 4096
"""The largest number of remembered passwords."""

WAITERS = 8
"""The number of callers who wait for their password to be hashed, that one included which is being hashed."""

_DECOY = "$2b$12$7dZTxXGtPmmdhGoE.EMoZuaHP4ayrt7XXlvEZ7tWnwrhXA5ZzCjPW"
"""The hash of an unknown password; checking it takes as long for unknown users as for known ones."""


class PasswordCheck:
    """Checks passwords and remembers right ones for ``seconds``; may be used by all threads.

    It remembers a digest of the password and its hash in the file, under a key of this process: a changed password is
    forgotten at once. One password is hashed at a time, so that guessing takes one processor at most. At most
    ``waiters`` callers wait for that, and half of them at one address, so that they never hold all threads.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        waiters: int = WAITERS,
        failures: FailedAttempts | None = None,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._waiters = waiters
        self._failures = failures or FailedAttempts(0, 0.0)
        self._waiting: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._key = secrets.token_bytes(32)
        self._right_until: dict[bytes, float] = {}
        self._hashing = threading.Lock()

    def is_right(self, user: User | None, password: str, name: str = "", address: str = "") -> bool:
        """Return whether ``password`` is that of ``user``; takes as long for a user who does not exist.

        ``name`` is the user name that was sent, ``address`` the address of the caller. Raises TooManyAttempts; a
        remembered password is always let in.
        """
        hashed = (user and user.password) or _DECOY
        digest = self._digest(hashed, password)
        if self._is_remembered(digest):
            return True
        self._failures.check(name, address)
        with self._turn(network_of(address)):
            if self._is_remembered(digest):
                return True
            # Those before it may have been the last ones.
            self._failures.check(name, address)
            is_right = is_password(password, hashed) and hashed is not _DECOY
        if is_right:
            self._failures.forget(name, address)
        else:
            self._failures.note(name, address)
        if is_right and self._seconds:
            if len(self._right_until) >= REMEMBERED:
                self._right_until.clear()
            self._right_until[digest] = self._clock() + self._seconds
        return is_right

    @contextmanager
    def _turn(self, caller: str) -> Iterator[None]:
        """Wait until no other password is hashed; raises TooManyAttempts if too many wait already."""
        with self._counting:
            if self._waiting.total() >= self._waiters or self._waiting[caller] >= max(1, self._waiters // 2):
                raise TooManyAttempts(seconds=1)
            self._waiting[caller] += 1
        try:
            with self._hashing:
                yield
        finally:
            with self._counting:
                self._waiting[caller] -= 1
                if not self._waiting[caller]:
                    del self._waiting[caller]

    def _is_remembered(self, digest: bytes) -> bool:
        return self._right_until.get(digest, 0.0) > self._clock()

    def _digest(self, hashed: str, password: str) -> bytes:
        return hmac.digest(self._key, f"{hashed}\0{password}".encode("utf-8", "surrogateescape"), hashlib.sha256)


def open_password_check(conf: cfg.ConfigOpts) -> PasswordCheck:
    """Return the check that ``[authentication]`` describes."""
    options = conf.authentication
    # The directory in which the processes of one server keep their metrics is also there for what they count together.
    shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    path = os.path.join(shared, "failures.sqlite") if shared else ":memory:"
    failures = FailedAttempts(options.password_failures, options.password_failure_seconds, path)
    waiters = min(options.password_waiters, max(1, conf.server.threads // 4))
    return PasswordCheck(options.password_cache_seconds, waiters=waiters, failures=failures)
