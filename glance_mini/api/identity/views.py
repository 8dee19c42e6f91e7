"""The answers of the Identity API v3 as JSON values. ``base`` is the public address of the image service."""

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote

from glance_mini.domain.identity import IssuedToken
from glance_mini.standalone.logins import Login
from glance_mini.standalone.users import DOMAIN_ID, DOMAIN_NAME

Json = dict[str, object]

_DOMAIN = {"id": DOMAIN_ID, "name": DOMAIN_NAME}
_MEDIA_TYPE = "application/vnd.openstack.identity-v3+json"
_RELEASED = "2013-03-06T00:00:00Z"
_INTERFACES = ("public", "internal", "admin")


def version(url: str) -> Json:
    """Return the one version; later ones promise calls that are not here. ``url`` is that of the version."""
    return {
        "id": "v3.0",
        "status": "stable",
        "updated": _RELEASED,
        "links": [{"rel": "self", "href": f"{url}/"}],
        "media-types": [{"base": "application/json", "type": _MEDIA_TYPE}],
    }


def token(issued: IssuedToken, login: Login, catalog: list[Json] | None) -> Json:
    """Return a token, with the roles that its user has now."""
    roles = login.roles(issued.project, issued.domain)
    body: Json = {
        "methods": list(issued.methods),
        "user": {"id": issued.user, "name": issued.user, "domain": _DOMAIN, "password_expires_at": None},
        "audit_ids": [issued.id],
        "issued_at": _moment(issued.issued_at),
        "expires_at": _moment(issued.expires_at),
    }
    if issued.project is not None:
        body["project"] = {"id": issued.project, "name": issued.project, "domain": _DOMAIN}
        body["is_domain"] = False
    elif issued.domain is not None:
        body["domain"] = _DOMAIN
    if issued.project is not None or issued.domain is not None:
        body["roles"] = [{"id": role, "name": role} for role in roles]
        if catalog is not None:
            body["catalog"] = catalog
    return {"token": body}


def catalog(base: str, region: str) -> list[Json]:
    """Return the two services there are, the images and the log-in."""
    services = (("image", "glance", base), ("identity", "keystone", f"{base}/identity/v3"))
    return [
        {
            "id": kind,
            "type": kind,
            "name": name,
            "endpoints": [
                {"id": f"{kind}-{each}", "interface": each, "region": region, "region_id": region, "url": url}
                for each in _INTERFACES
            ],
        }
        for kind, name, url in services
    ]


def user(name: str, url: str) -> Json:
    """Return one user; ``url`` is that of the API's version."""
    return {
        **_resource(name, name, f"{url}/users"),
        "domain_id": DOMAIN_ID,
        "password_expires_at": None,
    }


def project(name: str, url: str) -> Json:
    """Return one project; ``url`` is that of the API's version."""
    return {
        **_resource(name, name, f"{url}/projects"),
        "domain_id": DOMAIN_ID,
        "parent_id": DOMAIN_ID,
        "is_domain": False,
        "tags": [],
    }


def domain(url: str) -> Json:
    """Return the one domain; ``url`` is that of the API's version."""
    return {**_resource(DOMAIN_ID, DOMAIN_NAME, f"{url}/domains"), "tags": []}


def assignment(user: str, project: str, role: str, url: str, *, with_names: bool) -> Json:
    """Return the role that a user has in a project; ``url`` is that of the API's version."""

    def named(name: str, extra: Json) -> Json:
        return {"id": name, "name": name, **extra} if with_names else {"id": name}

    within: Json = {"domain": _DOMAIN} if with_names else {}
    path = f"{quote(project, '')}/users/{quote(user, '')}/roles/{quote(role, '')}"
    return {
        "user": named(user, within),
        "scope": {"project": named(project, within)},
        "role": named(role, {}),
        "links": {"assignment": f"{url}/projects/{path}"},
    }


def listed(name: str, items: Iterable[Json], url: str, limit: int) -> Json:
    """Return the list ``name`` of at most ``limit`` items; one that is not complete says so."""
    found = list(items)
    answer: Json = {name: found[:limit], "links": {"self": url, "next": None, "previous": None}}
    return answer if len(found) <= limit else {**answer, "truncated": True}


def _resource(identifier: str, name: str, url: str) -> Json:
    links = {"self": f"{url}/{quote(identifier, '')}"}
    return {"id": identifier, "name": name, "description": "", "enabled": True, "options": {}, "links": links}


def _moment(moment: datetime | None) -> str | None:
    """Return a time as Keystone writes it, to the microsecond."""
    return None if moment is None else f"{moment.isoformat(timespec='microseconds')}Z"
