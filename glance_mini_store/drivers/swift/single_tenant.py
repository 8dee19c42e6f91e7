"""All data in one account, which a reference names: its URIs are ``swift+config://reference/container/object``."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from glance_mini_store import errors
from glance_mini_store.caller import Caller
from glance_mini_store.driver import StoredObject
from glance_mini_store.drivers.swift.accounts import Account, AuthenticatedAccount, AuthSettings
from glance_mini_store.drivers.swift.answers import refuse_use
from glance_mini_store.drivers.swift.client import Client, Request
from glance_mini_store.drivers.swift.credentials import Credentials, from_uri
from glance_mini_store.drivers.swift.library import Libraries
from glance_mini_store.drivers.swift.objects import Place, list_entries, list_names, make_container
from glance_mini_store.drivers.swift.tenancy import Tenancy, parse
from glance_mini_store.locations.base import bad_uri


@dataclass(frozen=True)
class Containers:
    """The names of containers: ``name``, with ``seed`` characters of the image's id after it if that is not 0."""

    name: str
    seed: int = 0
    is_created: bool = False

    def of(self, name: str) -> str:
        """Return the container for data under ``name``. Hyphens of the id stay and do not count."""
        if not self.seed:
            return self.name
        left, end = self.seed, 0
        while left and end < len(name):
            left -= name[end] != "-"
            end += 1
        return f"{self.name}_{name[:end]}"


class SingleTenant(Tenancy):
    """``references`` maps the references to credentials; new data goes to the account of ``default``."""

    def __init__(
        self,
        client: Client,
        libraries: Libraries,
        settings: AuthSettings,
        references: Mapping[str, Credentials],
        default: str,
        containers: Containers,
    ) -> None:
        self._client = client
        self._libraries = libraries
        self._settings = settings
        self._accounts = {
            reference: AuthenticatedAccount(libraries, credentials, settings)
            for reference, credentials in references.items()
        }
        self._default = default
        self._containers = containers

    def for_caller(self, caller: Caller) -> Self:
        """Return this object: the caller is unknown to Swift."""
        return self

    def probed(self) -> Account | None:
        """Return the account for new data."""
        return self._accounts[self._default]

    @contextmanager
    def for_writing(self, name: str, *, is_long: bool) -> Iterator[Place]:
        """Yield the place of ``named``; its container is made if that is configured."""
        place = self.named(name)
        if self._containers.is_created:
            self._make_container(place)
        yield place

    def named(self, name: str) -> Place:
        """Return the place in the container for ``name``."""
        container = self._containers.of(name)
        uri = f"swift+config://{self._default}/{container}/{name}"
        return Place(self._client, self._accounts[self._default], container, name, uri)

    def for_reading(self, location: str) -> Place:
        """Return the place in the account of the reference, or in that of the user whose key the URI holds."""
        parsed = parse(location)
        if parsed.scheme == "swift+config":
            account = self._accounts.get(parsed.auth_or_store_url)
            if account is None:
                bad_uri(location, "the store has no such reference")
        elif parsed.user is not None:
            account = AuthenticatedAccount(self._libraries, from_uri(parsed), self._settings)
        else:
            bad_uri(location, "it holds no credentials, and the store is single-tenant")
        return Place(self._client, account, parsed.container, parsed.obj, location)

    def for_change(self, location: str) -> Place:
        """Return the same place as for reading."""
        return self.for_reading(location)

    def removed(self, place: Place) -> None:
        """Keep the container."""

    def names(self) -> set[str]:
        """Return the names in all containers of the store."""
        account = self._accounts[self._default]
        found: set[str] = set()
        for container in self._existing(account):
            for name in list_names(self._client, account, container, delimiter="/"):
                found.add(name.rstrip("/"))
        return found

    def objects(self) -> Iterator[StoredObject]:
        """Yield the objects of ``names``; the size of one with segments is not in the list."""
        account = self._accounts[self._default]
        for container in self._existing(account):
            for entry in list_entries(self._client, account, container, delimiter="/"):
                if (name := entry.get("name")) is not None:
                    location = f"swift+config://{self._default}/{container}/{name}"
                    changed = datetime.fromisoformat(str(entry["last_modified"])).replace(tzinfo=UTC)
                    yield StoredObject(name, location, None, changed.timestamp())

    def check(self) -> None:
        """Verify that the container is there, if there is one and it is not to be created."""
        if self._containers.seed or self._containers.is_created:
            return
        container = self._containers.name
        answer = self._client.send(self._accounts[self._default], Request("HEAD", container))
        if answer.status == 404:
            reason = f"there is no container {container}; create it, or set swift_store_create_container_on_put"
            raise errors.BadStoreConfiguration(option="swift_store_container", reason=reason)
        refuse_use(answer.status, f"swift+config://{self._default}/{container}")

    def _existing(self, account: Account) -> Iterator[str]:
        if not self._containers.seed:
            yield self._containers.name
            return
        for container in list_names(self._client, account, None, prefix=f"{self._containers.name}_"):
            if self._containers.of(container.removeprefix(f"{self._containers.name}_")) == container:
                yield container

    def _make_container(self, place: Place) -> None:
        answer = self._client.send(place.account, Request("HEAD", place.container))
        if answer.status == 404:
            make_container(self._client, place.account, place.container, {})
