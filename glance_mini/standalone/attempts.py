"""Counts wrong passwords, so that they cannot be guessed, nor the processor be kept busy with them."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from glance_mini.domain.errors import TooManyAttempts

REMEMBERED = 4096
"""The largest number of callers whose failures are counted; the longest known one is forgotten first."""

ADDRESS_FACTOR = 10
"""How many times as many failures one address may have with all user names together."""


class FailedAttempts:
    """Counts failures for each user name at each address, and for each address; may be used by all threads.

    ``limit`` failures are allowed in ``seconds``, beginning with the first one; 0 allows any number. An IPv6 address
    counts as its network of 64 bits, because one caller has all of it.
    """

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[tuple[str | None, str], tuple[int, float]] = OrderedDict()

    def check(self, name: str, address: str) -> None:
        """Raise TooManyAttempts if the user name at the address, or the address, has failed too often."""
        with self._lock:
            for key, limit in self._limits(name, address):
                count, until = self._count(key)
                if 0 < limit <= count:
                    raise TooManyAttempts(seconds=max(1, ceil(until - self._clock())))

    def note(self, name: str, address: str) -> None:
        """Count one failure."""
        with self._lock:
            for key, limit in self._limits(name, address):
                if not limit:
                    continue
                count, until = self._count(key)
                self._failures[key] = (count + 1, until)
                if len(self._failures) > REMEMBERED:
                    self._failures.popitem(last=False)

    def forget(self, name: str, address: str) -> None:
        """Forget the failures of the user name at the address, whose password was right now."""
        with self._lock:
            self._failures.pop((name, network_of(address)), None)

    def _limits(self, name: str, address: str) -> tuple[tuple[tuple[str | None, str], int], ...]:
        network = network_of(address)
        return ((name, network), self._limit), ((None, network), self._limit * ADDRESS_FACTOR)

    def _count(self, key: tuple[str | None, str]) -> tuple[int, float]:
        """Return the failures of ``key`` and when they are forgotten."""
        count, until = self._failures.get(key, (0, 0.0))
        now = self._clock()
        if count and until > now:
            return count, until
        self._failures.pop(key, None)
        return 0, now + self._seconds


def network_of(address: str) -> str:
    """Return what counts as one caller: the IPv4 address, the network of an IPv6 address, or any other text."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return address
    return str(known.ipv4_mapped or ipaddress.ip_network((known, 64), strict=False))
