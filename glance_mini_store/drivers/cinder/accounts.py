"""The projects of Cinder that requests go to, each with the user that they are sent as."""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import NoReturn, Protocol, cast

from glance_mini_store import errors
from glance_mini_store.caller import Caller
from glance_mini_store.drivers.cinder.library import Client, Libraries, Session

_VERSION = "3.54"
"""The microversion of the requests: attachments have a mode. Cinder has it since Rocky."""

_APPLICATION = ("application_credential_id", "application_credential_secret")
_USER = ("user_name", "password", "project_name")


class Account(Protocol):
    """A project with a user; shared by threads. Its methods raise StoreError."""

    def client(self, *, repeats: bool = True) -> Client:
        """Return a client; ``repeats``: it may send a request again that was perhaps carried out."""

    def project_id(self) -> str | None:
        """Return the project, None if it is unknown."""


@dataclass(frozen=True)
class Service:
    """Which Cinder, and how requests are sent: ``verify`` as requests has it, ``timeout`` in seconds.

    ``template`` is a URL that replaces that of the catalog.
    """

    type: str
    name: str | None
    interface: str
    region: str | None
    template: str | None
    verify: bool | str
    timeout: int
    retries: int

    @classmethod
    def from_settings(cls, settings: SimpleNamespace) -> "Service":
        """Return what the options say. Raises BadStoreConfiguration."""
        parts = settings.cinder_catalog_info.split(":")
        if len(parts) != 3 or not parts[0] or not parts[2]:
            _refuse("cinder_catalog_info", f"{settings.cinder_catalog_info!r} is not type:name:interface")
        return cls(
            type=parts[0],
            name=parts[1] or None,
            interface=parts[2],
            region=settings.cinder_os_region_name,
            template=settings.cinder_endpoint_template,
            verify=False if settings.cinder_api_insecure else settings.cinder_ca_certificates_file or True,
            timeout=settings.cinder_http_timeout,
            retries=settings.cinder_http_retries,
        )

    def url(self, project_id: str | None) -> str | None:
        """Return the configured URL for a project, None if the catalog names it."""
        if self.template is None:
            return None
        for place in ("%(project_id)s", "%(tenant)s", "%(tenant_id)s", "$(project_id)s", "$(tenant_id)s"):
            if place in self.template:
                return self.template.replace(place, project_id or "")
        return self.template


@dataclass(frozen=True)
class Credentials:
    """A user with its password and project, or an application credential, at Keystone's ``address``."""

    address: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    user_domain: str | None = None
    project: str | None = None
    project_domain: str | None = None
    application_id: str | None = None
    application_secret: str | None = field(default=None, repr=False)

    @property
    def secret_option(self) -> str:
        """Return the option with the secret."""
        return "cinder_store_application_credential_secret" if self.application_id else "cinder_store_password"

    @classmethod
    def from_settings(cls, settings: SimpleNamespace) -> "Credentials | None":
        """Return what the options say, None if they name no user. Raises BadStoreConfiguration."""
        said = {name: getattr(settings, f"cinder_store_{name}") for name in (*_APPLICATION, *_USER)}
        if not any(said.values()):
            return None
        needed = _APPLICATION if any(said[name] for name in _APPLICATION) else _USER
        for name in (*needed, "auth_address"):
            if not getattr(settings, f"cinder_store_{name}"):
                _refuse(f"cinder_store_{name}", "the store has credentials of its own, so it needs this too")
        return cls(
            address=settings.cinder_store_auth_address,
            user=settings.cinder_store_user_name,
            password=settings.cinder_store_password,
            user_domain=settings.cinder_store_user_domain_name,
            project=settings.cinder_store_project_name,
            project_domain=settings.cinder_store_project_domain_name,
            application_id=settings.cinder_store_application_credential_id,
            application_secret=settings.cinder_store_application_credential_secret,
        )


class OwnAccount:
    """The project of the store itself; ``secret_option`` names the option with its secret."""

    def __init__(self, libraries: Libraries, service: Service, credentials: Credentials) -> None:
        self._libraries = libraries
        self._service = service
        self.secret_option = credentials.secret_option
        self._plugin = _plugin(libraries, credentials)
        self._process = 0
        self._session: Session | None = None
        self._project_id: str | None = None

    def client(self, *, repeats: bool = True) -> Client:
        """Return a client of the session of this process: a child does not use the sockets of its parent."""
        if self._session is None or self._process != os.getpid():
            self._session = _session(self._libraries, self._service, self._plugin)
            self._process = os.getpid()
        url = self._service.url(self.project_id()) if self._service.template else None
        return _client(self._libraries, self._service, self._session, url, repeats=repeats)

    def project_id(self) -> str | None:
        """Return the project of the token."""
        if self._project_id is None:
            with translated(self._libraries):
                session = _session(self._libraries, self._service, self._plugin)
                self._project_id = session.get_project_id()
        return self._project_id


class UserAccount:
    """The project of a caller, with the token that the caller sent and that cannot be renewed."""

    def __init__(self, libraries: Libraries, service: Service, address: str | None, caller: Caller) -> None:
        self._libraries = libraries
        self._service = service
        self._caller = caller
        url = service.url(caller.project_id)
        if url is not None:
            plugin = libraries.token_endpoint.Token(url, caller.token)
        else:
            plugin = libraries.version_3.Token(address, caller.token, project_id=caller.project_id)
        self._session = _session(libraries, service, plugin)

    def client(self, *, repeats: bool = True) -> Client:
        """Return a client."""
        return _client(self._libraries, self._service, self._session, None, repeats=repeats)

    def project_id(self) -> str | None:
        """Return the project of the caller."""
        return self._caller.project_id


class NoAccount:
    """What a store without credentials has where no user's token is at hand, for example in a job."""

    def client(self, *, repeats: bool = True) -> NoReturn:
        """Raise StorageWriteDenied."""
        raise errors.StorageWriteDenied(reason="there is no user's token, and the store has no credentials of its own")

    def project_id(self) -> None:
        """Return None."""


def translated(libraries: Libraries) -> AbstractContextManager[None]:
    """Translate the errors of keystoneauth, whose sessions carry all requests."""
    absent = "Cinder with this type, name, region and interface"
    return libraries.keystone.translated(absent=absent, asked="Keystone or Cinder")


def _session(libraries: Libraries, service: Service, plugin: object) -> Session:
    made = libraries.session.Session(auth=plugin, verify=service.verify, timeout=service.timeout)
    return cast(Session, made)


def _client(libraries: Libraries, service: Service, session: Session, url: str | None, *, repeats: bool) -> Client:
    attempts: dict[str, int] = {"retries": 0}
    if repeats:
        attempts = {
            "retries": service.retries,
            "connect_retries": service.retries,
            "status_code_retries": service.retries,
        }
    made = libraries.client.Client(
        session=session,
        service_type=service.type,
        service_name=service.name,
        endpoint_type=service.interface,
        region_name=service.region,
        os_endpoint=url,
        api_version=libraries.versions.APIVersion(_VERSION),
        **attempts,
    )
    return cast(Client, made)


def _plugin(libraries: Libraries, credentials: Credentials) -> object:
    if credentials.application_id:
        return libraries.version_3.ApplicationCredential(
            credentials.address,
            application_credential_id=credentials.application_id,
            application_credential_secret=credentials.application_secret,
        )
    return libraries.version_3.Password(
        credentials.address,
        username=credentials.user,
        password=credentials.password,
        user_domain_name=credentials.user_domain,
        project_name=credentials.project,
        project_domain_name=credentials.project_domain,
    )


def _refuse(option: str, reason: str) -> NoReturn:
    raise errors.BadStoreConfiguration(option=option, reason=reason)
