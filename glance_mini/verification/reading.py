"""Reads one copy of an image again and says what is wrong with it."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from glance_mini.content.failover import store_of
from glance_mini.domain.errors import GlanceMiniError
from glance_mini.domain.verification import DAMAGED, MISSING, UNREADABLE, StoredCopy
from glance_mini_store import errors as store_errors
from glance_mini_store.stores import Stores

Watch = Callable[[Iterable[bytes]], Iterator[bytes]]

_REPLACED = "The data was replaced by other data."


@dataclass(frozen=True)
class Fault:
    """What is wrong with a copy: a kind of finding and a sentence."""

    kind: str
    reason: str


def examine(stores: Stores, copy: StoredCopy, watch: Watch) -> Fault | None:
    """Read the whole copy through ``watch`` and return its fault, None if there is none.

    A copy without hashes is compared by its size, and one without a size is only read. Raises what ``watch`` raises.
    """
    expected, url = copy.expected, copy.location.url
    try:
        store = store_of(stores, copy.location)
        size = store.size(url)
        if expected.size is not None and size != expected.size:
            return Fault(DAMAGED, f"It has {size} bytes instead of {expected.size}.")
        algorithms = [name for name in expected.digests if name in hashlib.algorithms_available]
        found = store.check(url, size, algorithms, watch=watch)
    except GlanceMiniError:
        raise
    except store_errors.NotFound:
        return Fault(MISSING, "There is no data.")
    except store_errors.DataChanged:
        return Fault(DAMAGED, _REPLACED)
    except store_errors.SizeMismatch:
        return Fault(DAMAGED, "Its end is missing, or it has more bytes than the store says.")
    except OSError as error:
        # The medium refuses some of the bytes.
        return Fault(DAMAGED, f"It cannot be read to its end: {error.strerror or type(error).__name__}.")
    except Exception as error:
        # A driver may raise any error; one copy must not end the run.
        is_known = isinstance(error, store_errors.StoreError)
        return Fault(UNREADABLE, str(error) if is_known else f"The store failed: {type(error).__name__}.")
    wrong = [name for name in algorithms if found[name] != expected.digests[name]]
    return Fault(DAMAGED, f"Its {' and '.join(wrong)} differ from what the image has.") if wrong else None
