"""The libraries of the driver, loaded when it is configured, and the part of their interfaces that it uses."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import Protocol, Self

from glance_mini_store.extras import import_library
from glance_mini_store.keystone import KeystoneErrors


class Access(Protocol):
    """A token of Keystone or TempAuth."""

    @property
    def auth_token(self) -> str:
        """Return the token."""

    @property
    def expires(self) -> datetime | None:
        """Return when it expires."""

    @property
    def project_id(self) -> str | None:
        """Return the project that it is for; None for TempAuth."""

    @property
    def user_id(self) -> str | None:
        """Return the user that it is for."""

    def will_expire_soon(self, stale_duration: int) -> bool:
        """Return whether it expires within so many seconds."""


class JsonAnswer(Protocol):
    """An answer of Keystone."""

    def json(self) -> object:
        """Return the parsed body."""


class Session(Protocol):
    """A session of keystoneauth."""

    def request(
        self, url: str, method: str, *, headers: dict[str, str], json: object, authenticated: bool, log: bool
    ) -> JsonAnswer:
        """Send a request; raises errors for statuses from 400."""


class Plugin(Protocol):
    """A way to authenticate, as keystoneauth has them; shared by threads."""

    def get_access(self, session: Session) -> Access:
        """Return the current token, after authentication if there is none."""

    def invalidate(self) -> bool:
        """Forget the current token."""

    def get_endpoint(
        self, session: Session, *, service_type: str, interface: str, region_name: str | None
    ) -> str | None:
        """Return the URL of a service in the catalog."""


class RawBody(Protocol):
    """The body of a response, as it comes."""

    def read(self, size: int) -> bytes:
        """Return the next bytes; none at the end."""


class Response(Protocol):
    """A response of requests."""

    status_code: int
    headers: Mapping[str, str]
    raw: RawBody

    @property
    def content(self) -> bytes:
        """Return the whole body."""

    def close(self) -> None:
        """Close the connection, or keep it if the body was read."""


class Connection(Protocol):
    """A connection of swiftclient; for one request at a time."""

    requests_args: dict[str, object]

    def request(self, method: str, full_path: str, data: object, headers: dict[str, str]) -> Response:
        """Send a request and return the response, of which the body is not read yet."""

    def close(self) -> None:
        """Close the sockets."""


@dataclass(frozen=True)
class Libraries:
    """The modules of python-swiftclient and keystoneauth1 that the driver uses.

    ``keystone`` is what keystoneauth raises.
    """

    client: ModuleType
    version_1: ModuleType
    version_3: ModuleType
    session: ModuleType
    keystone: KeystoneErrors

    @classmethod
    def load(cls) -> Self:
        """Return the modules; raises DriverLoadFailure if a package is missing."""
        keystone = KeystoneErrors.load("swift")
        client = import_library("swiftclient.client", driver="swift")
        # At lower levels it writes headers with tokens.
        logging.getLogger("swiftclient").setLevel(logging.ERROR)
        return cls(
            client=client,
            version_1=import_library("swiftclient.authv1", driver="swift"),
            version_3=import_library("keystoneauth1.identity.v3", driver="swift"),
            session=import_library("keystoneauth1.session", driver="swift"),
            keystone=keystone,
        )
