"""Exceptions of foreign drivers as errors of this library.

They are told by the names of their classes, so that the library they come from need not be imported. Their texts are
shown without URIs' credentials and without the values of secret options.
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator

from glance_mini_store import errors
from glance_mini_store.redaction import redact

_URI = re.compile(r"[\w+.-]+://[^\s'\",;)]+")
_SHOWN = 300

_BY_NAME: dict[str, Callable[[str, str], errors.StoreError]] = {
    "NotFound": lambda location, reason: errors.NotFound(location=location),
    "Duplicate": lambda location, reason: errors.Duplicate(location=location),
    "StorageFull": lambda location, reason: errors.StorageFull(reason=reason),
    "StorageWriteDenied": lambda location, reason: errors.StorageWriteDenied(reason=reason),
    "Forbidden": lambda location, reason: errors.Forbidden(location=location),
    "NotAuthenticated": lambda location, reason: errors.Forbidden(location=location),
    "Invalid": lambda location, reason: errors.Invalid(reason=reason),
    "BadStoreUri": lambda location, reason: errors.BadStoreUri(location=location, reason=reason),
    "UnknownScheme": lambda location, reason: errors.BadStoreUri(location=location, reason=reason),
    "HasSnapshot": lambda location, reason: errors.HasSnapshot(location=location),
    "InUseByStore": lambda location, reason: errors.InUseByStore(location=location),
    "StoreGetNotSupported": lambda location, reason: errors.StoreGetNotSupported(),
    "StoreAddDisabled": lambda location, reason: errors.StoreAddDisabled(),
    "StoreDeleteNotSupported": lambda location, reason: errors.StoreDeleteNotSupported(),
    "BadStoreConfiguration": lambda location, reason: errors.BadStoreConfiguration(
        option="of the driver", reason=reason
    ),
    "NotImplementedError": lambda location, reason: errors.StoreAclNotSupported(),
    "GlanceStoreException": lambda location, reason: errors.RemoteServiceUnavailable(reason=reason),
    "BackendException": lambda location, reason: errors.RemoteServiceUnavailable(reason=reason),
}


class Translation:
    """Translates the exceptions of one store; ``secrets`` are the values that no text may show."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(sorted((each for each in secrets if each), key=len, reverse=True))

    @contextlib.contextmanager
    def for_location(self, location: str) -> Iterator[None]:
        """Raise errors of this library for exceptions of the driver; of an unknown one only the class is shown."""
        try:
            yield
        except errors.StoreError:
            raise
        except Exception as error:
            raise self.error(error, location) from None

    def error(self, error: Exception, location: str) -> errors.StoreError:
        """Return the error of this library for an exception; the nearest known class decides."""
        for kind in type(error).__mro__:
            if kind.__name__ in _BY_NAME:
                return _BY_NAME[kind.__name__](location, self._text(error))
        return errors.RemoteServiceUnavailable(reason=f"the driver failed with {type(error).__name__}")

    def _text(self, error: Exception) -> str:
        text = str(error)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return _URI.sub(lambda found: redact(found[0]), text)[:_SHOWN]
