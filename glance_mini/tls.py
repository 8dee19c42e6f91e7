"""TLS contexts that follow their files: a certificate that is replaced is used without a restart."""

import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Sequence

LOG = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""The shortest time between two looks at the files."""


class FollowedContext:
    """The context that ``make`` returns, made again when one of ``files`` has changed; thread-safe.

    As long as the files cannot be used, for example because only one of two has been replaced, the last context stays.
    The first one is made at once; raises what ``make`` raises.
    """

    def __init__(self, make: Callable[[], ssl.SSLContext], files: Sequence[str]) -> None:
        self._make = make
        self._files = tuple(files)
        self._lock = threading.Lock()
        self._seen = self._states()
        self._look_again = time.monotonic() + LOOK_SECONDS
        self._context = make()

    def current(self) -> ssl.SSLContext:
        """Return the context for a new connection; it is another object after a change."""
        if time.monotonic() >= self._look_again and self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._lock.release()
        return self._context

    def _look(self) -> None:
        self._look_again = time.monotonic() + LOOK_SECONDS
        states = self._states()
        if states == self._seen:
            return
        try:
            self._context = self._make()
        except (OSError, ValueError) as error:
            LOG.warning("The new certificates cannot be used yet: %s", error)
        else:
            self._seen = states
            LOG.info("The certificates were read again: %s.", ", ".join(self._files))

    def _states(self) -> tuple[object, ...]:
        return tuple(_state(path) for path in self._files)


def _state(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def client_context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """Return the context of a client that shows ``certificate`` and trusts ``ca`` alone; raises OSError."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def server_context(
    certificate: str, key: str | None, client_ca: str | None = None, client_crl: str | None = None
) -> ssl.SSLContext:
    """Return the context of a server; with ``client_ca`` each client must show a certificate of it. Raises OSError.

    With ``client_crl``, a list of that authority, one that it has revoked does not do.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    if client_ca is not None:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
        if client_crl is not None:
            context.load_verify_locations(client_crl)
            context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    return context
