"""URLs by which anybody reads one object of Swift for a while.

Source: the middleware ``tempurl`` of Swift. The signature is an HMAC of method, time and path, with a key of the
account.
"""

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlencode, urlsplit

from glance_mini_store.drivers.swift.accounts import origin
from glance_mini_store.drivers.swift.objects import Place

KEY_HEADERS = ("x-account-meta-temp-url-key", "x-account-meta-temp-url-key-2")
"""Where an account keeps its keys; only its owner sees them."""

_DIGEST = hashlib.sha256


@dataclass(frozen=True)
class TempUrls:
    """Makes URLs with ``key``. ``public`` is scheme, host and port of Swift for clients, None for those of the account.

    ``clock`` returns the seconds since 1970.
    """

    key: str = field(repr=False)
    public: str | None = None
    clock: Callable[[], float] = time.time

    def url(self, place: Place, seconds: int) -> str:
        """Return the URL for the object at ``place``, which ends after ``seconds``."""
        storage_url = place.account.storage_url
        base = urlsplit(storage_url).path.rstrip("/")
        path = "/".join([base, quote(place.container), quote(place.name)])
        expires = int(self.clock()) + seconds
        # The signature is that of the path as Swift decodes it.
        signed = f"GET\n{expires}\n{unquote(base)}/{place.container}/{place.name}"
        signature = hmac.new(self.key.encode(), signed.encode(), _DIGEST).hexdigest()
        query = urlencode({"temp_url_sig": signature, "temp_url_expires": expires})
        return f"{self.public or '://'.join(origin(storage_url))}{path}?{query}"
