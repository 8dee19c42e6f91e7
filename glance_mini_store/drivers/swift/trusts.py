"""Trusts of Keystone: the user of the store may act for a user until a long upload is done."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypedDict, cast

from glance_mini_store import errors
from glance_mini_store.drivers.swift.accounts import (
    Account,
    AuthenticatedAccount,
    AuthSettings,
    DelegatedAccount,
    TokenAccount,
    ask,
)
from glance_mini_store.drivers.swift.credentials import Credentials
from glance_mini_store.drivers.swift.library import Libraries

LOG = logging.getLogger(__name__)

_LONGEST = timedelta(hours=48)
"""A trust ends then, even if it could not be removed."""


class _Identified(TypedDict):
    id: str


class _Facts(TypedDict):
    """What Keystone tells of a token."""

    user: _Identified
    project: _Identified
    roles: list[_Identified]


class Trusts:
    """Makes trusts for ``trustee``, which authenticates with the user and the key in ``credentials``."""

    def __init__(
        self, libraries: Libraries, credentials: Credentials, settings: AuthSettings, trustee: AuthenticatedAccount
    ) -> None:
        self._libraries = libraries
        self._credentials = credentials
        self._settings = settings
        self._trustee = trustee
        address = credentials.address.rstrip("/")
        self._keystone = address if address.endswith("/v3") else f"{address}/v3"

    @contextmanager
    def account(self, owner: TokenAccount) -> Iterator[Account]:
        """Yield the account of ``owner`` with tokens that are renewed by a trust, which is removed at the end.

        If the trust cannot be made, it is ``owner``: the upload then lasts as long as the token of the user.
        """
        try:
            trust_id = self._make(owner.token())
        except errors.StoreError as error:
            LOG.warning("An upload goes on without a trust, with the token of its user: %s", error)
            yield owner
            return
        trusted = AuthenticatedAccount(self._libraries, self._credentials, self._settings, trust_id)
        try:
            yield DelegatedAccount(owner.storage_url, trusted)
        finally:
            self._remove(trust_id, trusted)

    def _make(self, token: str) -> str:
        """Return the id of a new trust with all roles that ``token`` has. Raises RemoteServiceUnavailable."""
        answer = self._call("GET", "/auth/tokens", token, subject=token)
        facts = cast(dict[str, _Facts], answer)["token"]
        trust = {
            "trustor_user_id": facts["user"]["id"],
            "trustee_user_id": self._trustee.access().user_id,
            "project_id": facts["project"]["id"],
            "impersonation": True,
            "roles": [{"id": role["id"]} for role in facts["roles"]],
            "expires_at": (datetime.now(UTC) + _LONGEST).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        made = self._call("POST", "/OS-TRUST/trusts", token, body={"trust": trust})
        return cast(dict[str, _Identified], made)["trust"]["id"]

    def _remove(self, trust_id: str, trusted: AuthenticatedAccount) -> None:
        try:
            self._call("DELETE", f"/OS-TRUST/trusts/{trust_id}", trusted.token())
        except errors.StoreError as error:
            LOG.warning("The trust of an upload stays in Keystone until it expires: %s", error)

    def _call(
        self, method: str, path: str, token: str, *, subject: str | None = None, body: dict[str, object] | None = None
    ) -> object:
        headers = {"X-Auth-Token": token}
        if subject is not None:
            headers["X-Subject-Token"] = subject
        answer = ask(
            self._libraries,
            self._settings,
            lambda: self._trustee.session.request(
                f"{self._keystone}{path}", method, headers=headers, json=body, authenticated=False, log=False
            ),
        )
        return answer.json() if method != "DELETE" else None
