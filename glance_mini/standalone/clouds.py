"""The files by which OpenStack clients find a service that was started without a configuration."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from glance_mini.domain.errors import ConfigurationError
from glance_mini.standalone.files import write_private
from glance_mini.standalone.users import DOMAIN_NAME

CLOUD = "glance-mini"
"""The name of the service in the file."""

LOGIN_CLOUD = f"{CLOUD}-login"
"""The name under which clients log in at the service itself."""

_OURS = (
    *("auth_type", "auth", "token", "image_endpoint_override", "image_api_version", "cacert"),
    *("region_name", "identity_api_version"),
)
_VARIABLES = (
    "OS_CLOUD OS_AUTH_TYPE OS_AUTH_URL OS_TOKEN OS_AUTH_TOKEN OS_ENDPOINT OS_IMAGE_ENDPOINT_OVERRIDE OS_IMAGE_URL "
    "OS_USERNAME OS_USER_ID OS_PASSWORD OS_PROJECT_NAME OS_PROJECT_ID OS_TENANT_ID OS_TENANT_NAME OS_DOMAIN_ID "
    "OS_DOMAIN_NAME OS_USER_DOMAIN_NAME OS_USER_DOMAIN_ID OS_PROJECT_DOMAIN_NAME OS_PROJECT_DOMAIN_ID OS_SYSTEM_SCOPE "
    "OS_CACERT"
)
"""Variables that say how clients log in: those of another log-in must not mix with those of a file."""


@dataclass(frozen=True)
class Login:
    """How a user logs in at the service at ``endpoint``, in ``project``; ``region`` is that of the catalogue."""

    endpoint: str
    user: str
    project: str
    secret: str = field(repr=False)
    region: str

    @property
    def auth(self) -> dict[str, str]:
        """The arguments of keystoneauth's plugin ``password``."""
        return {
            "auth_url": auth_url(self.endpoint),
            "username": self.user,
            "password": self.secret,
            "project_name": self.project,
            "user_domain_name": DOMAIN_NAME,
            "project_domain_name": DOMAIN_NAME,
        }


def auth_url(endpoint: str) -> str:
    """Return the address at which clients log in to the service at ``endpoint``."""
    return f"{endpoint.rstrip('/')}/identity/v3"


def read_token(path: Path) -> str | None:
    """Return the token that the file holds for the service, or None; raises ConfigurationError for a wrong file."""
    return _read_auth(path, "token")


def read_endpoint(path: Path) -> str | None:
    """Return the address of the service that the file holds, or None; raises ConfigurationError for a wrong file."""
    return _read_auth(path, "endpoint")


def write_cloud(path: Path, endpoint: str, token: str, certificate: str | None, login: Login | None = None) -> None:
    """Write ``endpoint`` and ``token`` to the file; ``certificate`` is the file with which clients verify the server.

    With ``login``, another cloud logs in at the service itself. Other clouds and other settings of these two stay. A
    file that is already right is not written. Raises ConfigurationError, OSError.
    """
    clouds = _read(path)
    cacert = {"cacert": certificate} if certificate else {}
    after = {**clouds, CLOUD: _changed(clouds.get(CLOUD), {**_token_settings(endpoint, token), **cacert})}
    if login is not None:
        after[LOGIN_CLOUD] = _changed(clouds.get(LOGIN_CLOUD), {**_login_settings(login), **cacert})
    else:
        after.pop(LOGIN_CLOUD, None)
    if after != clouds:
        write_private(path, yaml.safe_dump({"clouds": after}, sort_keys=False))


def write_login_openrc(path: Path, login: Login | None, certificate: str | None) -> None:
    """Write a file with which a shell tells clients to log in; remove it if ``login`` is None. Raises OSError."""
    variables = None
    if login is not None:
        variables = {
            "OS_AUTH_TYPE": "password",
            **{f"OS_{name.upper()}": value for name, value in login.auth.items()},
            "OS_REGION_NAME": login.region,
            "OS_IDENTITY_API_VERSION": "3",
            "OS_IMAGE_API_VERSION": "2",
        }
    _write_openrc(path, variables, certificate)


def write_token_openrc(path: Path, endpoint: str, token: str | None, certificate: str | None) -> None:
    """Write a file with which a shell tells clients to send ``token``; remove it if it is None. Raises OSError."""
    variables = None
    if token is not None:
        variables = {
            "OS_AUTH_TYPE": "admin_token",
            "OS_ENDPOINT": endpoint,
            "OS_TOKEN": token,
            "OS_IMAGE_ENDPOINT_OVERRIDE": endpoint,
            "OS_IMAGE_API_VERSION": "2",
        }
    _write_openrc(path, variables, certificate)


def _write_openrc(path: Path, variables: Mapping[str, str] | None, certificate: str | None) -> None:
    if variables is None:
        path.unlink(missing_ok=True)
        return
    cacert = {"OS_CACERT": certificate} if certificate else {}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in {**variables, **cacert}.items()]
    text = "\n".join([f"# Use it by: . {shlex.quote(str(path))}", f"unset {_VARIABLES}", *lines, ""])
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_private(path, text)


def _changed(before: Mapping[str, object] | None, ours: Mapping[str, object]) -> dict[str, object]:
    """Return the settings of a cloud with ``ours`` in place of what this program has written before."""
    others = {name: value for name, value in (before or {}).items() if name not in _OURS}
    return {**ours, **others}


def _token_settings(endpoint: str, token: str) -> dict[str, object]:
    return {
        "auth_type": "admin_token",
        "auth": {"endpoint": endpoint, "token": token},
        # openstacksdk 2.1 to 4.4 replaces the token in ``auth`` with this one, or with none.
        "token": token,
        "image_endpoint_override": endpoint,
        "image_api_version": "2",
    }


def _login_settings(login: Login) -> dict[str, object]:
    return {
        "auth_type": "password",
        "auth": dict(login.auth),
        "region_name": login.region,
        "identity_api_version": "3",
        "image_api_version": "2",
    }


def _read_auth(path: Path, name: str) -> str | None:
    auth = _read(path).get(CLOUD, {}).get("auth")
    value = auth.get(name) if isinstance(auth, dict) else None
    return value if isinstance(value, str) else None


def _read(path: Path) -> dict[str, dict[str, object]]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeError) as error:
        raise ConfigurationError(reason=f"{path} is not YAML; mend it, or remove it to get a new one.") from error
    clouds = content.get("clouds") if isinstance(content, dict) else None
    if not isinstance(clouds, dict) or not all(isinstance(clouds.get(ours, {}), dict) for ours in (CLOUD, LOGIN_CLOUD)):
        raise ConfigurationError(reason=f"{path} is not a list of clouds; mend it, or remove it to get a new one.")
    return clouds
