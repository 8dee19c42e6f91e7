"""The cache of image data of the node that answers (api-cache)."""

from glance_mini.api.request import Request
from glance_mini.api.response import Response, empty_response, json_response
from glance_mini.api.v2.views import cache as views
from glance_mini.domain.errors import Invalid
from glance_mini.layers.stack import Stack
from glance_mini.operations.cache import (
    CACHED,
    QUEUED,
    CacheImage,
    CleanCache,
    ClearCache,
    DeleteCachedImage,
    ListCache,
    ListCachedNodes,
    PruneCache,
)

BOTH = frozenset({CACHED, QUEUED})


class CacheController:
    """Answers ``/v2/cache…``, and the older ``/v2/cached_images…`` and ``/v2/queued_images…``."""

    def __init__(self, domain: Stack) -> None:
        self.domain = domain

    def index(self, request: Request) -> Response:
        """Show what is cached and queued."""
        return json_response(views.listing(self.domain.call(request.context, ListCache())))

    def update(self, request: Request, image_id: str) -> Response:
        """Cache an image."""
        self.domain.call(request.context, CacheImage(image_id))
        return Response(status=202)

    def delete(self, request: Request, image_id: str) -> Response:
        """Remove an image from cache and queue."""
        self.domain.call(request.context, DeleteCachedImage(image_id))
        return empty_response()

    def clear(self, request: Request) -> Response:
        """Empty the cache, the queue, or both."""
        self.domain.call(request.context, ClearCache(_targets(request)))
        return empty_response()

    def clean(self, request: Request) -> Response:
        """Remove what is broken."""
        self.domain.call(request.context, CleanCache())
        return Response(status=200)

    def prune(self, request: Request) -> Response:
        """Reduce the cache to its size."""
        return json_response(views.pruned(self.domain.call(request.context, PruneCache())))

    def nodes(self, request: Request, image_id: str) -> Response:
        """Show which nodes have an image."""
        return json_response(list(self.domain.call(request.context, ListCachedNodes(image_id))))

    # the older calls

    def cached(self, request: Request) -> Response:
        """Show what is cached."""
        listing = self.domain.call(request.context, ListCache(is_older_call=True))
        return json_response({"cached_images": views.listing(listing)["cached_images"]})

    def queued(self, request: Request) -> Response:
        """Show what is queued."""
        listing = self.domain.call(request.context, ListCache(is_older_call=True))
        return json_response({"queued_images": list(listing.queued)})

    def clear_cached(self, request: Request) -> Response:
        """Empty the cache."""
        return self._clear(request, CACHED)

    def clear_queued(self, request: Request) -> Response:
        """Empty the queue."""
        return self._clear(request, QUEUED)

    def delete_cached(self, request: Request, image_id: str) -> Response:
        """Remove an image from the cache."""
        return self._delete(request, image_id, CACHED)

    def delete_queued(self, request: Request, image_id: str) -> Response:
        """Remove an image from the queue."""
        return self._delete(request, image_id, QUEUED)

    def queue(self, request: Request, image_id: str) -> Response:
        """Cache an image."""
        self.domain.call(request.context, CacheImage(image_id, is_older_call=True))
        return Response(status=200)

    def _clear(self, request: Request, target: str) -> Response:
        count = self.domain.call(request.context, ClearCache(frozenset({target}), is_older_call=True))
        return json_response({"num_deleted": count})

    def _delete(self, request: Request, image_id: str, target: str) -> Response:
        op = DeleteCachedImage(image_id, frozenset({target}), is_older_call=True)
        self.domain.call(request.context, op)
        return Response(status=200)


def _targets(request: Request) -> frozenset[str]:
    named = request.headers.get("x-image-cache-clear-target", "").strip()
    if named in ("", "both"):
        return BOTH
    if named not in BOTH:
        raise Invalid(reason="If 'x-image-cache-clear-target' is specified, its value must be 'cache' or 'queue'.")
    return frozenset({named})
