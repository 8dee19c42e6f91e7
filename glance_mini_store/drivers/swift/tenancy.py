"""Which account, container and token a name or a location stands for."""

import abc
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Self

from glance_mini_store import errors
from glance_mini_store.caller import Caller
from glance_mini_store.drivers.swift.accounts import Account
from glance_mini_store.drivers.swift.objects import Place
from glance_mini_store.locations.base import bad_uri
from glance_mini_store.locations.swift import SwiftLocation


class Tenancy(abc.ABC):
    """Where data is: in one account (``SingleTenant``) or in the accounts of the projects (``MultiTenant``)."""

    @abc.abstractmethod
    def for_caller(self, caller: Caller) -> Self:
        """Return this tenancy for the data and with the token of ``caller``."""

    @abc.abstractmethod
    def probed(self) -> Account | None:
        """Return the account whose state tells whether Swift works, None if there are no credentials for one."""

    @abc.abstractmethod
    def for_writing(self, name: str, *, is_long: bool) -> AbstractContextManager[Place]:
        """Yield the place of new data, in a container that exists; what was made for a failed write is removed.

        ``is_long``: the write may outlive the token of a user. Raises StorageWriteDenied, RemoteServiceUnavailable.
        """

    @abc.abstractmethod
    def named(self, name: str) -> Place:
        """Return the place where a write under ``name`` may have left data."""

    @abc.abstractmethod
    def for_reading(self, location: str) -> Place:
        """Return the place of ``location``. Raises BadStoreUri."""

    @abc.abstractmethod
    def for_change(self, location: str) -> Place:
        """Return the place of ``location``, whose data may be removed. Raises BadStoreUri, Forbidden."""

    @abc.abstractmethod
    def removed(self, place: Place) -> None:
        """Remove the container of ``place``, whose data is gone, if it was made for that data alone."""

    @abc.abstractmethod
    def names(self) -> Iterable[str] | None:
        """Return the names of data and of what writes have left; None if they cannot be listed."""

    @abc.abstractmethod
    def check(self) -> None:
        """Verify the containers. Raises BadStoreConfiguration, RemoteServiceUnavailable."""


def parse(location: str) -> SwiftLocation:
    """Return the parts of ``location``. Raises BadStoreUri."""
    parsed = SwiftLocation(None, None)
    parsed.parse_uri(location)
    if parsed.container in (".", "..") or parsed.obj in (".", ".."):
        bad_uri(location, "it names no object")
    return parsed


def no_credentials() -> errors.StorageWriteDenied:
    """Return the error of an access for which there is no token."""
    return errors.StorageWriteDenied(reason="there is no user's token, and the store has no credentials of its own")
