"""Links to the data of images: made, listed and ended by those who may download it, used by anybody (api-links)."""

from datetime import timedelta

import webob
from oslo_config import cfg

from glance_mini.api.request import LINK_KEY, Request
from glance_mini.api.response import Response, accepted_response, empty_response, json_response
from glance_mini.api.v2.data import ImageDataController
from glance_mini.api.v2.views import links as views
from glance_mini.domain.errors import Invalid, LinkNotFound
from glance_mini.domain.links import Link, digest_of, make_token
from glance_mini.layers.stack import Stack
from glance_mini.operations.links import AddLink, AddUploadLink, CompleteUpload, DeleteLink, ListLinks
from glance_mini_store.numbers import LARGEST

_SECONDS = "expires_in"
_SIZE, _STORE = "size", "store"


class LinksController:
    """Answers ``/v2/images/{image_id}/links``, and the links themselves."""

    def __init__(self, conf: cfg.ConfigOpts, domain: Stack, data: ImageDataController) -> None:
        self.domain = domain
        self._data = data
        self._public_endpoint = conf.public_endpoint
        self._default = conf.direct_access.link_seconds
        self._longest = conf.direct_access.max_link_seconds

    def index(self, request: Request, image_id: str) -> Response:
        """List the valid links of an image."""
        return json_response(views.index(self.domain.call(request.context, ListLinks(image_id))))

    def create(self, request: Request, image_id: str) -> Response:
        """Make a link for downloads, or with a size for an upload; this answer alone has its address."""
        body = request.json_object() if request.has_body else {}
        lifetime = self._lifetime(body)
        if _SIZE in body or _STORE in body:
            made = self.domain.call(request.context, _upload(image_id, body, lifetime))
            return self._created(made.link, made.url)
        token = make_token()
        op = AddLink(image_id, digest=digest_of(token) or "", lifetime=lifetime)
        link = self.domain.call(request.context, op)
        base = self._public_endpoint or webob.Request(request.environ).application_url
        return self._created(link, f"{base.rstrip('/')}/v2/links/{token}")

    def complete(self, request: Request, image_id: str, link_id: str) -> Response:
        """Begin the job that makes what was sent by the link the data of the image."""
        self.domain.call(request.context, CompleteUpload(image_id, link_id=link_id))
        return accepted_response()

    def delete(self, request: Request, image_id: str, link_id: str) -> Response:
        """End a link."""
        self.domain.call(request.context, DeleteLink(image_id, link_id=link_id))
        return empty_response()

    def download(self, request: Request, token: str) -> Response:
        """Download the data of the image of a link, or a range of it."""
        link = _used(request)
        return _for_browsers(self._data.download(request, link.image_id), link)

    def describe(self, request: Request, token: str) -> Response:
        """Answer HEAD: the headers of a whole download."""
        link = _used(request)
        return _for_browsers(self._data.describe(request, link.image_id), link)

    def _created(self, link: Link, url: str) -> Response:
        headers = {"Location": f"/v2/images/{link.image_id}/links/{link.id}", "Cache-Control": "no-store"}
        return json_response(views.create(link, url), 201, headers)

    def _lifetime(self, body: dict[str, object]) -> timedelta:
        if unknown := sorted(body.keys() - {_SECONDS, _SIZE, _STORE}):
            raise Invalid(reason=f"A new link has no member '{unknown[0]}'; it may have {_SECONDS}, {_SIZE}, {_STORE}.")
        seconds = body.get(_SECONDS, min(self._default, self._longest))
        if not isinstance(seconds, int) or isinstance(seconds, bool) or not 1 <= seconds <= self._longest:
            raise Invalid(reason=f"'{_SECONDS}' must be a number of seconds from 1 to {self._longest}.")
        return timedelta(seconds=seconds)


def _upload(image_id: str, body: dict[str, object], lifetime: timedelta) -> AddUploadLink:
    size, store = body.get(_SIZE), body.get(_STORE)
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= LARGEST:
        raise Invalid(reason=f"'{_SIZE}' must be the number of bytes that will be sent, from 1.")
    if store is not None and not isinstance(store, str):
        raise Invalid(reason=f"'{_STORE}' must be the id of a store.")
    return AddUploadLink(image_id, size=size, lifetime=lifetime, store=store)


def _used(request: Request) -> Link:
    """Return the link that the authentication middleware has found for the request; raises LinkNotFound."""
    link: Link | None = request.environ.get(LINK_KEY)
    if link is None:
        raise LinkNotFound()
    return link


def _for_browsers(response: Response, link: Link) -> Response:
    """Let a browser save the data under the id of the image, and tell the address to no other site."""
    response.headers["Content-Disposition"] = f'attachment; filename="{link.image_id}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
