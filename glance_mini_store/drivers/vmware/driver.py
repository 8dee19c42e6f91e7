"""The ``vmware`` driver: names, locations, the choice of a datastore, and publication.

Data goes to a draft beside its place, over HTTP. When all of it is there, the server renames the draft, which it
refuses if the name is taken.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Self

from glance_mini_store import capabilities, errors
from glance_mini_store.driver import Driver, Written
from glance_mini_store.drivers.vmware.datastores import Datastore, choose, datastores_from
from glance_mini_store.drivers.vmware.files import Files
from glance_mini_store.drivers.vmware.folder import Folder
from glance_mini_store.drivers.vmware.options import OPTIONS
from glance_mini_store.drivers.vmware.place import Place, name_of, place_of
from glance_mini_store.drivers.vmware.server import Server
from glance_mini_store.drivers.vmware.session import Fault, Login, Patience, Session, Vmomi
from glance_mini_store.lanes import Chunk
from glance_mini_store.names import check_name
from glance_mini_store.web.client import tls_context

LOG = logging.getLogger(__name__)

_MIB = 1024 * 1024


class VmwareDriver(Driver):
    """The folder ``folder`` in each of the datastores that ``weights`` names."""

    type = "vmware"
    schemes = ("vsphere",)
    options = OPTIONS
    capabilities = frozenset({capabilities.READ, capabilities.WRITE, capabilities.DELETE, capabilities.RANGE})

    def __init__(self, session: Session, weights: Mapping[Datastore, int], folder: str) -> None:
        self._session = session
        self._files = Files(session)
        self._http = Folder(session)
        self._weights = weights
        self._folder = folder

    @classmethod
    def from_config(cls, settings: SimpleNamespace, store_id: str) -> Self:
        """Return a driver with the configured settings; see ``Driver.from_config``."""
        for option in ("vmware_server_host", "vmware_server_username", "vmware_server_password"):
            if not getattr(settings, option):
                raise errors.BadStoreConfiguration(option=option, reason="it is required")
        login = Login(settings.vmware_server_username, settings.vmware_server_password)
        patience = Patience(settings.vmware_api_retry_count, settings.vmware_task_poll_interval)
        session = Session(_server(settings), login, patience, Vmomi())
        return cls(session, datastores_from(settings.vmware_datastores), _folder(settings.vmware_store_image_dir))

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return the prefix of new locations, and that of other files on the server."""
        return (f"vsphere://{self._session.server.authority}/folder/{self._folder}/", "vsphere://")

    def check(self) -> None:
        """Log in, find each datastore and create the folder of the images. Raises BadStoreConfiguration."""
        try:
            self._session.cookie()
        except Fault as fault:
            reason = f"the server refuses this user or the password ({fault.name})"
            raise errors.BadStoreConfiguration(option="vmware_server_username", reason=reason) from fault
        for datastore in self._weights:
            try:
                self._files.datastore(datastore)
            except errors.NotFound as error:
                reason = f"the server has no datastore {datastore}"
                raise errors.BadStoreConfiguration(option="vmware_datastores", reason=reason) from error
            self._files.make_folder(Place(datastore, self._folder))

    def probe(self) -> int | None:
        """Return the free bytes of all datastores together. Raises RemoteServiceUnavailable."""
        return sum(self._free().values())

    def properties(self) -> Mapping[str, object]:
        """Return the server and the datastores with their weights."""
        datastores = [f"{datastore}:{weight}" for datastore, weight in self._weights.items()]
        return {"server_host": self._session.server.authority, "datastores": datastores}

    def close(self) -> None:
        """End the session on the server."""
        self._session.close()

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return the bytes of a range request; see ``Driver.read``."""
        place = self._place(location)
        size = self._size(place, location)
        if offset > size:
            raise errors.InvalidRange(offset=offset, location=location)
        wanted = size - offset if length is None else min(length, size - offset)
        return self._http.read(place, offset, wanted) if wanted else iter(())

    def size(self, location: str) -> int:
        """Return the size of the file in bytes; see ``Driver.size``."""
        return self._size(self._place(location), location)

    def write(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        """Send ``chunks`` to a draft and rename it; see ``Driver.write``. Chunks are not kept."""
        check_name(name)
        for datastore in self._weights:
            if self._http.size(taken := self._at(datastore, name)) is not None:
                raise errors.Duplicate(location=taken.location(self._session.server.authority))
        place = self._at(choose(self._weights, self._free(), size)[0], name)
        draft = place.draft()
        upload = self._http.upload(draft, size)
        try:
            try:
                for chunk in chunks:
                    upload.write(chunk)
                upload.finish()
            except errors.RemoteServiceUnavailable as error:
                self._say_if_full(place.datastore, error)
                raise
            self._publish(draft, place, upload.size)
        except BaseException as failure:
            upload.stop()
            self._clean(draft, failure)
            raise
        return Written(place.location(self._session.server.authority), upload.size)

    def discard(self, name: str) -> None:
        """Delete the drafts and the file of ``name`` in every datastore; see ``Driver.discard``."""
        check_name(name)
        for datastore in self._weights:
            folder = Place(datastore, self._folder)
            for file in self._files.listed(folder, (name, f".{name}.*.part")):
                if name_of(file) == name:
                    self._remove(self._at(datastore, file))

    def names(self) -> Iterable[str]:
        """Return the names of the files and drafts in the folders; see ``Driver.names``."""
        return {
            name
            for datastore in self._weights
            for file in self._files.listed(Place(datastore, self._folder), ("*",))
            if (name := name_of(file)) is not None
        }

    def delete(self, location: str) -> None:
        """Delete the file. Raises NotFound, InUseByStore, Forbidden, BadStoreUri, RemoteServiceUnavailable."""
        place = self._place(location)
        self._size(place, location)
        folder, _, file = place.path.rpartition("/")
        # The file manager would delete a folder with all that is in it.
        if file not in self._files.listed(Place(place.datastore, folder), (file,)):
            raise errors.NotFound(location=location)
        self._files.delete(place)

    def _at(self, datastore: Datastore, file: str) -> Place:
        return Place(datastore, f"{self._folder}/{file}")

    def _place(self, location: str) -> Place:
        return place_of(location, self._session.server.authority)

    def _size(self, place: Place, location: str) -> int:
        size = self._http.size(place)
        if size is None:
            raise errors.NotFound(location=location)
        return size

    def _free(self) -> dict[Datastore, int]:
        """Return the free bytes of the datastores that are there."""
        found = {}
        for datastore in self._weights:
            try:
                found[datastore] = self._files.free(datastore)
            except errors.NotFound:
                LOG.error("The server has no datastore %s.", datastore)
        return found

    def _publish(self, draft: Place, place: Place, size: int) -> None:
        """Rename a draft that has all its bytes."""
        stored = self._http.size(draft)
        if stored is None:
            raise errors.StorageWriteDenied(reason="the unfinished data was removed")
        if stored != size:
            raise errors.SizeMismatch(expected=size, received=stored)
        try:
            self._files.move(draft, place)
        except errors.NotFound as error:
            raise errors.StorageWriteDenied(reason="the unfinished data was removed") from error
        except errors.RemoteServiceUnavailable:
            # The connection may have failed after the server had renamed it.
            if self._http.size(draft) is not None or self._http.size(place) != size:
                raise

    def _say_if_full(self, datastore: Datastore, error: errors.RemoteServiceUnavailable) -> None:
        """Raise StorageFull if the datastore has no room left: the server has no status for that."""
        try:
            free = self._files.free(datastore)
        except errors.StoreError:
            return
        if free < _MIB:
            raise errors.StorageFull(reason=f"the datastore {datastore} is full") from error

    def _clean(self, draft: Place, failure: BaseException) -> None:
        """Delete the draft of a failed write; where that fails ``discard`` does it later."""
        try:
            self._remove(draft)
        except errors.StoreError as error:
            errors.mark_leftovers(failure)
            LOG.warning("The draft %s could not be deleted: %s", draft.datastore_path, error)

    def _remove(self, place: Place) -> None:
        try:
            self._files.delete(place)
        except errors.NotFound:
            return


def _server(settings: SimpleNamespace) -> Server:
    try:
        tls = tls_context(settings.vmware_ca_file, checks=not settings.vmware_insecure)
    except OSError as error:
        raise errors.BadStoreConfiguration(option="vmware_ca_file", reason=str(error)) from error
    is_plain = settings.vmware_server_scheme == "http"
    server = Server(settings.vmware_server_host, None if is_plain else tls, settings.vmware_timeout)
    try:
        is_usable = bool(server.host and server.port) and not set("/?#@") & set(server.authority)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise errors.BadStoreConfiguration(option="vmware_server_host", reason="it must be a host or host:port")
    return server


def _folder(configured: str) -> str:
    folder = configured.strip("/")
    if not folder or any(part in ("", ".", "..") for part in folder.split("/")):
        raise errors.BadStoreConfiguration(option="vmware_store_image_dir", reason="it must be the path of a folder")
    return folder
