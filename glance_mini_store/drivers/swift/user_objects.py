"""Objects of users, in accounts of their projects, that are the data of images.

They are read twice when they are named: with the token of the user, who must be allowed to read them, and with the
account of the store, which reads them from then on.
"""

from glance_mini_store import errors
from glance_mini_store.caller import Caller
from glance_mini_store.driver import UserData
from glance_mini_store.drivers.swift.accounts import AuthenticatedAccount, DelegatedAccount, TokenAccount
from glance_mini_store.drivers.swift.answers import refuse_use
from glance_mini_store.drivers.swift.client import Client
from glance_mini_store.drivers.swift.objects import Place
from glance_mini_store.drivers.swift.reading import Reading
from glance_mini_store.drivers.swift.tenancy import parse

_REFUSED = (errors.Forbidden, errors.NotFound, errors.RemoteServiceUnavailable)
"""What a Swift that does not let the store read answers; 409 for a segment is among them."""


class UserObjects:
    """Finds them for ``own``, the account of the store, which must be one of Keystone."""

    def __init__(self, client: Client, own: AuthenticatedAccount) -> None:
        self._client = client
        self._own = own

    def look(self, location: str, caller: Caller) -> UserData | None:
        """Return size and ETag of what the caller has at ``location``; see ``Driver.user_data``."""
        if self.place(location) is None:
            return None
        if caller.token is None:
            raise errors.Invalid(reason="Swift can be asked for your object only with a token of Keystone")
        parsed = parse(location)
        theirs = Place(
            self._client, TokenAccount(parsed.swift_url, caller.token), parsed.container, parsed.obj, location
        )
        found = theirs.head()
        refuse_use(found.status, location)
        if "x-object-manifest" in found.headers:
            raise errors.Invalid(reason="it is a dynamic large object, whose segments may change; use a static one")
        etag = found.headers.get("etag", "")
        self._require_access(location, etag)
        return UserData(int(found.headers.get("content-length", "0")), etag)

    def place(self, location: str) -> Place | None:
        """Return where the store itself reads ``location``; None if it is no object in an account of this Swift."""
        parsed = parse(location)
        if parsed.scheme == "swift+config" or parsed.user is not None:
            return None
        root, slash, account = parsed.swift_url.rpartition("/")
        if not account or root + slash != self._own.storage_url.rpartition("/")[0] + "/":
            return None
        return Place(
            self._client, DelegatedAccount(parsed.swift_url, self._own), parsed.container, parsed.obj, location
        )

    def _require_access(self, location: str, etag: str) -> None:
        """Raise Invalid unless the store may read the first byte of the object, and with it its first segment."""
        place = self.place(location)
        assert place is not None
        reading = Reading(place, 0, 1, 0, etag)
        try:
            reading.open()
            next(reading, b"")
        except _REFUSED as error:
            access = self._own.access()
            who = f"{access.project_id}:{access.user_id}"
            raise errors.Invalid(
                reason=f"this service may not read your container; let it by: swift post -r {who} {place.container} "
                "(with other readers of the container, separated by commas; and for its container of segments, if it "
                "has one)"
            ) from error
        finally:
            reading.close()
