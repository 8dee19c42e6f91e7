"""The exceptions of api-library-compat, and how the errors of this package become them.

An exception is made from a text, or from keywords that are added to the text of its class. Keywords are shown redacted.
"""

import contextlib
from collections.abc import Iterator
from typing import ClassVar

from glance_mini_store import errors
from glance_mini_store.redaction import redact


class BackendException(Exception):
    """A store returned what the library does not allow, or no store could be loaded."""


class UnsupportedBackend(BackendException):
    """No store can do this."""


class RedirectException(Exception):
    """The data is at ``url``."""

    def __init__(self, url: str) -> None:
        super().__init__(redact(url))
        self.url = url


class GlanceStoreException(Exception):
    """The root of the exceptions; ``msg`` is the text."""

    message: ClassVar[str] = "the operation on the store failed"

    def __init__(self, message: object = None, **values: object) -> None:
        self.msg = _text(self.message, values) if message is None else _filled(str(message), values)
        super().__init__(self.msg)

    def __str__(self) -> str:
        return self.msg


class MissingCredentialError(GlanceStoreException):
    """A credential that the backend needs is not configured."""

    message = "a credential is missing"


class BadAuthStrategy(GlanceStoreException):
    """The way to log in is not the one that the backend expects."""

    message = "the backend expects another way to log in"


class AuthorizationRedirect(GlanceStoreException):
    """The identity service redirects."""

    message = "the identity service redirects"


class AuthBadRequest(GlanceStoreException):
    """The identity service does not understand the request."""

    message = "the identity service refused the request as malformed"


class AuthUrlNotFound(GlanceStoreException):
    """There is no identity service at the configured URL."""

    message = "no identity service at this URL"


class AuthorizationFailure(GlanceStoreException):
    """Logging in failed."""

    message = "logging in failed"


class NotAuthenticated(GlanceStoreException):
    """The backend does not know the caller."""

    message = "the backend does not accept the credentials"


class Forbidden(GlanceStoreException):
    """The backend refuses this operation."""

    message = "the backend refuses this operation"


class NotFound(GlanceStoreException):
    """There is no data at this location."""

    message = "no data at this location"


class Duplicate(GlanceStoreException):
    """There is data under this name already."""

    message = "there is data under this name already"


class UnknownHashingAlgo(GlanceStoreException):
    """This machine does not support the hash algorithm."""

    message = "unknown hash algorithm"


class UnknownScheme(GlanceStoreException):
    """No store has this scheme or id."""

    message = "no store for this scheme or id"


class BadStoreUri(GlanceStoreException):
    """The storage URI is not valid for its scheme."""

    message = "bad storage URI"


class StorageFull(GlanceStoreException):
    """The backend has no room."""

    message = "no room for this data"


class StorageWriteDenied(GlanceStoreException):
    """The backend does not let the program write."""

    message = "writing is not permitted by the backend"


class Invalid(GlanceStoreException):
    """A name, a size, a range or the data is not valid."""

    message = "the data or a parameter is not valid"


class BadStoreConfiguration(GlanceStoreException):
    """An option of a store has no usable value."""

    message = "the store is not configured properly"


class DriverLoadFailure(GlanceStoreException):
    """The driver of a store is not installed or cannot be loaded."""

    message = "the driver cannot be loaded"


class StoreDeleteNotSupported(GlanceStoreException):
    """The store cannot delete."""

    message = "this store cannot delete data"


class StoreGetNotSupported(GlanceStoreException):
    """The store cannot be read."""

    message = "this store cannot be read"


class StoreRandomGetNotSupported(StoreGetNotSupported):
    """The store can be read as a whole only."""

    message = "this store cannot read a part of the data"


class StoreAddDisabled(GlanceStoreException):
    """The store takes no new data."""

    message = "this store takes no new data"


class MaxRedirectsExceeded(GlanceStoreException):
    """The server redirected too often."""

    message = "too many redirects"


class NoServiceEndpoint(GlanceStoreException):
    """The catalogue has no endpoint of the service."""

    message = "the catalogue has no endpoint of this service"


class RegionAmbiguity(GlanceStoreException):
    """The catalogue has endpoints in several regions, and none is configured."""

    message = "the catalogue has several regions, and none is configured"


class RemoteServiceUnavailable(GlanceStoreException):
    """The backend does not answer or fails."""

    message = "the backend does not answer"


class HasSnapshot(GlanceStoreException):
    """The data has snapshots, so it cannot be deleted now."""

    message = "the data has snapshots"


class InUseByStore(GlanceStoreException):
    """The backend uses the data, so it cannot be deleted now."""

    message = "the data is in use by the backend"


class HostNotInitialized(GlanceStoreException):
    """The driver has not prepared the machine for its backend."""

    message = "the machine is not prepared for this backend"


class TimeoutError(GlanceStoreException):  # noqa: A001
    """The backend did not answer in time."""

    message = "the backend did not answer in time"


_COUNTERPARTS: dict[type[errors.StoreError], type[GlanceStoreException]] = {
    errors.NotFound: NotFound,
    errors.Duplicate: Duplicate,
    errors.StorageFull: StorageFull,
    errors.StorageWriteDenied: StorageWriteDenied,
    errors.Forbidden: Forbidden,
    errors.Invalid: Invalid,
    errors.SizeLimitExceeded: StorageFull,
    errors.InvalidRange: Invalid,
    errors.UnknownHashingAlgo: UnknownHashingAlgo,
    errors.BadStoreUri: BadStoreUri,
    errors.UnknownScheme: UnknownScheme,
    errors.HasSnapshot: HasSnapshot,
    errors.InUseByStore: InUseByStore,
    errors.StoreGetNotSupported: StoreGetNotSupported,
    errors.StoreAddDisabled: StoreAddDisabled,
    errors.StoreDeleteNotSupported: StoreDeleteNotSupported,
    errors.MaxRedirectsExceeded: MaxRedirectsExceeded,
    errors.RemoteServiceUnavailable: RemoteServiceUnavailable,
    errors.BadStoreConfiguration: BadStoreConfiguration,
    errors.DriverLoadFailure: DriverLoadFailure,
}


def counterpart(error: errors.StoreError) -> GlanceStoreException:
    """Return the exception for an error of this package, with its text; the nearest class decides."""
    for each in type(error).__mro__:
        if each in _COUNTERPARTS:
            return _COUNTERPARTS[each](str(error))
    return GlanceStoreException(str(error))


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise the counterparts of this package's errors. A missing access list is a NotImplementedError."""
    try:
        yield
    except errors.StoreAclNotSupported as error:
        raise NotImplementedError(str(error)) from error
    except errors.StoreError as error:
        raise counterpart(error) from error


def _text(text: str, values: dict[str, object]) -> str:
    if not values:
        return text
    shown = ", ".join(f"{name}: {_shown(value)}" for name, value in values.items())
    return f"{text} ({shown})"


def _filled(text: str, values: dict[str, object]) -> str:
    """Return ``text`` with its ``%(name)s`` filled in; a text that does not fit its keywords stays as it is."""
    if not values:
        return text
    try:
        return text % {name: _shown(value) for name, value in values.items()}
    except (KeyError, TypeError, ValueError):
        return text


def _shown(value: object) -> object:
    return redact(value) if isinstance(value, str) and "://" in value else value
