"""What the server's file manager does with files in datastores: move, delete, list, and the folder of the images."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, cast

from glance_mini_store import errors
from glance_mini_store.drivers.vmware.datastores import Datastore
from glance_mini_store.drivers.vmware.place import Place
from glance_mini_store.drivers.vmware.session import Fault, Reference, Session

_MISSING = {"FileNotFound", "InvalidDatastorePath"}
_EXISTS = {"FileAlreadyExists"}
_BUSY = {"FileLocked", "ResourceInUse", "TaskInProgress"}
_REFUSED = {"NoPermission", "RestrictedVersion"}
_FULL = {"NoDiskSpace"}


class _Browser(Protocol):
    def SearchDatastore_Task(self, path: str, spec: object, /) -> Reference: ...


class Files:
    """The files of the datastores that a session can see."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._datacenters: dict[str, Reference] = {}
        self._datastores: dict[Datastore, Reference] = {}

    def move(self, source: Place, target: Place) -> None:
        """Rename a file within its datastore in one step.

        Raises Duplicate, NotFound, StorageWriteDenied, RemoteServiceUnavailable; after the last the file may have been
        moved.
        """
        datacenter = self._datacenter(source.datastore.datacenter)
        names = (source.datastore_path, datacenter, target.datastore_path, datacenter, False)
        try:
            self.session.run(lambda open_: open_.content.fileManager.MoveDatastoreFile_Task(*names), repeats=False)
        except Fault as fault:
            if fault.name in _EXISTS:
                raise errors.Duplicate(location=target.location(self.session.server.authority)) from fault
            if fault.name in _REFUSED:
                raise errors.StorageWriteDenied(reason=str(fault)) from fault
            raise self.error(fault, source) from fault

    def delete(self, place: Place) -> None:
        """Delete a file. Raises NotFound, InUseByStore, Forbidden, RemoteServiceUnavailable."""
        datacenter = self._datacenter(place.datastore.datacenter)
        try:
            self.session.run(
                lambda open_: open_.content.fileManager.DeleteDatastoreFile_Task(place.datastore_path, datacenter)
            )
        except Fault as fault:
            raise self.error(fault, place) from fault

    def make_folder(self, folder: Place) -> None:
        """Create a folder with its parents; no error if it is there. Raises Forbidden, RemoteServiceUnavailable."""
        datacenter = self._datacenter(folder.datastore.datacenter)
        try:
            self.session.call(
                lambda open_: open_.content.fileManager.MakeDirectory(folder.datastore_path, datacenter, True)
            )
        except Fault as fault:
            if fault.name not in _EXISTS:
                raise self.error(fault, folder) from fault

    def listed(self, folder: Place, patterns: Sequence[str]) -> Iterator[str]:
        """Yield the names of the files in a folder that fit one of ``patterns`` (* stands for any text).

        Folders in it are left out.
        """
        vim = self.session.vmomi.vim
        details = vim.host.DatastoreBrowser.FileInfo.Details(
            fileType=True, fileSize=False, modification=False, fileOwner=False
        )
        spec = vim.host.DatastoreBrowser.SearchSpec(matchPattern=list(patterns), details=details)
        found = self._properties(folder.datastore, ["browser"])
        browser = cast(_Browser, found["browser"])
        try:
            files = self.session.run(lambda _: browser.SearchDatastore_Task(folder.datastore_path, spec))
        except Fault as fault:
            if fault.name in _MISSING:
                return
            raise self.error(fault, folder) from fault
        for file in getattr(files, "file", None) or ():
            if not isinstance(file, vim.host.DatastoreBrowser.FolderInfo):
                yield str(file.path)

    def free(self, datastore: Datastore) -> int:
        """Return the free bytes of a datastore, 0 if it cannot be used now. Raises NotFound."""
        found = self._properties(datastore, ["summary.accessible", "summary.freeSpace"])
        free = found.get("summary.freeSpace")
        return free if isinstance(free, int) and found.get("summary.accessible") else 0

    def datastore(self, datastore: Datastore) -> Reference:
        """Return the reference of a datastore. Raises NotFound, RemoteServiceUnavailable."""
        if datastore not in self._datastores:
            datacenter = self._datacenter(datastore.datacenter)
            all_of_it = self.session.properties(datacenter, "Datacenter", ["datastore"]).get("datastore")
            for reference in all_of_it if isinstance(all_of_it, list) else ():
                name = self.session.properties(reference, "Datastore", ["summary.name"])["summary.name"]
                self._datastores[Datastore(datastore.datacenter, str(name))] = reference
        if datastore not in self._datastores:
            raise errors.NotFound(location=str(datastore))
        return self._datastores[datastore]

    def error(self, fault: Fault, place: Place) -> errors.StoreError:
        """Return the error of this package for a fault about a file."""
        location = place.location(self.session.server.authority)
        if fault.name in _MISSING:
            return errors.NotFound(location=location)
        if fault.name in _BUSY:
            return errors.InUseByStore(location=location)
        if fault.name in _REFUSED:
            return errors.Forbidden(location=location)
        if fault.name in _FULL:
            return errors.StorageFull(reason=str(fault))
        return errors.RemoteServiceUnavailable(reason=str(fault))

    def _properties(self, datastore: Datastore, paths: Sequence[str]) -> Mapping[str, object]:
        """Return properties of a datastore, also if it was made anew under the same name."""
        try:
            return self.session.properties(self.datastore(datastore), "Datastore", paths)
        except Fault as fault:
            if fault.name != "ManagedObjectNotFound":
                raise
        self._datacenters.clear()
        self._datastores.clear()
        return self.session.properties(self.datastore(datastore), "Datastore", paths)

    def _datacenter(self, path: str) -> Reference:
        if path not in self._datacenters:
            found: Reference | None = self.session.call(
                lambda open_: open_.content.searchIndex.FindByInventoryPath(path)
            )
            if found is None:
                raise errors.NotFound(location=path)
            self._datacenters[path] = found
        return self._datacenters[path]
