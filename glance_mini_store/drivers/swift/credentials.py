"""Who authenticates where: the references of the configuration file, the options, and the URIs of older services."""

import configparser
from dataclasses import dataclass, field
from types import SimpleNamespace
from urllib.parse import urlsplit

from glance_mini_store import errors
from glance_mini_store.locations.swift import SwiftLocation


@dataclass(frozen=True)
class Credentials:
    """A user with a key, or an application credential, at the authentication service ``address`` (a URL).

    ``version`` is 1 or 3. ``user`` is ``account:user`` for version 1, ``project:user`` for version 3.
    """

    address: str
    version: int
    user: str | None = None
    key: str | None = field(default=None, repr=False)
    user_domain_id: str | None = "default"
    user_domain_name: str | None = None
    project_domain_id: str | None = "default"
    project_domain_name: str | None = None
    application_id: str | None = None
    application_secret: str | None = field(default=None, repr=False)

    @property
    def project_and_user(self) -> tuple[str | None, str | None]:
        """Return the two parts of ``user``; the project is None if it names none."""
        project, _, user = (self.user or "").rpartition(":")
        return project or None, user or None


def read_references(path: str) -> dict[str, Credentials]:
    """Return the credentials in the file ``path`` by reference. Raises BadStoreConfiguration, which quotes no value."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
    except OSError as error:
        raise _bad_file(f"{path}: {error.strerror}") from error
    except (configparser.Error, UnicodeDecodeError) as error:
        raise _bad_file(f"{path} is not an INI file ({type(error).__name__})") from None
    return {name: _reference(path, name, parser[name]) for name in parser.sections()}


def from_options(settings: SimpleNamespace) -> Credentials | None:
    """Return the credentials in the options themselves, None if there are none. Raises BadStoreConfiguration."""
    if not settings.swift_store_auth_address:
        return None
    credentials = Credentials(
        address=_url(settings.swift_store_auth_address),
        version=int(settings.swift_store_auth_version or guess_version(settings.swift_store_auth_address)),
        user=settings.swift_store_user,
        key=settings.swift_store_key,
        user_domain_id=settings.swift_store_user_domain_id,
        project_domain_id=settings.swift_store_project_domain_id,
        application_id=settings.swift_store_application_credential_id,
        application_secret=settings.swift_store_application_credential_secret,
    )
    if (reason := _lack(credentials)) is not None:
        raise errors.BadStoreConfiguration(option="swift_store_auth_address", reason=reason)
    return credentials


def from_uri(location: SwiftLocation) -> Credentials:
    """Return the credentials in a URI that has a user and a key."""
    address = location.swift_url
    return Credentials(address=address, version=guess_version(address), user=location.user, key=location.key)


def guess_version(address: str) -> int:
    """Return 1 if the path of ``address`` is one that TempAuth has, else 3."""
    path = urlsplit(_url(address)).path.rstrip("/")
    return 1 if path.startswith("/auth") or path.endswith(("/v1", "/v1.0")) else 3


def _reference(path: str, name: str, section: configparser.SectionProxy) -> Credentials:
    address, version = section.get("auth_address"), section.get("auth_version")
    if not address:
        raise _bad_file(f"section {name} of {path} has no auth_address")
    if version not in (None, "", "1", "3"):
        raise _bad_file(f"auth_version of section {name} of {path} must be 1 or 3")
    credentials = Credentials(
        address=_url(address),
        version=int(version or guess_version(address)),
        user=section.get("user"),
        key=section.get("key"),
        user_domain_name=section.get("user_domain_name"),
        project_domain_name=section.get("project_domain_name"),
        user_domain_id=section.get("user_domain_id", _default_domain(section, "user_domain_name")),
        project_domain_id=section.get("project_domain_id", _default_domain(section, "project_domain_name")),
        application_id=section.get("application_credential_id"),
        application_secret=section.get("application_credential_secret"),
    )
    if (reason := _lack(credentials)) is not None:
        raise _bad_file(f"section {name} of {path}: {reason}")
    return credentials


def _default_domain(section: configparser.SectionProxy, name: str) -> str | None:
    """Return the id of the domain that is meant if the section has no id: none if it has a name."""
    return None if section.get(name) else "default"


def _lack(credentials: Credentials) -> str | None:
    """Return what ``credentials`` lack, None if they are complete."""
    if credentials.application_id is not None:
        if credentials.version == 1:
            return "application credentials need version 3"
        return None if credentials.application_secret else "the application credential has no secret"
    if not credentials.user or not credentials.key:
        return "it needs a user and a key, or an application credential"
    if credentials.version == 3 and None in credentials.project_and_user:
        return "the user must be project:user"
    return None


def _url(address: str) -> str:
    return address if "://" in address else f"https://{address}"


def _bad_file(reason: str) -> errors.BadStoreConfiguration:
    return errors.BadStoreConfiguration(option="swift_store_config_file", reason=reason)
