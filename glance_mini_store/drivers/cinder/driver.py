"""The ``cinder`` driver: a volume of Cinder for each image, published by a mark in its metadata.

``accounts`` chooses project and user, ``api`` asks Cinder, ``attaching`` and ``connecting`` bring a volume to
this host, ``draft`` writes, ``reading`` reads, ``removal`` removes.
"""

import copy
import logging
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Self

from glance_mini_store import capabilities, errors
from glance_mini_store.caller import Caller
from glance_mini_store.driver import Driver, Written
from glance_mini_store.drivers.cinder.accounts import (
    Account,
    Credentials,
    NoAccount,
    OwnAccount,
    Service,
    UserAccount,
)
from glance_mini_store.drivers.cinder.api import Cinder
from glance_mini_store.drivers.cinder.attaching import Attached, Attaching, SharedReads
from glance_mini_store.drivers.cinder.connecting import Host, HostSettings
from glance_mini_store.drivers.cinder.draft import Draft
from glance_mini_store.drivers.cinder.library import Libraries
from glance_mini_store.drivers.cinder.options import OPTIONS
from glance_mini_store.drivers.cinder.reading import Blocks
from glance_mini_store.drivers.cinder.removal import remove, remove_image
from glance_mini_store.drivers.cinder.volume import GIB, IMAGE, STORE, Marks, volume_name
from glance_mini_store.keystone import CredentialsRefused
from glance_mini_store.lanes import Chunk
from glance_mini_store.locations.base import bad_uri
from glance_mini_store.locations.cinder import CinderLocation
from glance_mini_store.names import check_name, is_name

LOG = logging.getLogger(__name__)


class CinderDriver(Driver):
    """Volumes of ``volume_type`` (None: the default of Cinder) in the project of ``account``."""

    type = "cinder"
    schemes = ("cinder",)
    options = OPTIONS
    capabilities = frozenset({capabilities.READ, capabilities.WRITE, capabilities.DELETE, capabilities.RANGE})

    def __init__(self, libraries: Libraries, settings: SimpleNamespace, store_id: str) -> None:
        self._libraries = libraries
        self._store_id = store_id
        self._service = Service.from_settings(settings)
        self._address: str | None = settings.cinder_store_auth_address
        credentials = Credentials.from_settings(settings)
        self._own = None if credentials is None else OwnAccount(libraries, self._service, credentials)
        self._volume_type: str | None = settings.cinder_volume_type or None
        self._use_multipath: bool = settings.cinder_use_multipath
        self._grows_attached: bool = settings.cinder_do_extend_attached
        self._patience: int = settings.cinder_state_transition_timeout
        self._attaching = Attaching(
            Host(libraries, HostSettings.from_settings(settings)), settings.cinder_attachment_retry_attempts
        )
        self._reads = SharedReads()
        self._caller = Caller()

    @classmethod
    def from_config(cls, settings: SimpleNamespace, store_id: str) -> Self:
        """Return a driver for the project, or the projects, that the options name; see ``Driver.from_config``."""
        if not settings.cinder_store_auth_address and not settings.cinder_endpoint_template:
            reason = "the store needs the URL of Keystone, or cinder_endpoint_template"
            raise errors.BadStoreConfiguration(option="cinder_store_auth_address", reason=reason)
        return cls(Libraries.load(), settings, store_id)

    def for_caller(self, caller: Caller) -> Self:
        """Return a driver for the image of the caller; without credentials of the store also for the token."""
        other = copy.copy(self)
        other._caller = caller
        return other

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return the store as a URI, and the scheme for the form without a store."""
        return (f"cinder://{self._store_id}/", "cinder://")

    def is_owner(self, location: str) -> bool:
        """Return whether this store wrote the volume, or it is of the store's volume type and nobody's."""
        volume_id = self._parse(location)
        cinder = self._cinder()
        volume = cinder.find(volume_id, location)
        if (writer := volume.metadata.get(STORE)) is not None:
            return writer == self._store_id
        return volume.type is not None and volume.type == self._volume_type

    def check(self) -> None:
        """Authenticate, and look for the volume type. Raises BadStoreConfiguration, RemoteServiceUnavailable.

        A store without credentials can do neither.
        """
        if self._own is None:
            return
        try:
            self._own.project_id()
        except CredentialsRefused as error:
            raise errors.BadStoreConfiguration(option=self._own.secret_option, reason=str(error)) from error
        cinder = self._cinder()
        if self._volume_type is None:
            cinder.free()
        elif not cinder.has_type(self._volume_type):
            reason = f"there is no volume type {self._volume_type!r} for the project of the store"
            raise errors.BadStoreConfiguration(option="cinder_volume_type", reason=reason)

    def probe(self) -> int | None:
        """Return what the quota of the project leaves, None without a quota or without credentials of the store."""
        if self._own is None:
            return None
        free = self._cinder().free()
        return None if free is None else free * GIB

    def write(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        """Write a new volume; it can be read as soon as it has its mark.

        Holds a copy of one chunk and, for a volume on Ceph, ``connecting.CACHE`` bytes.
        """
        check_name(name)
        marks = Marks(name, self._store_id, self._caller.project_id)
        draft = Draft(self._cinder(), self._attaching, marks, self._volume_type, grows_attached=self._grows_attached)
        try:
            draft.create(size or 0)
            for chunk in chunks:
                draft.append(chunk)
            draft.publish()
        except BaseException as failure:
            if not draft.drop():
                errors.mark_leftovers(failure)
            raise
        return Written(self._locate(draft.volume_id), draft.received)

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return the blocks of the volume, which is attached at the call, and detached with the last block."""
        volume_id = self._parse(location)
        cinder = self._cinder()
        size = cinder.find(volume_id, location).image_size(location)
        if offset > size:
            raise errors.InvalidRange(offset=offset, location=location)
        end = size if length is None else min(size, offset + length)

        def attach() -> Attached:
            return self._attaching.attach(cinder, volume_id, location, writing=False)

        return Blocks(self._reads, volume_id, attach, offset, end)

    def size(self, location: str) -> int:
        """Return the size that the metadata names, else that of the volume."""
        volume_id = self._parse(location)
        return self._cinder().find(volume_id, location).image_size(location)

    def delete(self, location: str) -> None:
        """Delete the volume; one with snapshots, or that somebody has attached, stays as it is."""
        volume_id = self._parse(location)
        cinder = self._cinder()
        volume = cinder.find(volume_id, location)
        volume.image_size(location)
        self._reads.release(volume_id)
        remove_image(cinder, volume, location)

    def discard(self, name: str) -> None:
        """Remove the volumes that this store wrote under ``name``; may wait until a killed writer is forgotten."""
        check_name(name)
        cinder = self._cinder()
        location = f"cinder://{volume_name(name)}"
        for volume in cinder.named(name, location):
            if not volume.is_written_as(name, self._store_id):
                LOG.warning("cinder store: the volume %s was written by others and is not discarded", volume.id)
            elif volume.is_draft or volume.status == "deleting":
                remove(cinder, volume.id, location)
            else:
                self._reads.release(volume.id)
                remove_image(cinder, volume, location)

    def names(self) -> set[str] | None:
        """Return the names of this store's volumes; None without credentials of the store."""
        if self._own is None:
            return None
        found = self._cinder().all("cinder://")
        mine = (volume.metadata.get(IMAGE, "") for volume in found if volume.metadata.get(STORE) == self._store_id)
        return {name for name in mine if is_name(name)}

    def properties(self) -> Mapping[str, object]:
        """Return the volume type (None: the default of Cinder), and whether multipath is used."""
        return {"volume_type": self._volume_type, "use_multipath": self._use_multipath}

    def close(self) -> None:
        """Detach the volumes that nobody reads any more."""
        self._reads.close()

    def _cinder(self) -> Cinder:
        return Cinder(self._libraries, self._account(), self._patience)

    def _account(self) -> Account:
        if self._own is not None:
            return self._own
        if self._caller.token is None or self._caller.project_id is None:
            return NoAccount()
        return UserAccount(self._libraries, self._service, self._address, self._caller)

    def _locate(self, volume_id: str | None) -> str:
        """Return the location; a store with the name of the driver writes the form that every Cinder understands."""
        return f"cinder://{volume_id}" if self._store_id == self.type else f"cinder://{self._store_id}/{volume_id}"

    def _parse(self, location: str) -> str:
        """Return the volume of a location, which must be in this store."""
        parsed = CinderLocation(None, None)
        parsed.parse_uri(location)
        if parsed.store_id not in (None, self._store_id):
            bad_uri(location, "it is in another store")
        return parsed.volume_id
