"""The data of one URL, whatever the number of connections that it takes to get it.

An answer that broke off is taken up again where it stopped, if the server can prove that the data is the same.
Sources: RFC 9110 sections 13.1.5 (If-Range), 14 (ranges).
"""

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass

from glance_mini.domain.errors import LimitExceeded
from glance_mini.imports.http_exchange import BLOCK, Exchange
from glance_mini.imports.pace import FetchBroken, FetchRefused

Request = Callable[[Mapping[str, str]], Exchange]
"""Returns the answer to a request with the given headers; raises FetchBroken, FetchRefused, UriRefused."""

_OK, _PARTIAL = 200, 206
_PASSING = {408, 425, 429}
"""Statuses below 500 after which a further attempt may succeed."""

_LONGEST_DELAY = 30.0
_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
_DATE = re.compile(r"[A-Za-z0-9 ,:]+")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")


class NotResumable(FetchBroken):
    """The answer broke off and cannot be taken up again; only a fetch from the start may succeed."""

    code = "import.not_resumable"


@dataclass(frozen=True, slots=True)
class Expected:
    """``size`` is what the data must have, None where that is not known; ``limit`` the most. Both in bytes."""

    size: int | None
    limit: int


class Attempts:
    """The further attempts of one fetch: a number of them without progress in between, each after a longer wait."""

    def __init__(self, retries: int, delay: float, pause: Callable[[float], object]) -> None:
        """``delay`` in seconds; ``pause`` waits so long, and may raise."""
        self._retries = retries
        self._delay = delay
        self._pause = pause
        self._made = 0
        self._progress = 0

    def wait(self, broken: FetchBroken) -> None:
        """Return when the next attempt may be made; raises ``broken`` when there is none left."""
        if self._made == self._retries:
            raise broken
        self._pause(min(self._delay * 2**self._made, _LONGEST_DELAY))
        self._made += 1

    def note(self, count: int) -> None:
        """Count ``count`` bytes as progress; a block of them makes up for the attempts so far."""
        self._progress += count
        if self._progress >= BLOCK:
            self._made, self._progress = 0, 0


class Fetch(Iterator[bytes]):
    """Blocks of 1 MiB, the last one and one before a break shorter; to be closed, its end closes it too.

    ``size`` is the number of bytes that come all in all, None where nobody tells. The iteration raises FetchRefused,
    FetchBroken, LimitExceeded, UriRefused.
    """

    def __init__(self, request: Request, expected: Expected, attempts: Attempts) -> None:
        """Begin; blocks and raises as the iteration does."""
        self.size = expected.size
        self._request = request
        self._limit = expected.limit
        self._attempts = attempts
        self._received = 0
        self._validator: str | None = None
        self._exchange = self._begin()
        self._blocks = self._run()

    def __next__(self) -> bytes:
        return next(self._blocks)

    def close(self) -> None:
        """End the connection; may be repeated."""
        self._blocks.close()
        self._exchange.close()

    def _run(self) -> Generator[bytes, None, None]:
        try:
            while not (yield from self._until_break()):
                self._exchange.close()
                self._exchange = self._begin()
        finally:
            self._exchange.close()

    def _until_break(self) -> Generator[bytes, None, bool]:
        """Yield what the connection brings and return whether the data is complete."""
        try:
            for block in self._exchange.blocks():
                self._received += len(block)
                self._check_size(self._received)
                self._attempts.note(len(block))
                yield block
            if self.size is not None and self._received < self.size:
                raise FetchBroken(reason=f"Only {self._received} bytes of {self.size} came.")
        except FetchBroken as broken:
            if self._received and self._validator is None:
                raise NotResumable(reason=str(broken)) from broken
            self._attempts.wait(broken)
            return False
        return True

    def _begin(self) -> Exchange:
        """Return a good answer, after as many attempts as are left."""
        while True:
            try:
                return self._ask()
            except NotResumable:
                raise
            except FetchBroken as broken:
                self._attempts.wait(broken)

    def _ask(self) -> Exchange:
        headers = {"Range": f"bytes={self._received}-", "If-Range": self._validator or ""} if self._received else {}
        exchange = self._request(headers)
        try:
            self._judge(exchange)
        except BaseException:
            exchange.close()
            raise
        return exchange

    def _judge(self, exchange: Exchange) -> None:
        """Return if the answer holds what comes next."""
        if self._received and exchange.status == _OK:
            raise NotResumable(reason="The server cannot go on where the answer broke off, or has other data now.")
        if exchange.status != (_PARTIAL if self._received else _OK):
            is_passing = exchange.status >= 500 or exchange.status in _PASSING
            raise (FetchBroken if is_passing else FetchRefused)(reason=f"The server answered {exchange.status}.")
        coding = exchange.headers.get("Content-Encoding", "").strip().lower()
        if coding not in ("", "identity"):
            raise FetchRefused(reason="The server sent encoded data, which was not asked for.")
        if self._received:
            self._learn_size(self._rest_of(exchange))
        else:
            self._learn_size(exchange.length())
            self._validator = _validator(exchange)

    def _rest_of(self, exchange: Exchange) -> int | None:
        """Return the size of the whole that a part tells, None where it does not; the part must be the one wanted."""
        found = _CONTENT_RANGE.fullmatch(exchange.headers.get("Content-Range", ""))
        if not found or int(found[1]) != self._received or _validator(exchange) not in (None, self._validator):
            raise NotResumable(reason="The server sent another part than the one that was asked for.")
        return None if found[2] == "*" else int(found[2])

    def _learn_size(self, size: int | None) -> None:
        if size is None:
            return
        if self.size not in (None, size):
            raise FetchRefused(reason=f"The server has {size} bytes and not {self.size}.")
        self._check_size(size)
        self.size = size

    def _check_size(self, size: int) -> None:
        if self.size is not None and size > self.size:
            raise FetchRefused(reason=f"The server sent more than {self.size} bytes.")
        if size > self._limit:
            raise LimitExceeded(resource="the size of a download", limit=self._limit, wanted=size)


def _validator(exchange: Exchange) -> str | None:
    """Return what proves that data is the same as before: a strong ETag, or the time of the last change."""
    tag = exchange.headers.get("ETag")
    if tag is not None:
        return tag if _STRONG_TAG.fullmatch(tag) else None
    changed = exchange.headers.get("Last-Modified", "")
    return changed if _DATE.fullmatch(changed) else None
