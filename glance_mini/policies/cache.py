"""Rules of the cache of image data."""

from glance_mini.policies.base import ADMIN, rule

CACHE = "/v2/cache"
ENTRY = "/v2/cache/{image_id}"

RULES = (
    rule(
        "manage_image_cache",
        ADMIN,
        "Use the older calls of the cache.",
        ("GET", "/v2/cached_images"),
        ("DELETE", "/v2/cached_images"),
        ("DELETE", "/v2/cached_images/{image_id}"),
        ("GET", "/v2/queued_images"),
        ("DELETE", "/v2/queued_images"),
        ("PUT", "/v2/queued_images/{image_id}"),
        ("DELETE", "/v2/queued_images/{image_id}"),
    ),
    rule(
        "list_cached_nodes",
        ADMIN,
        "List the nodes that have an image in their cache.",
        ("GET", f"{CACHE}/nodes/{{image_id}}"),
    ),
    rule("cache_image", ADMIN, "Put an image into the cache.", ("PUT", ENTRY)),
    rule("cache_list", ADMIN, "List the images that are cached or queued for caching.", ("GET", CACHE)),
    rule("cache_delete", ADMIN, "Remove one image or all from the cache.", ("DELETE", CACHE), ("DELETE", ENTRY)),
    rule("cache_clean", ADMIN, "Remove broken and unfinished entries.", ("POST", f"{CACHE}/clean")),
    rule("cache_prune", ADMIN, "Reduce the cache to its maximum size.", ("POST", f"{CACHE}/prune")),
)
