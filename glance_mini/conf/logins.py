"""Whether the libraries that ask Keystone are told how to log in; else they fail at the first request only."""

from collections.abc import Iterator, Sequence

from oslo_config import cfg

from glance_mini.conf.lines import Line, library_value, read_lines
from glance_mini.conf.paste_deploy import authentication

_LOGIN = (
    "with 'password' the section also needs auth_url, username, password, project_name, user_domain_name and "
    "project_domain_name"
)
_ENDPOINT = ("endpoint_id", "endpoint_service_type", "endpoint_service_name")
"""What tells the endpoint to which registered limits belong."""


def missing_logins(conf: cfg.ConfigOpts) -> Iterator[str]:
    """Yield a sentence for each section in which a library finds no way to log in."""
    lines = read_lines(conf)
    # A paste file of the operator may hold the options of its filter.
    if authentication(conf) == "keystone" and not conf.paste_deploy.config_file:
        yield from _without_login(lines, "keystone_authtoken", "[paste_deploy] flavor is 'keystone'")
    if conf.use_keystone_limits:
        yield from _without_login(lines, "oslo_limit", "use_keystone_limits is on")
        if not any(library_value(lines, "oslo_limit", name) for name in _ENDPOINT):
            yield (
                "[oslo_limit] endpoint_id: must be set, because use_keystone_limits is on; `openstack endpoint list "
                "--service image` shows it"
            )


def _without_login(lines: Sequence[Line], section: str, reason: str) -> Iterator[str]:
    where = library_value(lines, section, "auth_section") or section
    if not library_value(lines, where, "auth_type"):
        yield f"[{where}] auth_type: must be set, because {reason}; {_LOGIN}"
