"""The lines that ``user add`` prints to paste: how a new user logs in with each client."""

import shlex
from contextlib import suppress
from pathlib import Path

from oslo_config import cfg

from glance_mini.conf.identity import serves_identity
from glance_mini.conf.server import local_endpoint
from glance_mini.domain.errors import ConfigurationError
from glance_mini.standalone.clouds import auth_url, read_endpoint
from glance_mini.standalone.state import StateDirectory
from glance_mini.standalone.users import DOMAIN_NAME

_ASK = "printf 'Token or password: '; stty -echo; read -r OS_PASSWORD; stty echo; export OS_PASSWORD"
_LIST = 'import openstack; print(*(image.name for image in openstack.connect().list_images()), sep="\\n")'


def login_lines(conf: cfg.ConfigOpts, user: str, project: str) -> list[str]:
    """Return the lines for a user who acts in ``project``; empty if the service offers no log-in.

    They hold no secret: the shell asks for it.
    """
    if not serves_identity(conf):
        return []
    variables = {
        "OS_AUTH_TYPE": "password",
        "OS_AUTH_URL": auth_url(_endpoint(conf)),
        "OS_USERNAME": user,
        "OS_PROJECT_NAME": project,
        "OS_USER_DOMAIN_NAME": DOMAIN_NAME,
        "OS_PROJECT_DOMAIN_NAME": DOMAIN_NAME,
        "OS_REGION_NAME": conf.identity.region,
        "OS_IDENTITY_API_VERSION": "3",
    }
    return [
        "",
        "To log in, paste these two lines into a shell:",
        f"  export {' '.join(f'{name}={shlex.quote(value)}' for name, value in variables.items())}",
        f"  {_ASK}",
        "Then clients find the service by themselves:",
        "  openstack    openstack image list",
        f"  Python       python3 -c {shlex.quote(_LIST)}",
        "  Ansible      ansible localhost -m openstack.cloud.image_info",
        '  Terraform    provider "openstack" {}',
    ]


def _endpoint(conf: cfg.ConfigOpts) -> str:
    """Return the address of the service, as far as its configuration and its last start tell."""
    known: str | None = conf.public_endpoint
    if known is None and conf.state_directory:
        # A file that cannot be read is the matter of the service.
        with suppress(ConfigurationError, OSError):
            known = read_endpoint(StateDirectory(Path(conf.state_directory)).clouds_file)
    return known or local_endpoint(conf.server.bind, conf.server.tls_certificate is not None)
