"""Images: create, show, list, change and delete (api-images)."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from oslo_config import cfg

from glance_mini.api.forwarding import Forwarding
from glance_mini.api.request import Request, parse_flag
from glance_mini.api.response import Response, empty_response, json_response
from glance_mini.api.transfer_slots import LocationSlots
from glance_mini.api.v2.image_patch import ImagePatch, check_patch_type, has_moves
from glance_mini.api.v2.image_query import parse_image_query, parse_parameters
from glance_mini.api.v2.image_rules import ImageRules
from glance_mini.api.v2.schemas.images import MAX_TEXT
from glance_mini.api.v2.schemas.shapes import ObjectSchema
from glance_mini.api.v2.views import tasks as task_views
from glance_mini.api.v2.views.images import ImageViews
from glance_mini.domain.bases import Sharing
from glance_mini.domain.changes import Change, LocationChange, PropertyChange
from glance_mini.domain.errors import Invalid
from glance_mini.domain.image_values import split_values
from glance_mini.domain.query import ImageQuery, Page
from glance_mini.layers.services import Services
from glance_mini.layers.stack import Stack
from glance_mini.operations.disks import CoalesceImage, ConvertImage, FlattenImage, RebaseImage
from glance_mini.operations.images import (
    CreateImage,
    DeactivateImage,
    DeleteImage,
    GetImage,
    ListImages,
    PurgeImage,
    ReactivateImage,
    RestoreImage,
    UpdateImage,
    new_image_id,
)

BIG_LIST = 100
"""The number of longer pages that are made at once is limited, because of the memory that they take."""

SMALL_PAGE = 256 * 1024
"""A page whose images have more bytes of properties, tags and locations counts as a longer one, too."""

BIG_PAGE = 4 * 1024**2
"""No page has more of these bytes: it then has fewer images than its limit, and a link to the next page."""

DEEPEST = 64
"""The largest value of ``[incremental] max_depth``."""


class ImagesController:
    """Answers ``/v2/images`` and ``/v2/images/{image_id}``."""

    def __init__(
        self, conf: cfg.ConfigOpts, domain: Stack, services: Services, schema: ObjectSchema, slots: LocationSlots
    ) -> None:
        self.domain = domain
        self._slots = slots
        self._rules = ImageRules(schema)
        self._patch = ImagePatch(
            self._rules, locations=conf.show_multiple_locations, hash_algorithm=conf.hashing_algorithm
        )
        self._views = ImageViews(
            services.stores.order,
            self._rules.types,
            show_direct_url=conf.show_image_direct_url,
            show_locations=conf.show_multiple_locations,
            multi_store=services.stores.multi,
        )
        self._limits = (conf.limit_param_default, conf.api_limit_max)
        self._max_searched = conf.max_searched_images
        self._big_lists = threading.BoundedSemaphore(conf.server.max_lists_in_flight)
        self._created_headers = _created_headers(conf, services)
        self._forwarding = Forwarding(services.node_url, domain)

    def create(self, request: Request) -> Response:
        """Create an image."""
        body = self._rules.without_progress(self._rules.typed(request.json_object()))
        self._rules.check_new(body)
        image_id = str(body.pop("id", None) or new_image_id())
        base, properties = split_values(body)
        image = self.domain.call(request.context, CreateImage(id=image_id, base=base, properties=properties))
        headers = {**self._created_headers, "Location": f"/v2/images/{image.id}"}
        return json_response(self._views.show(image), 201, headers)

    def show(self, request: Request, image_id: str) -> Response:
        """Show an image."""
        return json_response(self._views.show(self.domain.call(request.context, GetImage(image_id))))

    def index(self, request: Request) -> Response:
        """Show a page of images."""
        parameters = parse_parameters(request.query_string)
        query = replace(parse_image_query(parameters, *self._limits), max_searched=self._max_searched)
        if not self._rules.types.names.isdisjoint(query.properties):
            stored = self._rules.types.stored
            query = replace(query, properties={name: stored(name, text) for name, text in query.properties.items()})
        if query.limit <= BIG_LIST:
            page = self._page(request, query, SMALL_PAGE)
            if page.next_marker is None or len(page.images) == query.limit or query.name_part is not None:
                return json_response(self._views.page(page, parameters))
        with self._big_lists:
            return json_response(self._views.page(self._page(request, query, BIG_PAGE), parameters))

    def update(self, request: Request, image_id: str) -> Response:
        """Change an image by a JSON patch; with ``?flatten=true``, an incremental one is made whole first if needed."""
        media_type = request.content_type.lower()
        check_patch_type(media_type)
        changes = self._patch.changes(media_type, request.json_array())
        if parse_flag(request, "flatten"):
            op = FlattenImage(image_id, sharing=_sharing(changes))
            if (job := self.domain.call(request.context, op)) is not None:
                return json_response(task_views.show(job), 202)
        if has_moves(changes):
            self._patch.check_moves(changes, self.domain.call(request.context, GetImage(image_id)).properties)
        with self._slots.look(request.context.project_id, _added_urls(changes)):
            image = self.domain.call(request.context, UpdateImage(image_id, changes=changes))
        return json_response(self._views.show(image))

    def delete(self, request: Request, image_id: str) -> Response:
        """Delete an image and its data; forwarded, if possible, to the node that holds its staged data."""
        answer = self._forwarding.forward_if_possible(request, image_id)
        if answer is None:
            self.domain.call(request.context, DeleteImage(image_id))
            answer = empty_response()
        return answer

    def _page(self, request: Request, query: ImageQuery, max_bytes: int) -> Page:
        return self.domain.call(request.context, ListImages(replace(query, max_bytes=max_bytes)))


def _sharing(changes: Sequence[Change]) -> Sharing:
    """Return what a patch with ``flatten=true`` asks for; raises Invalid."""
    if len(changes) == 1 and isinstance(changes[0], PropertyChange):
        change = changes[0]
        if change.name == "visibility" and change.action in ("add", "replace"):
            return Sharing(visibility=str(change.value))
    raise Invalid(reason="With flatten=true, the visibility is changed and nothing else.")


def _added_urls(changes: Iterable[Change]) -> Iterator[str]:
    """Yield the URLs of the locations that ``changes`` add."""
    for change in changes:
        if isinstance(change, LocationChange) and change.action != "remove":
            yield from (location.url for location in change.locations)


def _created_headers(conf: cfg.ConfigOpts, services: Services) -> dict[str, str]:
    """Return the headers of every 201, which list import methods and stores (api-conventions-headers)."""
    headers = {}
    if conf.enabled_import_methods:
        headers["OpenStack-image-import-methods"] = ",".join(conf.enabled_import_methods)
    if services.stores.multi:
        headers["OpenStack-image-store-ids"] = ",".join(services.stores.ids())
    return headers


class ImageActionsController:
    """Answers ``/v2/images/{image_id}/actions/…``."""

    def __init__(self, domain: Stack) -> None:
        self.domain = domain

    def deactivate(self, request: Request, image_id: str) -> Response:
        """Forbid the download of an image; a base of active images only with ``?force=true``."""
        self.domain.call(request.context, DeactivateImage(image_id, force=parse_flag(request, "force")))
        return empty_response()

    def reactivate(self, request: Request, image_id: str) -> Response:
        """Allow the download of an image again."""
        self.domain.call(request.context, ReactivateImage(image_id))
        return empty_response()

    def coalesce(self, request: Request, image_id: str) -> Response:
        """Begin to store the complete disk of an incremental image; with ``{"depth": n}``, n of its bases stay."""
        depth = request.json_object().get("depth", 0) if request.has_body else 0
        if type(depth) is not int or not 0 <= depth <= DEEPEST:
            raise Invalid(reason=f"'depth' must be a number of bases, 0 to {DEEPEST}.")
        op = CoalesceImage(image_id, depth=depth)
        return json_response(task_views.show(self.domain.call(request.context, op)), 202)

    def rebase(self, request: Request, image_id: str) -> Response:
        """Begin to move an image onto another base; the body names it: ``{"base": id}``."""
        op = RebaseImage(image_id, base_id=_text_member(request.json_object(), "base"))
        return json_response(task_views.show(self.domain.call(request.context, op)), 202)

    def convert(self, request: Request, image_id: str) -> Response:
        """Begin to store an image in another format; the body names it: ``{"disk_format": "raw"}``.

        With ``"new_image": {"name": "…"}`` a new image gets the disk.
        """
        body = request.json_object()
        op = ConvertImage(image_id, disk_format=_text_member(body, "disk_format"), new_image=_new_name(body))
        return json_response(task_views.show(self.domain.call(request.context, op)), 202)

    def restore(self, request: Request, image_id: str) -> Response:
        """Bring a deleted image back."""
        self.domain.call(request.context, RestoreImage(image_id))
        return empty_response()

    def purge(self, request: Request, image_id: str) -> Response:
        """Delete for good an image that was deleted and could be restored."""
        self.domain.call(request.context, PurgeImage(image_id))
        return empty_response()


def _text_member(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Invalid(reason=f"The body must have the member '{name}', a string that is not empty.")
    return value


def _new_name(body: Mapping[str, object]) -> str | None:
    """Return the name of the new image that a conversion is to make, None if it is to make none; raises Invalid."""
    if "new_image" not in body:
        return None
    match body["new_image"]:
        case {"name": str(name), **others} if name and len(name) <= MAX_TEXT and not others:
            return name
    raise Invalid(reason=f"'new_image' must be an object with a 'name' of 1 to {MAX_TEXT} characters.")
