"""The ``swift`` driver: objects in the containers of one account, or in the accounts of the projects.

``tenancy`` chooses account and container, ``writing`` and ``reading`` transfer the data, ``client`` sends requests.
"""

import copy
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Self, cast

from glance_mini_store import capabilities, errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.caller import Caller
from glance_mini_store.driver import Driver, StoredObject, UserData, Written
from glance_mini_store.drivers.swift.accounts import AuthenticatedAccount, AuthSettings, origin
from glance_mini_store.drivers.swift.answers import failed
from glance_mini_store.drivers.swift.client import Client, Request
from glance_mini_store.drivers.swift.credentials import from_options, read_references
from glance_mini_store.drivers.swift.library import Libraries
from glance_mini_store.drivers.swift.multi_tenant import MultiTenant
from glance_mini_store.drivers.swift.objects import Place
from glance_mini_store.drivers.swift.options import OPTIONS
from glance_mini_store.drivers.swift.reading import Reading, size_of
from glance_mini_store.drivers.swift.segments import MIB, SegmentSizes
from glance_mini_store.drivers.swift.single_tenant import Containers, SingleTenant
from glance_mini_store.drivers.swift.temp_urls import KEY_HEADERS, TempUrls
from glance_mini_store.drivers.swift.tenancy import Tenancy
from glance_mini_store.drivers.swift.trusts import Trusts
from glance_mini_store.drivers.swift.user_objects import UserObjects
from glance_mini_store.drivers.swift.writing import Write
from glance_mini_store.keystone import CredentialsRefused
from glance_mini_store.lanes import Chunk
from glance_mini_store.names import check_name
from glance_mini_store.ranges import RangeMemory, open_ranges

LOG = logging.getLogger(__name__)

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+/?")

_CAN = (capabilities.READ, capabilities.WRITE, capabilities.DELETE, capabilities.RANGE)


class SwiftDriver(Driver):
    """Data in ``tenancy``: up to ``single`` bytes as one object, larger data in segments of ``sizes``.

    Of a large read ``ranges`` are fetched at once. ``temp_urls`` makes URLs for clients, None if the store has no key.
    ``user_objects`` finds what users may name as the data of images, None if they may name nothing.
    """

    type = "swift"
    schemes = ("swift+config", "swift+https", "swift+http", "swift")
    options = OPTIONS

    def __init__(
        self,
        client: Client,
        tenancy: Tenancy,
        container: str,
        single: int,
        sizes: SegmentSizes,
        retries: int = 0,
        ranges: int = 0,
        temp_urls: TempUrls | None = None,
        user_objects: UserObjects | None = None,
    ) -> None:
        self._client = client
        self._tenancy = tenancy
        self._container = container
        self._single = single
        self._sizes = sizes
        self._retries = retries
        self._ranges = ranges
        self._buffers = Buffers()
        self._temp_urls = temp_urls
        self._user_objects = user_objects
        self._caller = Caller()
        self._version = ""
        acl = {capabilities.ACL} if isinstance(tenancy, MultiTenant) else set()
        lists = {capabilities.LIST} if isinstance(tenancy, SingleTenant) else set()
        self.capabilities = frozenset({*_CAN, *acl, *lists, *({capabilities.PRESIGN} if temp_urls else ())})

    @classmethod
    def from_config(cls, settings: SimpleNamespace, store_id: str) -> Self:
        """Return a driver for the account, or the accounts, that the options name; see ``Driver.from_config``."""
        temp_urls = _temp_urls(settings)
        libraries = Libraries.load()
        verify = False if settings.swift_store_auth_insecure else settings.swift_store_cacert or True
        timeouts = (settings.swift_store_connect_timeout, settings.swift_store_read_timeout)
        client = Client(libraries, verify, *timeouts)
        auth = AuthSettings(
            verify=verify,
            region=settings.swift_store_region,
            interface=settings.swift_store_endpoint_type,
            service_type=settings.swift_store_service_type,
            endpoint=settings.swift_store_endpoint,
            expire_soon=settings.swift_store_expire_soon_interval,
            read_timeout=settings.swift_store_read_timeout,
        )
        build = _multi_tenant if settings.swift_store_multi_tenant else _single_tenant
        tenancy = build(settings, libraries, client, auth)
        return cls(
            client,
            tenancy,
            settings.swift_store_container,
            settings.swift_store_large_object_size * MIB,
            SegmentSizes(settings.swift_store_large_object_chunk_size * MIB),
            settings.swift_store_retry_get_count,
            settings.swift_store_read_ranges,
            temp_urls,
            _user_objects(client, tenancy) if settings.swift_store_user_locations else None,
        )

    def use_buffers(self, buffers: Buffers) -> None:
        """Borrow the memory of ranges that are read at once from ``buffers``."""
        self._buffers = buffers

    def for_caller(self, caller: Caller) -> Self:
        """Return a driver that writes to the account of the caller's project, if the store is multi-tenant."""
        other = copy.copy(self)
        other._tenancy = self._tenancy.for_caller(caller)
        other._caller = caller
        return other

    def pinned(self, version: str) -> Self:
        """Return a driver that reads an object of a user, with the account of the store and while it has that ETag."""
        other = self.for_caller(Caller())
        other._version = version
        return other

    def user_data(self, location: str) -> UserData | None:
        """Return size and ETag of an object that the caller may read, and the store too; see ``Driver.user_data``."""
        return self._user_objects.look(location, self._caller) if self._user_objects is not None else None

    def check(self) -> None:
        """Authenticate and verify the container and what Swift can do.

        Raises BadStoreConfiguration, RemoteServiceUnavailable.
        """
        try:
            self._tenancy.check()
            self._check_limits()
            self._check_key()
        except CredentialsRefused as error:
            option = "swift_store_config_file" if isinstance(self._tenancy, SingleTenant) else "swift_store_key"
            raise errors.BadStoreConfiguration(option=option, reason=str(error)) from error

    def _check_limits(self) -> None:
        """Take the limits that Swift tells; one that tells nothing has the usual ones."""
        account = self._tenancy.probed()
        if account is None:
            return
        info = self._client.send(_Anonymous("://".join(origin(account.storage_url))), Request("GET", "info"))
        if not info.is_success:
            return
        told = cast(dict[str, dict[str, int]], json.loads(info.body))
        if "slo" not in told:
            raise errors.BadStoreConfiguration(
                option="swift_store_endpoint", reason="Swift has no static large objects"
            )
        largest = told.get("swift", {}).get("max_file_size", self._sizes.largest)
        for option, size in (
            ("swift_store_large_object_size", self._single),
            ("swift_store_large_object_chunk_size", self._sizes.first),
        ):
            if size > largest:
                reason = f"the largest object of Swift has {largest // MIB} MiB"
                raise errors.BadStoreConfiguration(option=option, reason=reason)
        count = told["slo"].get("max_manifest_segments", self._sizes.count)
        self._sizes = SegmentSizes(self._sizes.first, largest, count)

    def _check_key(self) -> None:
        """Verify that the account has the key of the store, if there is one."""
        account = self._tenancy.probed()
        if self._temp_urls is None or account is None:
            return
        answer = self._client.send(account, Request("HEAD"))
        if not answer.is_success:
            raise failed(answer.status)
        if self._temp_urls.key not in {answer.headers.get(name) for name in KEY_HEADERS}:
            reason = "the account has another key or none; its owner sets it by: swift post -m Temp-URL-Key:KEY"
            raise errors.BadStoreConfiguration(option="swift_store_temp_url_key", reason=reason)

    def probe(self) -> int | None:
        """Return what the quota of the account leaves, None without a quota or without credentials of the store."""
        account = self._tenancy.probed()
        if account is None:
            return None
        answer = self._client.send(account, Request("HEAD"))
        if not answer.is_success:
            raise failed(answer.status)
        quota = answer.headers.get("x-account-meta-quota-bytes", "")
        used = answer.headers.get("x-account-bytes-used", "0")
        return max(0, int(quota) - int(used)) if quota.isdigit() else None

    def write(self, name: str, chunks: Iterable[Chunk], size: int | None = None) -> Written:
        """Write one object, or segments and their manifest; see ``writing``. Holds no more than one chunk."""
        check_name(name)
        is_long = size is None or size > self._sizes.first
        with self._tenancy.for_writing(name, is_long=is_long) as place:
            written = Write(place, self._sizes, self._single).run(chunks, size)
            return Written(place.location, written)

    def read(self, location: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return the bytes of the object, which are requested at the call."""
        place = self._place(location)

        def request(start: int, end: int | None) -> Reading:
            reading = Reading(place, start, None if end is None else end - start, self._retries, self._version)
            reading.open()
            return reading

        return open_ranges(request, offset, length, RangeMemory(self._buffers, self._ranges))

    def size(self, location: str) -> int:
        """Return the size of the object, for a manifest that of all segments."""
        return size_of(self._place(location), self._version)

    def _place(self, location: str) -> Place:
        """Return the place to read ``location`` from; for data of a user with the account of the store."""
        found = self._user_objects.place(location) if self._version and self._user_objects is not None else None
        return found or self._tenancy.for_reading(location)

    def delete(self, location: str) -> None:
        """Remove the object and its segments; segments of others, which a manifest may name, stay."""
        place = self._tenancy.for_change(location)
        was_there = place.remove_data()
        self._tenancy.removed(place)
        if not was_there:
            raise errors.NotFound(location=location)

    def discard(self, name: str) -> None:
        """Remove the object, its claim and the segments of all writes under ``name``."""
        check_name(name)
        place = self._tenancy.named(name)
        place.remove_data()
        self._tenancy.removed(place)

    def names(self) -> Iterable[str] | None:
        """Return the names of all objects in the containers of the store; None if the store is multi-tenant."""
        return self._tenancy.names()

    def list_objects(self) -> Iterator[StoredObject]:
        """Yield the objects in the containers of the store, segments left out, if the store is single-tenant."""
        if not isinstance(self._tenancy, SingleTenant):
            raise errors.StoreListNotSupported()
        return self._tenancy.objects()

    def set_acl(self, location: str, public: bool, readers: Sequence[str]) -> None:
        """Replace the access list of the image's container, if the store is multi-tenant."""
        if not isinstance(self._tenancy, MultiTenant):
            raise errors.StoreAclNotSupported()
        self._tenancy.set_acl(location, public, readers)

    def presigned_url(self, location: str, seconds: int) -> str | None:
        """Return a temporary URL for an object in the account of the store; None for others, and without a key."""
        if self._temp_urls is None:
            return None
        place = self._tenancy.for_reading(location)
        return self._temp_urls.url(place, seconds) if place.account is self._tenancy.probed() else None

    def properties(self) -> Mapping[str, object]:
        """Return the container and the sizes of large objects and of their segments in bytes."""
        return {
            "container": self._container,
            "large_object_size": self._single,
            "large_object_chunk_size": self._sizes.first,
        }

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class _Anonymous:
    """The root of a Swift, for requests that need no token."""

    def __init__(self, storage_url: str) -> None:
        self._storage_url = storage_url

    @property
    def storage_url(self) -> str:
        """Return the URL."""
        return self._storage_url

    def token(self) -> str:
        """Return no token."""
        return ""

    def renew(self) -> bool:
        """Return False."""
        return False


def _temp_urls(settings: SimpleNamespace) -> TempUrls | None:
    key: str | None = settings.swift_store_temp_url_key
    public: str | None = settings.swift_store_public_url
    if not key:
        return None
    if settings.swift_store_multi_tenant:
        reason = "every account of a multi-tenant store would need it; such a store has no direct downloads"
        raise errors.BadStoreConfiguration(option="swift_store_temp_url_key", reason=reason)
    if public and not _ORIGIN.fullmatch(public):
        reason = "it must be http or https and a host, perhaps with a port, and without a path"
        raise errors.BadStoreConfiguration(option="swift_store_public_url", reason=reason)
    return TempUrls(key, public.rstrip("/") if public else None)


def _user_objects(client: Client, tenancy: Tenancy) -> UserObjects:
    own = tenancy.probed()
    if not isinstance(own, AuthenticatedAccount) or own.is_tempauth:
        reason = "it needs an account of Keystone (version 3) for the store"
        raise errors.BadStoreConfiguration(option="swift_store_user_locations", reason=reason)
    return UserObjects(client, own)


def _single_tenant(settings: SimpleNamespace, libraries: Libraries, client: Client, auth: AuthSettings) -> Tenancy:
    default = settings.default_swift_reference
    if settings.swift_store_config_file:
        references = read_references(settings.swift_store_config_file)
    elif (own := from_options(settings)) is not None:
        references = {default: own}
    else:
        raise errors.BadStoreConfiguration(option="swift_store_config_file", reason="a single-tenant store needs one")
    if default not in references:
        reason = f"{settings.swift_store_config_file} has no section {default}"
        raise errors.BadStoreConfiguration(option="default_swift_reference", reason=reason)
    containers = Containers(
        settings.swift_store_container,
        settings.swift_store_multiple_containers_seed,
        settings.swift_store_create_container_on_put,
    )
    return SingleTenant(client, libraries, auth, references, default, containers)


def _multi_tenant(settings: SimpleNamespace, libraries: Libraries, client: Client, auth: AuthSettings) -> Tenancy:
    if settings.swift_store_config_file:
        reason = "a multi-tenant store has no references; unset it or swift_store_multi_tenant"
        raise errors.BadStoreConfiguration(option="swift_store_config_file", reason=reason)
    credentials = from_options(settings)
    if credentials is not None and credentials.version == 1:
        reason = "a multi-tenant store needs Keystone (version 3)"
        raise errors.BadStoreConfiguration(option="swift_store_auth_version", reason=reason)
    own = trusts = None
    if credentials is not None:
        own = AuthenticatedAccount(libraries, credentials, auth)
        if settings.swift_store_use_trusts and credentials.application_id is None:
            trusts = Trusts(libraries, credentials, auth, own)
    return MultiTenant(client, auth, settings.swift_store_container, own, settings.swift_store_admin_tenants, trusts)
