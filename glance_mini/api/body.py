"""The body of a request: its declared length, and its bytes, which are counted.

A body that ends early is always an error, even if the server reports none. Every failure to read is the client's.
Nothing is read before it is asked for, so that ``Expect: 100-continue`` works.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from wsgiref.types import InputStream, WSGIEnvironment

from glance_mini.api.errors import BodyTooLarge, LengthRequired, UnknownTransferCoding
from glance_mini.domain.errors import BodyTimeout, ClientGone, Invalid
from glance_mini_store.lanes import Chunk
from glance_mini_store.numbers import parse_number

BLOCK = 1024 * 1024
"""Bytes of one read; small reads cost several times as much."""


def content_length(environ: WSGIEnvironment) -> int | None:
    """Return the Content-Length in bytes, None if the request has none.

    Raises Invalid for anything but digits and for a length beside a Transfer-Encoding (RFC 9112 section 6.3).
    """
    text = environ.get("CONTENT_LENGTH") or ""
    if not text:
        return None
    length = parse_number(text)
    if length is None:
        raise Invalid(reason="Content-Length must be a number of bytes.")
    if environ.get("HTTP_TRANSFER_ENCODING"):
        raise Invalid(reason="A request has either Content-Length or Transfer-Encoding.")
    return length


def is_chunked(environ: WSGIEnvironment) -> bool:
    """Return whether the body comes in chunks; raises UnknownTransferCoding for any other coding."""
    coding = environ.get("HTTP_TRANSFER_ENCODING", "").strip().lower()
    if coding and coding != "chunked":
        raise UnknownTransferCoding(coding=coding)
    return bool(coding)


def has_body(environ: WSGIEnvironment) -> bool:
    """Return whether the request has a body, as api-conventions-methods defines it."""
    if is_chunked(environ):
        return environ["REQUEST_METHOD"] in ("POST", "PUT", "PATCH")
    return bool(content_length(environ))


def read_chunks(environ: WSGIEnvironment, blocks: Sequence[memoryview]) -> Iterator[Chunk]:
    """Return an iterator over the body, which it reads into ``blocks`` in turn when it is advanced.

    Each chunk is a full block but the last. Its memory is used again after as many further chunks as there are blocks.
    Raises LengthRequired at once if the end of the body cannot be known. Advancing raises ClientGone or BodyTimeout,
    after all that has arrived.
    """
    chunked = is_chunked(environ)
    length = content_length(environ)
    if length is None and not environ.get("wsgi.input_terminated"):
        raise LengthRequired(reason="in chunks" if chunked else "without Content-Length")
    return _read_into(environ["wsgi.input"], length, blocks)


def _read_into(stream: InputStream, length: int | None, blocks: Sequence[memoryview]) -> Iterator[Chunk]:
    received = 0
    for block in cycle(blocks):
        wanted = block if length is None else block[: length - received]
        chunk, failure = _fill(stream, wanted)
        received += len(chunk)
        if chunk:
            yield chunk
        if failure is not None:
            raise failure
        if len(chunk) < len(wanted) or received == length:
            break
    if length is not None and received < length:
        raise _broken_off(length, received)


def _fill(stream: InputStream, block: memoryview) -> tuple[memoryview, ClientGone | None]:
    """Return the beginning of ``block`` with the next bytes of ``stream``, and the error that ended them, if any.

    It is shorter only at the end.
    """
    count = 0
    try:
        while count < len(block) and (more := _read_some(stream, block[count:])):
            count += more
    except ClientGone as failure:
        return block[:count], failure
    return block[:count], None


def _read_some(stream: InputStream, view: memoryview) -> int:
    with _translated():
        # Not readinto, which fills all of the view: what arrived before an error would be lost.
        if hasattr(stream, "readinto1"):
            return int(stream.readinto1(view))
        # PEP 3333 does not ask for more than read.
        data = stream.read(len(view))
        view[: len(data)] = data
        return len(data)


def read_all(environ: WSGIEnvironment, limit: int) -> bytes:
    """Return the whole body, at most ``limit`` bytes; raises BodyTooLarge, before reading if the length is known."""
    length = content_length(environ)
    if length is not None and length > limit:
        raise BodyTooLarge(limit=limit)
    if length is None and not is_chunked(environ):
        return b""
    if length is not None:
        return b"".join(_read_fixed(environ["wsgi.input"], length))
    if not environ.get("wsgi.input_terminated"):
        raise LengthRequired(reason="in chunks")
    blocks: list[bytes] = []
    # Not a block more: a client that has sent too much already is not waited for.
    left = limit + 1
    while left and (block := _read(environ["wsgi.input"], left)):
        left -= len(block)
        blocks.append(block)
    if not left:
        raise BodyTooLarge(limit=limit)
    return b"".join(blocks)


def _read_fixed(stream: InputStream, length: int) -> Iterator[bytes]:
    left = length
    while left:
        block = _read(stream, min(BLOCK, left))
        if not block:
            raise _broken_off(length, length - left)
        left -= len(block)
        yield block


def _broken_off(length: int, received: int) -> ClientGone:
    return ClientGone(reason=f"{length} bytes were announced, but {received} arrived.")


def _read(stream: InputStream, size: int) -> bytes:
    with _translated():
        return stream.read(size)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise BodyTimeout(reason="the client sent nothing for too long.") from error
    except Exception as error:
        # Servers raise their own errors for malformed chunks; some of these are not an OSError.
        raise ClientGone(reason=str(error) or type(error).__name__) from error
