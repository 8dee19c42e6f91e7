"""Requests that use a link: the secret in their path says who made it, so they need no credentials (api-links-use)."""

from collections.abc import Callable
from wsgiref.types import WSGIEnvironment

from glance_mini.api.request import LINK_KEY
from glance_mini.domain.errors import LinkNotFound
from glance_mini.domain.links import Link, digest_of
from glance_mini.operations.links import FindLink

PATH = "/v2/links/"

Finder = Callable[[FindLink], Link]


def used_link(environ: WSGIEnvironment, find: Finder) -> Link | None:
    """Return the link that a request uses, None for a request to any other path.

    The link is put into the environment for the application. Raises LinkNotFound, and Unavailable if ``find`` does.
    """
    path: str = environ.get("PATH_INFO", "")
    if not path.startswith(PATH):
        return None
    digest = digest_of(path.removeprefix(PATH))
    if digest is None:
        raise LinkNotFound()
    link = find(FindLink(digest))
    environ[LINK_KEY] = link
    return link


def no_links(call: FindLink) -> Link:
    """Find no link."""
    raise LinkNotFound()
