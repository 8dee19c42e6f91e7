"""The locations of an image as services see them (api-locations-read)."""

from collections.abc import Iterable

from glance_mini.domain.image import Location


def index(locations: Iterable[Location]) -> list[dict[str, object]]:
    """Return the view of the locations: a list, not an object."""
    return [{"url": location.url, "metadata": location.shown_metadata} for location in locations]
