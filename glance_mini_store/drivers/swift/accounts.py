"""The accounts in Swift that a request may go to, each with the token that it is sent with."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast
from urllib.parse import urlsplit

from glance_mini_store import errors
from glance_mini_store.drivers.swift.attempts import Attempts
from glance_mini_store.drivers.swift.credentials import Credentials
from glance_mini_store.drivers.swift.library import Access, Libraries, Plugin, Session

_INTERFACES = {"publicURL": "public", "internalURL": "internal", "adminURL": "admin"}
_Result = TypeVar("_Result")


class Account(Protocol):
    """An account with a token; shared by threads."""

    @property
    def storage_url(self) -> str:
        """Return its URL, without a slash at the end. Raises RemoteServiceUnavailable."""

    def token(self) -> str:
        """Return a token that does not expire soon. Raises RemoteServiceUnavailable."""

    def renew(self) -> bool:
        """Forget the token, which was refused; return whether there will be another one."""


@dataclass(frozen=True)
class AuthSettings:
    """How to authenticate and which URL of the catalog to use; times in seconds.

    ``endpoint`` is a storage URL that replaces that of the catalog, with ``$(project_id)s`` for the project.
    """

    verify: bool | str = True
    region: str | None = None
    interface: str = "publicURL"
    service_type: str = "object-store"
    endpoint: str | None = None
    expire_soon: int = 60
    read_timeout: int = 60

    def own_url(self, project_id: str) -> str | None:
        """Return the configured storage URL of a project, None if the catalog names it."""
        if self.endpoint is None:
            return None
        for place in ("$(project_id)s", "%(project_id)s", "$(tenant_id)s", "%(tenant_id)s"):
            if place in self.endpoint:
                return self.endpoint.replace(place, project_id).rstrip("/")
        return self.endpoint.rstrip("/")

    @property
    def is_template(self) -> bool:
        """Return whether ``endpoint`` is there and holds a place for the project."""
        return self.endpoint is not None and self.own_url("a") != self.own_url("b")


class AuthenticatedAccount:
    """The account of a user that authenticates with a key, an application credential or a trust."""

    def __init__(
        self, libraries: Libraries, credentials: Credentials, settings: AuthSettings, trust_id: str | None = None
    ) -> None:
        self.is_tempauth = credentials.version == 1
        self._libraries = libraries
        self._settings = settings
        self._plugin = _plugin(libraries, credentials, trust_id)
        self._process = 0
        self._session: Session | None = None

    @property
    def storage_url(self) -> str:
        """Return the configured URL, else that of the catalog."""
        settings = self._settings
        if (url := settings.own_url(self.project_id or "")) is not None:
            return url
        found = self._ask(
            lambda: self._plugin.get_endpoint(
                self.session,
                service_type=settings.service_type,
                interface=_INTERFACES[settings.interface],
                region_name=settings.region,
            )
        )
        if not found:
            raise errors.RemoteServiceUnavailable(reason=f"the catalog has no {settings.service_type}")
        return found.rstrip("/")

    @property
    def project_id(self) -> str | None:
        """Return the project of the token; None for TempAuth."""
        return self.access().project_id

    @property
    def session(self) -> Session:
        """Return the session of this process: a child does not use the sockets of its parent."""
        if self._session is None or self._process != os.getpid():
            self._session = new_session(self._libraries, self._settings)
            self._process = os.getpid()
        return self._session

    @property
    def plugin(self) -> Plugin:
        """Return the way in which the user authenticates."""
        return self._plugin

    def token(self) -> str:
        """Return the token, a new one if it would expire soon."""
        return self.access().auth_token

    def access(self) -> Access:
        """Return the token with what it says. Raises RemoteServiceUnavailable."""
        access = self._ask(lambda: self._plugin.get_access(self.session))
        if access.will_expire_soon(self._settings.expire_soon):
            self._plugin.invalidate()
            access = self._ask(lambda: self._plugin.get_access(self.session))
        return access

    def renew(self) -> bool:
        """Forget the token; the next request authenticates."""
        self._plugin.invalidate()
        return True

    def _ask(self, request: Callable[[], _Result]) -> _Result:
        return ask(self._libraries, self._settings, request)


class TokenAccount:
    """The account at ``storage_url`` with a token that a user sent and that cannot be renewed."""

    def __init__(self, storage_url: str, token: str) -> None:
        self._storage_url = storage_url
        self._token = token

    @property
    def storage_url(self) -> str:
        """Return the URL."""
        return self._storage_url

    def token(self) -> str:
        """Return the token."""
        return self._token

    def renew(self) -> bool:
        """Return False: only the user can get another one."""
        return False


class DelegatedAccount:
    """The account at ``storage_url``, which is another one's, with the token of ``authenticated``."""

    def __init__(self, storage_url: str, authenticated: AuthenticatedAccount) -> None:
        self._storage_url = storage_url
        self._authenticated = authenticated

    @property
    def storage_url(self) -> str:
        """Return the URL."""
        return self._storage_url

    def token(self) -> str:
        """Return the token of the other account."""
        return self._authenticated.token()

    def renew(self) -> bool:
        """Forget that token."""
        return self._authenticated.renew()


def ask(libraries: Libraries, settings: AuthSettings, request: Callable[[], _Result]) -> _Result:
    """Return what the authentication service answers to ``request``, which is made again while it is out of reach.

    A silent service costs one time-out, as in ``Client.open``. Raises CredentialsRefused, RemoteServiceUnavailable.
    """
    attempts = Attempts(settings.read_timeout)
    with libraries.keystone.translated(absent="Swift with this type, region and interface"):
        while True:
            try:
                return request()
            except libraries.keystone.unreachable:
                if not attempts.wait():
                    raise


def new_session(libraries: Libraries, settings: AuthSettings) -> Session:
    """Return a session of keystoneauth with a time-out; ``ask`` repeats its requests."""
    session = libraries.session.Session(verify=settings.verify, timeout=settings.read_timeout)
    return cast(Session, session)


def origin(url: str) -> tuple[str, str]:
    """Return scheme and host with port of ``url``."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _plugin(libraries: Libraries, credentials: Credentials, trust_id: str | None) -> Plugin:
    if credentials.version == 1:
        made = libraries.version_1.PasswordPlugin(credentials.address, credentials.user, credentials.key)
    elif credentials.application_id is not None:
        made = libraries.version_3.ApplicationCredential(
            credentials.address,
            application_credential_id=credentials.application_id,
            application_credential_secret=credentials.application_secret,
        )
    else:
        project, user = credentials.project_and_user
        scope: dict[str, str | None] = {"trust_id": trust_id}
        if trust_id is None:
            scope = {
                "project_name": project,
                "project_domain_id": credentials.project_domain_id,
                "project_domain_name": credentials.project_domain_name,
            }
        made = libraries.version_3.Password(
            credentials.address,
            username=user,
            password=credentials.key,
            user_domain_id=credentials.user_domain_id,
            user_domain_name=credentials.user_domain_name,
            **scope,
        )
    return cast(Plugin, made)
