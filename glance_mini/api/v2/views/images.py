"""Images as clients see them (api-images-properties)."""

from collections.abc import Callable, Iterable
from urllib.parse import urlencode

from glance_mini.api.v2.property_types import PropertyTypes
from glance_mini.domain.image import HIDDEN_PROPERTIES, PLAIN_FIELDS, Image, Location, plain_values
from glance_mini.domain.query import Page

View = dict[str, object]
OrderLocations = Callable[[Iterable[Location]], list[Location]]


class ImageViews:
    """Makes views; made once for a configuration. ``order`` sorts locations into the order in which they are read."""

    def __init__(
        self,
        order: OrderLocations,
        types: PropertyTypes,
        *,
        show_direct_url: bool,
        show_locations: bool,
        multi_store: bool,
    ) -> None:
        self._order = order
        self._types = types
        self._typed = types.names
        self._show_direct_url = show_direct_url
        self._show_locations = show_locations
        self._multi_store = multi_store
        self._shows_places = show_direct_url or show_locations

    def show(self, image: Image) -> View:
        """Return the view of one image; times in it are datetimes for ``dump_json``."""
        path = f"/v2/images/{image.id}"
        view: View = {
            **dict(zip(PLAIN_FIELDS, plain_values(image), strict=True)),
            "tags": image.tags,
            "self": path,
            "file": f"{path}/file",
            "schema": "/v2/schemas/image",
            **image.properties,
        }
        if not HIDDEN_PROPERTIES.isdisjoint(image.properties):
            for name in HIDDEN_PROPERTIES:
                view.pop(name, None)
        if not self._typed.isdisjoint(image.properties):
            view |= self._types.shown(image.properties)
        if self._multi_store and image.locations:
            if len(image.locations) == 1:
                view["stores"] = str(image.locations[0].metadata.get("store", ""))
            else:
                view["stores"] = self._stores(image.locations)
        if self._shows_places and image.base is None:
            self._add_locations(view, image)
        return view

    def page(self, page: Page, parameters: list[tuple[str, str]]) -> View:
        """Return the view of a page; ``parameters`` are those of the request, for the links (api-images-list)."""
        kept = [(name, value) for name, value in parameters if name != "marker"]
        view: View = {
            "images": [self.show(image) for image in page.images],
            "first": _link(kept),
            "schema": "/v2/schemas/images",
        }
        if page.next_marker is not None:
            view["next"] = _link([*kept, ("marker", page.next_marker)])
        return view

    def _stores(self, locations: Iterable[Location]) -> str:
        """Return the stores of ``locations`` in the order in which they are read (api-quirks-stores)."""
        # Sorting is stable: stores of one weight are in the order of their names.
        ordered = self._order(sorted(locations, key=lambda location: str(location.store)))
        return ",".join(dict.fromkeys(location.store for location in ordered if location.store is not None))

    def _add_locations(self, view: View, image: Image) -> None:
        locations = image.locations if len(image.locations) < 2 else self._order(image.locations)
        if self._show_direct_url and locations:
            view["direct_url"] = locations[0].url
        if self._show_locations:
            view["locations"] = [{"url": location.url, "metadata": location.shown_metadata} for location in locations]


def _link(parameters: list[tuple[str, str]]) -> str:
    return f"/v2/images?{urlencode(parameters)}" if parameters else "/v2/images"
