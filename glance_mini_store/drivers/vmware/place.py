"""A file in a datastore: its location, its path on the server, its address over HTTP, and which files are drafts."""

import re
import secrets
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlencode

from glance_mini_store.drivers.vmware.datastores import Datastore
from glance_mini_store.locations.base import bad_uri
from glance_mini_store.locations.vmware import VmwareLocation
from glance_mini_store.names import is_name

_DRAFT = re.compile(r"\.([A-Za-z0-9_-]{1,200})\.[0-9a-f]{16}\.part")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Place:
    """A file: ``path`` is relative to the datastore, decoded, without a slash at its ends."""

    datastore: Datastore
    path: str

    @property
    def datastore_path(self) -> str:
        """Return the path as the server's file manager writes it."""
        return f"[{self.datastore.name}] {self.path}"

    @property
    def url(self) -> str:
        """Return path and query of its address over HTTP."""
        query = urlencode({"dcPath": self.datastore.datacenter, "dsName": self.datastore.name})
        return f"/folder/{quote(self.path)}?{query}"

    def location(self, authority: str) -> str:
        """Return the location of the file on the server ``authority``."""
        specs = {
            "server_host": authority,
            "path": f"/folder/{quote(self.path)}",
            "datacenter_path": self.datastore.datacenter,
            "datastore_name": self.datastore.name,
        }
        return VmwareLocation(specs, None).get_uri()

    def draft(self) -> "Place":
        """Return a new temporary file beside this one."""
        folder, _, name = self.path.rpartition("/")
        return Place(self.datastore, f"{folder}/.{name}.{secrets.token_hex(8)}.part")


def place_of(location: str, authority: str) -> Place:
    """Return the file that ``location`` names; raises BadStoreUri for another server, a draft or a climbing path."""
    parsed = VmwareLocation(None, None)
    parsed.parse_uri(location)
    if parsed.server_host.lower() != authority.lower():
        bad_uri(location, "it is on another server than that of this store")
    path = unquote(parsed.path.removeprefix("/folder/"))
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or _CONTROL.search(path):
        bad_uri(location, "its path is malformed")
    if name_of_draft(parts[-1]) is not None:
        bad_uri(location, "this file is not complete")
    return Place(Datastore(parsed.datacenter_path.strip("/"), parsed.datastore_name), path)


def name_of_draft(file: str) -> str | None:
    """Return the name of the image that a file is a draft of, None if it is no draft."""
    found = _DRAFT.fullmatch(file)
    return found[1] if found else None


def name_of(file: str) -> str | None:
    """Return the name of the image that a file is the data or a draft of, None for any other file."""
    return name_of_draft(file) or (file if is_name(file) else None)
