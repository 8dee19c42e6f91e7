"""The data of one URL, fetched with one or more connections.

A response that broke off is resumed where it stopped, if a validator of the server shows that the data is the same.
Sources: RFC 9110 sections 13.1.5 (If-Range), 14 (ranges).
"""

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass

from glance_mini_store.errors import FetchBroken, FetchRefused, NotResumable, SizeLimitExceeded
from glance_mini_store.streams import BLOCK
from glance_mini_store.web.response import HttpResponse

Request = Callable[[Mapping[str, str]], HttpResponse]
"""Returns the response to a request with the given headers; raises FetchBroken, FetchRefused, AddressRefused."""

_OK, _PARTIAL = 200, 206
_PASSING = {408, 425, 429}
"""Statuses below 500 after which another attempt may succeed."""

_LONGEST_DELAY = 30.0
_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
_DATE = re.compile(r"[A-Za-z0-9 ,:]+")


@dataclass(frozen=True, slots=True)
class Expected:
    """``size`` is that of the data, None if it is unknown; ``limit`` is the largest allowed. Both in bytes."""

    size: int | None
    limit: int


class RetryPolicy:
    """The retries of one fetch: a limited number without progress, each after a longer delay."""

    def __init__(self, retries: int, delay: float, pause: Callable[[float], object]) -> None:
        """``delay`` in seconds; ``pause`` waits for a number of seconds and may raise."""
        self._retries = retries
        self._delay = delay
        self._pause = pause
        self._made = 0
        self._progress = 0

    def wait(self, broken: FetchBroken) -> None:
        """Return when the next attempt may start; raises ``broken`` if no attempt is left."""
        if self._made == self._retries:
            raise broken
        self._pause(min(self._delay * 2**self._made, _LONGEST_DELAY))
        self._made += 1

    def note(self, count: int) -> None:
        """Count ``count`` bytes as progress; after a block of progress, the number of retries starts anew."""
        self._progress += count
        if self._progress >= BLOCK:
            self._made, self._progress = 0, 0


class Fetch(Iterator[bytes]):
    """Blocks of 1 MiB; the last one, and one before a break, may be shorter. Must be closed; its end closes it too.

    ``size`` is the number of bytes in all, None if it is unknown. The iteration raises FetchRefused, FetchBroken,
    SizeLimitExceeded, AddressRefused.
    """

    def __init__(self, request: Request, expected: Expected, retries: RetryPolicy) -> None:
        """Start the fetch; blocks and raises as the iteration does."""
        self.size = expected.size
        self._request = request
        self._limit = expected.limit
        self._retries = retries
        self._received = 0
        self._validator: str | None = None
        self._response = self._begin()
        self._blocks = self._run()

    def __next__(self) -> bytes:
        return next(self._blocks)

    def close(self) -> None:
        """Close the connection; may be repeated."""
        self._blocks.close()
        self._response.close()

    def _run(self) -> Generator[bytes, None, None]:
        try:
            while not (yield from self._until_break()):
                self._response.close()
                self._response = self._begin()
        finally:
            self._response.close()

    def _until_break(self) -> Generator[bytes, None, bool]:
        """Yield the data of one connection and return whether all data is complete."""
        try:
            for block in self._response.blocks():
                self._received += len(block)
                self._check_size(self._received)
                self._retries.note(len(block))
                yield block
            if self.size is not None and self._received < self.size:
                raise FetchBroken(reason=f"Only {self._received} bytes of {self.size} came.")
        except FetchBroken as broken:
            if self._received and self._validator is None:
                raise NotResumable(reason=str(broken)) from broken
            self._retries.wait(broken)
            return False
        return True

    def _begin(self) -> HttpResponse:
        """Return a valid response; tries as often as the retry policy allows."""
        while True:
            try:
                return self._ask()
            except NotResumable:
                raise
            except FetchBroken as broken:
                self._retries.wait(broken)

    def _ask(self) -> HttpResponse:
        headers = {"Range": f"bytes={self._received}-", "If-Range": self._validator or ""} if self._received else {}
        response = self._request(headers)
        try:
            self._validate(response)
        except BaseException:
            response.close()
            raise
        return response

    def _validate(self, response: HttpResponse) -> None:
        """Return if the response has the next bytes, else raise."""
        if self._received and response.status == _OK:
            raise NotResumable(reason="The server cannot go on where the answer broke off, or has other data now.")
        if response.status != (_PARTIAL if self._received else _OK):
            is_passing = response.status >= 500 or response.status in _PASSING
            raise (FetchBroken if is_passing else FetchRefused)(reason=f"The server answered {response.status}.")
        if self._received:
            self._learn_size(self._rest_of(response))
        else:
            self._learn_size(response.length())
            self._validator = _validator(response)

    def _rest_of(self, response: HttpResponse) -> int | None:
        """Return the total size in Content-Range, None if it is unknown; raises NotResumable for another range."""
        start, total = response.content_range()
        if start != self._received or _validator(response) not in (None, self._validator):
            raise NotResumable(reason="The server sent another range than the requested one.")
        return total

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
            raise SizeLimitExceeded(limit=self._limit, wanted=size)


def _validator(response: HttpResponse) -> str | None:
    """Return a validator for If-Range, a strong ETag or the Last-Modified date; None without one."""
    tag = response.headers.get("ETag")
    if tag is not None:
        return tag if _STRONG_TAG.fullmatch(tag) else None
    changed = response.headers.get("Last-Modified", "")
    return changed if _DATE.fullmatch(changed) else None
