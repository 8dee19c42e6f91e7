"""The ``clouds.yaml`` that lets OpenStack clients find a service that was started without a configuration."""

from pathlib import Path

import yaml

from glance_mini.domain.errors import ConfigurationError
from glance_mini.standalone.files import write_private

CLOUD = "glance-mini"
"""The name of the service in the file."""

_OURS = ("auth_type", "auth", "token", "image_endpoint_override", "image_api_version", "cacert")


def read_token(path: Path) -> str | None:
    """Return the token that the file holds for the service, or None; raises ConfigurationError for a wrong file."""
    auth = _read(path).get(CLOUD, {}).get("auth")
    token = auth.get("token") if isinstance(auth, dict) else None
    return token if isinstance(token, str) else None


def write_cloud(path: Path, endpoint: str, token: str, certificate: str | None) -> None:
    """Write ``endpoint`` and ``token`` to the file; ``certificate`` is the file with which clients verify the server.

    Other clouds and other settings of this one stay. A file that is already right is not written. Raises
    ConfigurationError, OSError.
    """
    clouds = _read(path)
    before = clouds.get(CLOUD, {})
    others = {name: value for name, value in before.items() if name not in _OURS}
    after = {**_settings(endpoint, token, certificate), **others}
    if after != before:
        write_private(path, yaml.safe_dump({"clouds": {**clouds, CLOUD: after}}, sort_keys=False))


def _settings(endpoint: str, token: str, certificate: str | None) -> dict[str, object]:
    return {
        "auth_type": "admin_token",
        "auth": {"endpoint": endpoint, "token": token},
        # openstacksdk 2.1 to 4.4 replaces the token in ``auth`` with this one, or with none.
        "token": token,
        "image_endpoint_override": endpoint,
        "image_api_version": "2",
        **({"cacert": certificate} if certificate else {}),
    }


def _read(path: Path) -> dict[str, dict[str, object]]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeError) as error:
        raise ConfigurationError(reason=f"{path} is not YAML; mend it, or remove it to get a new one.") from error
    clouds = content.get("clouds") if isinstance(content, dict) else None
    if not isinstance(clouds, dict) or not isinstance(clouds.get(CLOUD, {}), dict):
        raise ConfigurationError(reason=f"{path} is not a list of clouds; mend it, or remove it to get a new one.")
    return clouds
