"""The errors of this package.

An error is constructed with the keywords in its template. The keyword ``location`` is always redacted, so that no
text holds a credential. ``store.Store`` sets ``store`` to its id.
Source of the names: api-library-errors.
"""

from typing import ClassVar

from glance_mini_store.redaction import redact

_LEFTOVERS = "glance_mini_store.leftovers"


class StoreError(Exception):
    """The root of all errors of this package; ``code`` never changes, ``values`` holds the keywords."""

    code: ClassVar[str] = "store.failed"
    template: ClassVar[str] = "{reason}"

    def __init__(self, **values: object) -> None:
        self.values = {key: redact(str(value)) if key == "location" else value for key, value in values.items()}
        self.store: str | None = None
        super().__init__(self.template.format(**self.values))

    def __str__(self) -> str:
        text = super().__str__()
        return text if self.store is None else f"store {self.store}: {text}"


def mark_leftovers(failure: BaseException) -> None:
    """Record on the error of a write that the backend still holds data of it, which ``Driver.discard`` removes."""
    failure.__dict__[_LEFTOVERS] = True


def has_leftovers(failure: BaseException) -> bool:
    """Return whether a failed write has left data that could not be removed."""
    return _LEFTOVERS in failure.__dict__


class NotFound(StoreError):
    """No data at this location."""

    code = "store.not_found"
    template = "no data at {location}"


class Duplicate(StoreError):
    """There is data under this name already; it is not changed."""

    code = "store.duplicate"
    template = "there is data at {location} already"


class StorageFull(StoreError):
    """The backend has no room: no free space, a quota, or the largest file size."""

    code = "store.full"
    template = "no room for this data: {reason}"


class StorageWriteDenied(StoreError):
    """The backend does not let this service write."""

    code = "store.write_denied"
    template = "writing is not permitted by the backend: {reason}"


class Forbidden(StoreError):
    """The backend refuses this operation on this location."""

    code = "store.forbidden"
    template = "the backend refuses access to {location}"


class Invalid(StoreError):
    """A name or the data itself is not valid."""

    code = "store.invalid"
    template = "{reason}"


class SizeMismatch(Invalid):
    """The size differs from the announced one; ``received`` may be a lower bound."""

    code = "store.size_mismatch"
    template = "{expected} bytes were announced, {received} bytes came"


class SizeLimitExceeded(StoreError):
    """The data is larger than the caller's limit (bytes)."""

    code = "store.size_limit"
    template = "the data is larger than the limit of {limit} bytes"


class InvalidRange(StoreError):
    """The requested range begins after the end of the data, or is negative."""

    code = "store.invalid_range"
    template = "no bytes from offset {offset} at {location}"


class DataChanged(StoreError):
    """Somebody has put other data in the place of that of an image."""

    code = "store.data_changed"
    template = "the data at {location} was replaced by other data"


class UnknownHashingAlgo(StoreError):
    """This machine does not support the hash algorithm."""

    code = "store.unknown_hash"
    template = "unknown hash algorithm {algorithm!r}"


class BadStoreUri(StoreError):
    """The URI is not a valid location of its scheme, or this store may not serve it."""

    code = "store.bad_uri"
    template = "bad location {location}: {reason}"


class AddressRefused(BadStoreUri):
    """A web address from which nothing is fetched; ``reason`` names the host if there is one."""

    code = "store.address_refused"
    template = "The URI does not pass filtering: {reason}"


class HostUnknown(AddressRefused):
    """The name of a host has no address, perhaps only temporarily."""

    code = "store.host_unknown"


class UnknownScheme(StoreError):
    """No configured store serves locations of this scheme."""

    code = "store.unknown_scheme"
    template = "no store for locations of scheme {scheme!r}"


class UnknownStore(UnknownScheme):
    """No store with this id is configured."""

    code = "store.unknown_store"
    template = "no store with id {store_id!r}"


class InUseByStore(StoreError):
    """The backend itself uses the data (a clone, an attachment), so it cannot be deleted now."""

    code = "store.in_use"
    template = "the data at {location} is in use by the backend"


class HasSnapshot(InUseByStore):
    """The data has snapshots, so it cannot be deleted now."""

    code = "store.has_snapshot"
    template = "the data at {location} has snapshots"


class DraftInUse(StoreError):
    """Somebody else writes or reads this draft now."""

    code = "store.draft_in_use"
    template = "another request uses what was sent so far"


class StoreGetNotSupported(StoreError):
    """The store cannot be read."""

    code = "store.get_not_supported"
    template = "this store cannot be read"


class StoreAddDisabled(StoreError):
    """The store takes no new data (it is read-only)."""

    code = "store.add_disabled"
    template = "this store is read-only and takes no new data"


class StoreDeleteNotSupported(StoreError):
    """The store cannot delete."""

    code = "store.delete_not_supported"
    template = "this store cannot delete data"


class StoreListNotSupported(StoreError):
    """The store cannot tell what it holds."""

    code = "store.list_not_supported"
    template = "this store cannot list its data"


class StoreAclNotSupported(StoreError):
    """The store has no access lists."""

    code = "store.acl_not_supported"
    template = "this store has no access lists"


class MaxRedirectsExceeded(StoreError):
    """The server redirected too often."""

    code = "store.redirects"
    template = "more than {redirects} redirects from {location}"


class RemoteServiceUnavailable(StoreError):
    """The backend does not answer or fails; a later attempt may succeed."""

    code = "store.unavailable"
    template = "the backend does not answer: {reason}"


class BuffersExhausted(StoreError):
    """Other transfers hold the memory for transfers; a later attempt may succeed."""

    code = "store.buffers"
    template = "other transfers use the {limit} bytes of memory for transfers; try again later"


class FetchBroken(RemoteServiceUnavailable):
    """A web server cannot be reached, or its response broke off; another attempt may succeed."""

    code = "store.fetch_broken"
    template = "{reason}"


class NotResumable(FetchBroken):
    """The response broke off and cannot be resumed; only a fetch from the start may succeed."""

    code = "store.not_resumable"


class FetchRefused(RemoteServiceUnavailable):
    """The response of a web server is not usable, now or later."""

    code = "store.fetch_refused"
    template = "{reason}"


class FetchCancelled(FetchRefused):
    """The data is no longer needed: the job was cancelled, or the client disconnected."""

    code = "store.fetch_cancelled"


class StoreUnavailable(RemoteServiceUnavailable):
    """An optional store could not be set up when the service started; it stays listed and serves nothing."""

    code = "store.not_set_up"
    template = "not set up: {reason}"


class BadStoreConfiguration(StoreError):
    """An option of a store has no usable value; stops the start."""

    code = "store.bad_configuration"
    template = "option {option}: {reason}"


class DriverLoadFailure(StoreError):
    """The driver of a store is not installed or cannot be loaded; stops the start."""

    code = "store.driver_load"
    template = "driver {driver} cannot be loaded: {reason}"
