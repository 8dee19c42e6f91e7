"""Puts a good copy in the place of a broken one.

The bytes are compared with the hashes of the image while they are copied. The new copy has a name of its own, and takes
the place of the broken one in one transaction; what is broken becomes a pending deletion. So an image has at any
moment what it had before, or more.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from glance_mini.content.failover import store_of
from glance_mini.content.hashes import ExpectedHashes, HashMismatch
from glance_mini.db.interface import DataAccess
from glance_mini.domain.errors import Gone, NotFound, StatusConflict
from glance_mini.domain.image import Image, Location
from glance_mini.domain.job import Job
from glance_mini.domain.transfer import remains_of
from glance_mini.domain.verification import Expected, StoredCopy
from glance_mini.operations.members import ListMembers
from glance_mini.operations.records import LeaveRemains, LoadImage
from glance_mini.operations.verification import ReplaceLocation
from glance_mini.verification.pace import Pace
from glance_mini_store import capabilities
from glance_mini_store import errors as store_errors
from glance_mini_store.caller import Caller
from glance_mini_store.store import Store, Stored
from glance_mini_store.stores import Stores
from glance_mini_store.streams import close

LOG = logging.getLogger(__name__)


class NotRepaired(Exception):
    """There is nothing to repair the copy with; the text says why, in a sentence."""


class Repair:
    """Repairs copies for one run of a job."""

    def __init__(self, data: DataAccess, stores: Stores, job: Job, pace: Pace) -> None:
        self._data = data
        self._stores = stores
        self._job = job
        self._pace = pace

    def name_for(self, copy: StoredCopy) -> str:
        """Return the name under which this run writes a new copy; no other run or attempt has it."""
        return f"{copy.image_id}-{self._job.id[:8]}-{copy.location.id}{self._job.attempts:03d}"

    def repair(self, image: Image, copy: StoredCopy) -> str:
        """Replace the broken ``copy`` of ``image`` and return what was done; raises NotRepaired."""
        store = self._store_for(image, copy)
        expected = _comparable(copy)
        reasons = []
        sources = [each for each in self._stores.order(image.locations) if each.url != copy.location.url]
        for source in sources:
            if StoredCopy(image.id, source, *_known(image)).expected != copy.expected:
                continue
            try:
                stored = self._copy(image, store, source, expected, self.name_for(copy))
            except (HashMismatch, store_errors.StoreError, OSError) as error:
                reasons.append(f"From {source.store or 'another place'}: {_told(error)}")
                continue
            self._replace(image, copy, store, stored)
            return f"A good copy from {source.store or 'another place'} has taken its place."
        if not sources:
            raise NotRepaired("The image has no other copy.")
        raise NotRepaired(" ".join(reasons) or "No other copy holds the same bytes.")

    def discard(self, image_id: str, owner: str | None, store_id: str, name: str) -> None:
        """Remove what a repair has left under ``name``, unless an image has it; what cannot be removed is noted."""
        try:
            image = self._data.run(LoadImage(image_id, of_deleted=True))
        except NotFound:
            image = None
        if image is not None and any(name in location.url for location in image.locations):
            return
        try:
            self._stores.get(store_id).for_caller(Caller(owner)).discard(name)
        except store_errors.StoreError as error:
            LOG.warning("What a repair has left, %s, could not be removed: %s", name, error)
            self._data.run(LeaveRemains(remains_of(image_id, owner, store_id, name)))

    def _store_for(self, image: Image, copy: StoredCopy) -> Store:
        if image.deleted_at is not None:
            raise NotRepaired("The image is in the trash.")
        if copy.location.version is not None:
            raise NotRepaired("The data belongs to a user.")
        store = self._stores.for_location(copy.location.url, copy.location.store)
        if store.read_only:
            raise NotRepaired("The store takes no data.")
        return store

    def _copy(self, image: Image, store: Store, source: Location, expected: Expected, name: str) -> Stored:
        """Write the bytes at ``source`` under ``name``; raises HashMismatch and what the stores raise."""
        target = store.for_caller(Caller(image.owner))
        with self._cleaned_up(image, store, name), _closed(store_of(self._stores, source).read(source.url)) as chunks:
            return target.write(
                name,
                self._pace.watch(chunks),
                size=expected.size,
                algorithms=(),
                observers=[ExpectedHashes(expected.digests)],
                is_copy=True,
            )

    def _replace(self, image: Image, copy: StoredCopy, store: Store, stored: Stored) -> None:
        named = {"store": store.id} if self._stores.multi else {}
        location = Location(stored.location, {**stored.metadata, **copy.location.own_metadata, **named})
        try:
            self._keep_readers(image, store, stored.location)
            self._data.run(ReplaceLocation(self._job, image.id, copy.location, location))
        except (Gone, NotFound, StatusConflict) as error:
            self.discard(image.id, image.owner, store.id, self.name_for(copy))
            raise NotRepaired("The image was changed or deleted meanwhile.") from error

    def _keep_readers(self, image: Image, store: Store, url: str) -> None:
        """Let those read the new copy who could read the old one, in a store that has access lists."""
        if capabilities.ACL in store.driver.capabilities:
            is_public = image.visibility in ("public", "community")
            shared = self._data.run(ListMembers(image.id, image)) if image.visibility == "shared" else ()
            readers = [member.member_id for member in shared]
            store.for_caller(Caller(image.owner)).set_acl(url, is_public, readers)

    @contextmanager
    def _cleaned_up(self, image: Image, store: Store, name: str) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.discard(image.id, image.owner, store.id, name)
            raise


@contextmanager
def _closed(chunks: Iterator[bytes]) -> Iterator[Iterator[bytes]]:
    try:
        yield chunks
    finally:
        close(chunks)


def _known(image: Image) -> tuple[int | None, str | None, str | None, str | None]:
    return image.size, image.checksum, image.os_hash_algo, image.os_hash_value


def _comparable(copy: StoredCopy) -> Expected:
    """Return what the bytes must be; raises NotRepaired if nothing tells good bytes from others."""
    expected = copy.expected
    known = {name: value for name, value in expected.digests.items() if name in hashlib.algorithms_available}
    if expected.size is None or not known:
        raise NotRepaired("The image has no hash that would tell which copy is good.")
    return Expected(expected.size, known)


def _told(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
