"""The ``rbd`` driver: an image of Ceph for each image, published by its protected snapshot ``snap``.

``draft`` writes, ``reading`` reads, ``removal`` removes; ``cluster`` is the connection.
"""

import errno
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC
from types import SimpleNamespace
from typing import Self
from urllib.parse import quote

from glance_mini_store import capabilities, errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.driver import Driver, StoredObject, Written
from glance_mini_store.drivers.rbd import library as ceph
from glance_mini_store.drivers.rbd.answers import NoAnswer, number_of, translated
from glance_mini_store.drivers.rbd.cluster import Access, Cluster
from glance_mini_store.drivers.rbd.draft import MIB, SNAPSHOT, Draft, Form, is_written_here
from glance_mini_store.drivers.rbd.library import Image, Pool
from glance_mini_store.drivers.rbd.options import OPTIONS
from glance_mini_store.drivers.rbd.reading import Blocks, Identity
from glance_mini_store.drivers.rbd.removal import Removal
from glance_mini_store.lanes import Chunk
from glance_mini_store.locations.rbd import RbdLocation
from glance_mini_store.names import check_name, is_name

LOG = logging.getLogger(__name__)


class RbdDriver(Driver):
    """``pool`` holds the images; ``form`` says how new ones are made."""

    type = "rbd"
    schemes = ("rbd",)
    options = OPTIONS
    capabilities = frozenset(
        {capabilities.READ, capabilities.WRITE, capabilities.DELETE, capabilities.RANGE, capabilities.LIST}
    )

    def __init__(self, cluster: Cluster, pool: str, form: Form) -> None:
        self._cluster = cluster
        self._library = cluster.library
        self._pool = pool
        self._form = form
        self._budget = Buffers()

    def use_buffers(self, buffers: Buffers) -> None:
        """Borrow the memory of requests in flight from ``buffers``."""
        self._budget = buffers

    @classmethod
    def from_config(cls, settings: SimpleNamespace, store_id: str) -> Self:
        """Return a driver for the pool that the options name; see ``Driver.from_config``."""
        timeout = settings.rados_connect_timeout
        access = Access(
            conf=settings.rbd_store_ceph_conf,
            user=settings.rbd_store_user,
            connect_seconds=timeout if timeout > 0 else None,
            operation_seconds=settings.rados_op_timeout,
        )
        chunk_size: int = settings.rbd_store_chunk_size
        if chunk_size & (chunk_size - 1):
            raise errors.BadStoreConfiguration(
                option="rbd_store_chunk_size", reason=f"{chunk_size} is not a power of two"
            )
        form = Form(
            order=(chunk_size * MIB).bit_length() - 1,
            data_pool=settings.rbd_store_data_pool or None,
            thin=settings.rbd_thin_provisioning,
        )
        return cls(Cluster(ceph.load(), access), settings.rbd_store_pool, form)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return the pool as a URI once the cluster is known, and the scheme for the short form."""
        fsid = self._cluster.known_fsid
        return ("rbd://",) if fsid is None else (f"rbd://{fsid}/{quote(self._pool, safe='')}/", "rbd://")

    def check(self) -> None:
        """Connect once; raises BadStoreConfiguration or RemoteServiceUnavailable, as for a pool that does not exist."""
        self._cluster.check(self._pool, self._data_pool, self._prepare)

    def probe(self) -> int | None:
        """Return what the pool of the data still takes, its quota considered."""
        return self._cluster.free(self._pool, self._data_pool)

    def write(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        """Write a new image; it can be read as soon as it has its snapshot.

        Holds copies of up to ``draft.IN_FLIGHT`` bytes.
        """
        check_name(name)
        location = self._locate(name)
        pool = self._cluster.pool(self._pool)
        draft = Draft(
            self._library, pool, location, name, self._form, 3 * self._cluster.operation_seconds, self._budget
        )
        with self._asking(location, writing=True):
            self._create(draft)
        try:
            with self._asking(location, writing=True):
                self._cluster.waiting(pool, lambda: draft.open(size or 0))
            for chunk in chunks:
                with self._asking(location, writing=True):
                    draft.append(chunk)
            with self._asking(location, writing=True):
                self._cluster.waiting(pool, draft.publish)
        except BaseException as failure:
            self._drop(draft, pool, name, failure)
            raise
        return Written(location, draft.received)

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return the blocks of the snapshot, at most ``reading.IN_FLIGHT`` of them asked for at once."""
        name, snapshot = self._parse(location)
        pool = self._cluster.pool(self._pool)
        with self._finding(location):
            identity = Identity(pool, name)
            image = self._open(pool, location, name, snapshot)
            try:
                size = image.size()
                if offset > size:
                    raise errors.InvalidRange(offset=offset, location=location)
            except BaseException:
                image.close()
                raise
        end = size if length is None else min(size, offset + length)
        return Blocks(self._library, image, identity, location, offset, end, self._budget)

    def size(self, location: str) -> int:
        """Return the size of the snapshot."""
        name, snapshot = self._parse(location)
        pool = self._cluster.pool(self._pool)
        with self._finding(location), closing(self._open(pool, location, name, snapshot)) as image:
            return image.size()

    def delete(self, location: str) -> None:
        """Remove the image; one with clones stays as it is."""
        name, snapshot = self._parse(location)
        if snapshot not in (SNAPSHOT, None):
            raise errors.BadStoreUri(location=location, reason=f"only images with the snapshot {SNAPSHOT} are deleted")
        pool = self._cluster.pool(self._pool)
        with self._finding(location):
            with closing(self._open(pool, location, name, snapshot)) as image:
                has_snapshot = any(each["name"] == SNAPSHOT for each in image.list_snaps())
            removal = Removal(self._library, pool, lambda _: location)
            self._cluster.waiting(pool, lambda: removal.delete(name, SNAPSHOT if has_snapshot else None))

    def discard(self, name: str) -> None:
        """Remove the image, published or not, if this driver wrote it; may wait for Ceph to notice a killed writer."""
        check_name(name)
        location = self._locate(name)
        pool = self._cluster.pool(self._pool)
        with self._asking(location, writing=True):
            removal = Removal(self._library, pool, self._locate)
            self._cluster.waiting(pool, lambda: removal.discard(name))

    def names(self) -> set[str]:
        """Return the names of the images of the pool, those of others too, and of those in its trash."""
        images, pool = self._library.images, self._cluster.pool(self._pool)
        with self._asking(f"rbd pool {self._pool}", writing=False):
            found = {*images.list(pool), *(entry["name"] for entry in images.trash_list(pool))}
        return {name for name in found if is_name(name)}

    def list_objects(self) -> Iterator[StoredObject]:
        """Yield the published images of the pool; the age is that of the image itself, which never changes."""
        pool, place = self._cluster.pool(self._pool), f"rbd pool {self._pool}"
        with self._asking(place, writing=False):
            names = self._library.images.list(pool)
        for name in names:
            try:
                yield self._described(pool, name)
            except errors.NotFound:
                continue  # it is a draft, of others, or deleted meanwhile

    def _described(self, pool: Pool, name: str) -> StoredObject:
        location = self._locate(name)
        with self._finding(location), closing(self._open(pool, location, name, SNAPSHOT)) as image:
            made_at = image.create_timestamp().replace(tzinfo=UTC).timestamp()
            return StoredObject(name, location, image.size(), made_at)

    def properties(self) -> Mapping[str, object]:
        """Return the bytes of an object, the pool, whether holes are made, and the cluster's id once known."""
        return {
            "chunk_size": 1 << self._form.order,
            "pool": self._pool,
            "thin_provisioning": self._form.thin,
            "fsid": self._cluster.known_fsid,
        }

    def close(self) -> None:
        """Disconnect."""
        self._cluster.close()

    def _prepare(self, pool: Pool) -> None:
        """Let the pool have a trash; a user who may only read needs none."""
        location = f"rbd pool {self._pool}"
        with suppress(errors.StorageWriteDenied), translated(self._library, location, writing=True):
            Removal(self._library, pool, self._locate).make_trash()

    @property
    def _data_pool(self) -> str:
        return self._form.data_pool or self._pool

    def _locate(self, name: str) -> str:
        parts = (self._cluster.fsid(), self._pool, name, SNAPSHOT)
        return "rbd://" + "/".join(quote(part, safe="") for part in parts)

    def _parse(self, location: str) -> tuple[str, str | None]:
        """Return image and snapshot (None: short form) of a location, which must be in the pool of this store."""
        parsed = RbdLocation(None, None)
        parsed.parse_uri(location)
        if not parsed.image.isprintable() or not (parsed.snapshot or "").isprintable():
            raise errors.BadStoreUri(location=location, reason="a name holds a control character")
        if parsed.pool is not None and (parsed.pool, parsed.fsid) != (self._pool, self._cluster.fsid()):
            raise errors.BadStoreUri(location=location, reason="it is not in the pool of this store")
        return parsed.image, parsed.snapshot

    def _open(self, pool: Pool, location: str, name: str, snapshot: str | None) -> Image:
        """Return the published image, open at its snapshot.

        The short form also leads to images of old services that have no snapshot, but never to a draft.
        """
        if snapshot is not None:
            return self._library.open_image(pool, name, snapshot, read_only=True)
        image = self._library.open_image(pool, name, read_only=True)
        try:
            if any(each["name"] == SNAPSHOT for each in image.list_snaps()):
                image.set_snap(SNAPSHOT)
            elif is_written_here(image, name):
                raise errors.NotFound(location=location)
        except BaseException:
            image.close()
            raise
        return image

    def _create(self, draft: Draft) -> None:
        try:
            draft.create()
        except self._library.errors as error:
            if number_of(error) == errno.ETIMEDOUT:
                # A part of the image may be there.
                failure = NoAnswer(reason=os.strerror(errno.ETIMEDOUT))
                errors.mark_leftovers(failure)
                raise failure from error
            raise

    def _drop(self, draft: Draft, pool: Pool, name: str, failure: BaseException) -> None:
        """Remove what a failed write has left; where that fails ``discard`` does it later.

        Nobody waits for a cluster that has just been silent.
        """

        def remove() -> None:
            draft.close()
            Removal(self._library, pool, self._locate).remove_draft(name)

        if isinstance(failure, NoAnswer):
            errors.mark_leftovers(failure)
            self._cluster.leave(remove)
            return
        failures: tuple[type[Exception], ...] = (errors.StoreError, *self._library.errors)
        try:
            self._cluster.waiting(pool, remove)
        except failures as error:
            errors.mark_leftovers(failure)
            LOG.warning("rbd store: the unfinished image %s could not be removed now: %s", name, error)

    @contextmanager
    def _asking(self, location: str, *, writing: bool) -> Iterator[None]:
        """Translate the errors of Ceph."""
        with translated(self._library, location, writing=writing), self._cluster.watched():
            yield

    @contextmanager
    def _finding(self, location: str) -> Iterator[None]:
        """Translate the errors of Ceph; data of a pool that is gone is not called missing."""
        try:
            with self._asking(location, writing=False):
                yield
        except errors.NotFound:
            self._cluster.require_pool(self._pool)
            raise
