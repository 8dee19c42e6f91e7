"""The errors of keystoneauth, for the drivers whose services are asked with its sessions.

Their texts may name users and URLs, so that only their kind is kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from glance_mini_store import errors
from glance_mini_store.extras import import_library


class CredentialsRefused(errors.RemoteServiceUnavailable):
    """The authentication service refuses the credentials that the store is configured with."""

    code = "store.credentials_refused"
    template = "{reason}"


@dataclass(frozen=True)
class KeystoneErrors:
    """What keystoneauth raises: ``failure``, and of these the other three.

    ``refusal`` is for credentials, ``absence`` for an entry of the catalog, ``unreachable`` for a missing answer.
    """

    failure: type[Exception]
    refusal: type[Exception]
    absence: type[Exception]
    unreachable: type[Exception]

    @classmethod
    def load(cls, driver: str) -> Self:
        """Return them; raises DriverLoadFailure if the package is missing."""
        exceptions = import_library("keystoneauth1.exceptions", driver=driver)
        return cls(
            exceptions.ClientException,
            exceptions.Unauthorized,
            exceptions.CatalogException,
            exceptions.RetriableConnectionFailure,
        )

    @contextmanager
    def translated(self, *, absent: str, asked: str = "the authentication service") -> Iterator[None]:
        """Raise the errors of this package in their place; ``absent`` says what the catalog does not have.

        ``asked`` names who may not have answered. Raises CredentialsRefused, RemoteServiceUnavailable.
        """
        try:
            yield
        except self.refusal as error:
            reason = "the authentication service refuses the credentials of this store"
            raise CredentialsRefused(reason=reason) from error
        except self.absence as error:
            raise errors.RemoteServiceUnavailable(reason=f"the catalog has no {absent}") from error
        except (self.failure, OSError) as error:
            reason = f"{asked} does not answer ({type(error).__name__})"
            raise errors.RemoteServiceUnavailable(reason=reason) from error
