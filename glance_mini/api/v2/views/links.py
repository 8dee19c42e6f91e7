"""Links as JSON (api-links)."""

from collections.abc import Sequence

from glance_mini.domain.links import Link


def index(links: Sequence[Link]) -> dict[str, object]:
    """Return a list of links, without their addresses, which nobody knows any more."""
    return {"links": [_link(link) for link in links]}


def create(link: Link, url: str) -> dict[str, object]:
    """Return a new link with its address."""
    return {**_link(link), "url": url}


def _link(link: Link) -> dict[str, object]:
    return {
        "id": link.id,
        "image_id": link.image_id,
        "user_id": link.user_id,
        "project_id": link.project_id,
        "created_at": link.created_at,
        "expires_at": link.expires_at,
        **({} if link.size is None else {"size": link.size, "store": link.store}),
    }
