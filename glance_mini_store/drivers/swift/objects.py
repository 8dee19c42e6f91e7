"""The objects of one image in a container: its data, the claim of its name, and its segments.

All but the data have names with a slash, which no location can name.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import unquote

from glance_mini_store import errors
from glance_mini_store.drivers.swift.accounts import Account
from glance_mini_store.drivers.swift.answers import failed, refuse_use
from glance_mini_store.drivers.swift.client import Answer, Client, Request

MARK = "x-object-meta-glance-mini-write"
"""The header of data and of claims that tells which write they belong to."""

_NEWEST = {"X-Newest": "true"}
"""Ask all replicas."""

_NUMBERED = re.compile(r"-\d{5}")
"""What older services add to the name of an image for its segments."""


@dataclass(frozen=True)
class Place:
    """The object ``name`` in a container, which is the data at ``location``."""

    client: Client
    account: Account
    container: str
    name: str
    location: str

    @property
    def claim(self) -> str:
        """Return the object by which a write keeps the name for itself."""
        return f"{self.name}/claim"

    def send(
        self,
        method: str,
        name: str | None = None,
        *,
        query: Mapping[str, str] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """Send a request without a body for the object ``name`` of the container, the data by default."""
        return self.client.send(self.account, Request(method, self.container, name or self.name, query, headers))

    def head(self, name: str | None = None) -> Answer:
        """Return the newest state of an object, the data by default; the status tells whether it is there."""
        answer = self.send("HEAD", name, headers=_NEWEST)
        if answer.status != 404:
            refuse_use(answer.status, self.location)
        return answer

    def is_marked(self, name: str, write: str) -> bool:
        """Return whether the object ``name`` was written by ``write``."""
        answer = self.head(name)
        return answer.is_success and answer.headers.get(MARK) == write

    def remove(self, name: str) -> bool:
        """Remove an object, for a manifest only itself; return whether it was there."""
        answer = self.send("DELETE", name)
        if answer.status != 404:
            refuse_use(answer.status, self.location)
        return answer.is_success

    def remove_data(self) -> bool:
        """Remove the data, its segments and what failed writes left; return whether there was data.

        Segments that do not belong to this name by their own names stay. May be repeated after a failure.
        """
        found = self.head()
        segments = list(self._segments(found)) if found.is_success else []
        was_there = self.remove(self.name)
        for segment in segments:
            self.remove(segment)
        self.remove_parts()
        return was_there

    def remove_parts(self) -> None:
        """Remove the claim and the segments of all writes under this name."""
        for name in list_names(self.client, self.account, self.container, prefix=f"{self.name}/"):
            self.remove(name)
        self.remove(self.claim)

    def _segments(self, found: Answer) -> Iterator[str]:
        """Yield the names of the segments of the manifest ``found`` that belong to this name."""
        if found.headers.get("x-static-large-object", "").lower() == "true":
            answer = self.send("GET", query={"multipart-manifest": "get"})
            refuse_use(answer.status, self.location)
            paths = [entry["name"] for entry in json.loads(answer.body)]
            ours = f"/{self.container}/"
            yield from (
                path.removeprefix(ours) for path in paths if path.startswith(ours) and self._owns(path[len(ours) :])
            )
        container, _, prefix = unquote(found.headers.get("x-object-manifest", "")).partition("/")
        if container == self.container and prefix.startswith(self.name):
            names = list_names(self.client, self.account, container, prefix=prefix)
            yield from (name for name in names if self._owns(name))

    def _owns(self, segment: str) -> bool:
        rest = segment.removeprefix(self.name)
        return rest != segment and (rest.startswith("/") or _NUMBERED.fullmatch(rest) is not None)


def list_names(
    client: Client, account: Account, container: str | None, *, prefix: str = "", delimiter: str = ""
) -> Iterator[str]:
    """Yield the names of ``list_entries``."""
    for entry in list_entries(client, account, container, prefix=prefix, delimiter=delimiter):
        yield entry.get("name") or entry["subdir"]


def list_entries(
    client: Client, account: Account, container: str | None, *, prefix: str = "", delimiter: str = ""
) -> Iterator[dict[str, str]]:
    """Yield what Swift tells of what is in a container, or of the containers; none if the container does not exist.

    With ``delimiter``, names are cut at the first one after the prefix. Raises RemoteServiceUnavailable.
    """
    marker = ""
    while True:
        query = {"format": "json", "prefix": prefix, "delimiter": delimiter, "marker": marker}
        answer = client.send(
            account, Request("GET", container, query={key: value for key, value in query.items() if value})
        )
        if answer.status == 404:
            return
        if not answer.is_success:
            raise failed(answer.status)
        entries: list[dict[str, str]] = json.loads(answer.body) if answer.body else []
        if not entries:
            return
        yield from entries
        marker = entries[-1].get("name") or entries[-1]["subdir"]


def make_container(client: Client, account: Account, container: str, headers: dict[str, str]) -> bool:
    """Make a container and return whether it was not there. Raises StorageWriteDenied, RemoteServiceUnavailable."""
    answer = client.send(account, Request("PUT", container, headers=headers))
    if answer.status in (401, 403, 404):
        raise errors.StorageWriteDenied(reason=f"Swift answers {answer.status} to the creation of a container")
    if not answer.is_success:
        raise failed(answer.status)
    return answer.status == 201
