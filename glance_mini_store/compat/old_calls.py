"""The decorator for an ``add`` that programs call with and without a hash algorithm (api-library-compat)."""

import functools
from collections.abc import Callable

from glance_mini_store.compat.driver import Added, Store


def back_compat_add(add: Callable[..., Added]) -> Callable[..., tuple[object, ...]]:
    """Return ``add`` so that a call without ``hashing_algo`` gets four values: without the digest of an algorithm.

    Such a call is ``add(image_id, image_file, image_size, context, verifier)``.
    """

    @functools.wraps(add)
    def both(
        store: Store, image_id: str, image_file: object, image_size: int, *args: object, **kwargs: object
    ) -> tuple[object, ...]:
        chosen = args[0] if args else kwargs.get("hashing_algo")
        if isinstance(chosen, str):
            return add(store, image_id, image_file, image_size, *args, **kwargs)
        kwargs.pop("hashing_algo", None)
        uri, size, checksum, _, metadata = add(store, image_id, image_file, image_size, "md5", *args, **kwargs)
        return uri, size, checksum, metadata

    return both
