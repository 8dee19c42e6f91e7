"""The data of each project in its own account: URIs are storage URLs, requests have the tokens of users.

Each image has a container of its own, because access lists belong to containers. Where no token is at hand, for
example in a job, the credentials of the store are used; with them, only containers that bear the store's name are
changed.
"""

import copy
import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NoReturn, Self

from glance_mini_store import errors
from glance_mini_store.caller import Caller
from glance_mini_store.drivers.swift.accounts import (
    Account,
    AuthenticatedAccount,
    AuthSettings,
    DelegatedAccount,
    TokenAccount,
    origin,
)
from glance_mini_store.drivers.swift.answers import refuse_use
from glance_mini_store.drivers.swift.client import Client, Request
from glance_mini_store.drivers.swift.objects import Place, make_container
from glance_mini_store.drivers.swift.tenancy import Tenancy, no_credentials, parse
from glance_mini_store.drivers.swift.trusts import Trusts
from glance_mini_store.locations.base import bad_uri
from glance_mini_store.locations.swift import SwiftLocation

LOG = logging.getLogger(__name__)


class MultiTenant(Tenancy):
    """``own`` is the account of the store itself, None if it has no credentials.

    ``container`` begins the names of containers. The projects ``admins`` may read and write all of them. With
    ``trusts``, long writes outlive the token of their user.
    """

    def __init__(
        self,
        client: Client,
        settings: AuthSettings,
        container: str,
        own: AuthenticatedAccount | None,
        admins: Sequence[str] = (),
        trusts: Trusts | None = None,
    ) -> None:
        self._client = client
        self._settings = settings
        self._container = container
        self._own = own
        self._admins = tuple(admins)
        self._trusts = trusts
        self._caller = Caller()

    def for_caller(self, caller: Caller) -> Self:
        """Return a copy with the caller."""
        other = copy.copy(self)
        other._caller = caller
        return other

    def probed(self) -> Account | None:
        """Return the account of the store itself."""
        return self._own

    @contextmanager
    def for_writing(self, name: str, *, is_long: bool) -> Iterator[Place]:
        """Yield the place of ``named`` in a new container, which the project of the caller may read."""
        first = self._account()
        delegated: AbstractContextManager[Account] = nullcontext(first)
        if is_long and self._trusts is not None and isinstance(first, TokenAccount):
            delegated = self._trusts.account(first)
        with delegated as account:
            place = self._place(account, name)
            headers = self._acl(place, public=False, readers=())
            is_new = make_container(self._client, account, place.container, headers)
            try:
                yield place
            except BaseException:
                if is_new:
                    self.removed(place)
                raise

    def named(self, name: str) -> Place:
        """Return the place in the account of the caller's project."""
        return self._place(self._account(), name)

    def for_reading(self, location: str) -> Place:
        """Return the place, with the caller's token if there is one."""
        parsed = self._parse(location)
        return Place(self._client, self._account_at(parsed), parsed.container, parsed.obj, location)

    def for_change(self, location: str) -> Place:
        """Return the place; with the credentials of the store only if it is data of the store and of the project."""
        place = self.for_reading(location)
        if not isinstance(place.account, TokenAccount):
            project_id = self._caller.project_id
            is_elsewhere = project_id is not None and place.account.storage_url != self._url(project_id)
            is_own = self._own is not None and place.account is self._own
            if place.container != self._container_of(place.name) or (is_elsewhere and not is_own):
                raise errors.Forbidden(location=location)
        return place

    def removed(self, place: Place) -> None:
        """Remove the container of the data; it stays if it holds anything else."""
        if place.container != self._container_of(place.name):
            return
        try:
            answer = self._client.send(place.account, Request("DELETE", place.container))
            if answer.status not in (404, 409):
                refuse_use(answer.status, place.location)
        except errors.StoreError as error:
            LOG.warning("An empty container of a removed image stays in Swift: %s", error)

    def set_acl(self, location: str, public: bool, readers: Sequence[str]) -> None:
        """Replace the projects that may read. Raises NotFound, Forbidden, RemoteServiceUnavailable."""
        place = self.for_change(location)
        headers = self._acl(place, public, readers)
        answer = self._client.send(place.account, Request("POST", place.container, headers=headers))
        refuse_use(answer.status, location)

    def names(self) -> None:
        """Return None: the accounts of all projects cannot be listed."""
        return

    def check(self) -> None:
        """Verify that the storage URL of a project is known."""
        if self._settings.is_template:
            return
        if self._own is None:
            _refuse("swift_store_endpoint", "a multi-tenant store needs credentials, or a URL with $(project_id)s")
        project_id = self._own.project_id
        if self._settings.endpoint is not None:
            _refuse("swift_store_endpoint", "the URL of a multi-tenant store needs $(project_id)s for the project")
        if project_id is None or not self._own.storage_url.endswith(project_id):
            _refuse("swift_store_endpoint", "the storage URL in the catalog does not end with the id of the project")

    def _account(self) -> Account:
        """Return the account for data of the caller's project. Raises StorageWriteDenied."""
        project_id, token = self._caller.project_id, self._caller.token
        if project_id is not None and token is not None:
            return TokenAccount(self._url(project_id), token)
        if self._own is None:
            raise no_credentials()
        return self._own if project_id is None else DelegatedAccount(self._url(project_id), self._own)

    def _account_at(self, parsed: SwiftLocation) -> Account:
        url = parsed.swift_url
        if self._own is not None and url == self._own.storage_url:
            return self._own
        if self._caller.token is not None:
            return TokenAccount(url, self._caller.token)
        if self._own is None:
            raise no_credentials()
        return DelegatedAccount(url, self._own)

    def _parse(self, location: str) -> SwiftLocation:
        """Return the parts of a location of this Swift, the only one that gets a token. Raises BadStoreUri."""
        parsed = parse(location)
        if parsed.scheme == "swift+config" or parsed.user is not None:
            bad_uri(location, "a multi-tenant store reads storage URLs without credentials only")
        if self._project(parsed.swift_url) is None:
            bad_uri(location, "it is not in this Swift")
        return parsed

    def _url(self, project_id: str) -> str:
        """Return the storage URL of a project. Raises RemoteServiceUnavailable."""
        if self._settings.is_template or self._own is None:
            return self._settings.own_url(project_id) or ""
        return self._own.storage_url.removesuffix(self._own.project_id or "") + project_id

    def _project(self, storage_url: str) -> str | None:
        """Return the project whose account ``storage_url`` is, None if it is no account of this Swift."""
        before, place, after = self._url("\0").partition("\0")
        middle = storage_url.removeprefix(before).removesuffix(after)
        is_account = place and middle and "/" not in middle and before + middle + after == storage_url
        return middle if is_account else None

    def _place(self, account: Account, name: str) -> Place:
        scheme, host = origin(account.storage_url)
        path = account.storage_url.partition(host)[2]
        container = self._container_of(name)
        return Place(self._client, account, container, name, f"swift+{scheme}://{host}{path}/{container}/{name}")

    def _container_of(self, name: str) -> str:
        return f"{self._container}_{name}"

    def _acl(self, place: Place, public: bool, readers: Sequence[str]) -> dict[str, str]:
        """Return the headers that let the owner, the ``readers`` and the administrators read."""
        owner = self._project(place.account.storage_url)
        projects = dict.fromkeys([owner or "", *readers, *self._admins])
        read = [f"{project}:*" for project in projects if project]
        headers = {"X-Container-Read": ",".join([".r:*", *read] if public else read)}
        if self._admins:
            headers["X-Container-Write"] = ",".join(f"{project}:*" for project in self._admins)
        return headers


def _refuse(option: str, reason: str) -> NoReturn:
    raise errors.BadStoreConfiguration(option=option, reason=reason)
