"""Receives uploads that may break off and go on (api-uploads).

What was sent lies in the staging area, and a row says how much of it is durable. Bytes that are there and not in the
row are sent again. Once all are there, ``imports.resumed`` uploads them as any other data.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol, Self

from oslo_config import cfg

from glance_mini.domain.context import Context
from glance_mini.domain.errors import (
    ChecksumMismatch,
    Forbidden,
    GlanceMiniError,
    Invalid,
    NotFound,
    OffsetConflict,
    Unavailable,
    UploadLost,
    UploadSessionNotFound,
)
from glance_mini.domain.staging import STAGING_STORE
from glance_mini.domain.status import check_transition
from glance_mini.domain.upload_session import JOINED, PART, WHOLE, UploadSession, new_session, transfer_of
from glance_mini.layers.base import Handler
from glance_mini.metrics import Metrics
from glance_mini.operations.records import AbortTransfer
from glance_mini.operations.upload_sessions import (
    AddUploadSession,
    DeleteUploadSession,
    ExtendUploadSession,
    GetUploadSession,
    SaveUpload,
)
from glance_mini_store import capabilities
from glance_mini_store import errors as store_errors
from glance_mini_store.driver import Draft
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores

LOG = logging.getLogger(__name__)

STEP = 16 * 1024 * 1024
"""How many bytes arrive before they are made durable; after a crash so many, at most, are sent again."""

CHECKSUMS = ("md5", "sha1", "sha256", "sha512")
"""The algorithms by which a client may protect what it sends."""

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SessionRules:
    """The configuration of upload sessions.

    ``lifetime``: how long a session lives after its last byte. ``grace``: after which time a job finishes an upload
    that nobody finishes. ``keep_free``: bytes of the disk that stay free.
    """

    lifetime: timedelta = timedelta(days=2)
    grace: timedelta = timedelta(minutes=2)
    keep_free: int = 0

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Self:
        """Return the rules that ``conf`` describes."""
        lease = timedelta(seconds=conf.transfers.lease_seconds)
        lifetime = timedelta(seconds=conf.uploads.expire_seconds)
        return cls(lifetime, 2 * lease, conf.uploads.keep_free_mib * MIB)


class UploadSessions:
    """Begins, extends and ends upload sessions for the layer that passes its ``below``.

    ``node_url`` is the URL of this node, None if all nodes share the staging area.
    """

    def __init__(
        self, below: Handler, stores: Stores, metrics: Metrics, rules: SessionRules, node_url: str | None
    ) -> None:
        self._below = below
        self._stores = stores
        self._metrics = metrics
        self._rules = rules
        self._node_url = node_url

    def add(self, context: Context, op: AddUploadSession, choose: Callable[[str | None], Store]) -> UploadSession:
        """Begin a session; the store that ``choose`` returns must take data."""
        staging = self._staging()
        store = choose(op.store)
        if store.read_only:
            refusal = store_errors.StoreAddDisabled()
            refusal.store = store.id
            raise refusal
        check_transition(op.target, "saving")
        session = new_session(
            context,
            op.image_id,
            op.size,
            kind=JOINED if op.parts else PART if op.is_part else WHOLE,
            store=op.store,
            metadata=op.metadata,
            parts=op.parts,
            node_url=self._node_url,
        )
        free = staging.probe()
        room = None if free is None else max(free - self._rules.keep_free, 0)
        limits = replace(op.session_limits, room=None if op.parts else room)
        lifetime, grace = self._rules.lifetime, self._rules.grace
        return self._below(context, replace(op, session=session, lifetime=lifetime, grace=grace, session_limits=limits))

    def extend(self, context: Context, op: ExtendUploadSession) -> UploadSession:
        """Write what arrives behind what was sent before, and record how much of it is durable."""
        staging = self._staging()
        session = self._below(context, GetUploadSession(op.image_id, None, op.session_id))
        if session.kind == JOINED:
            raise Forbidden(reason="This upload joins others; nothing is sent to it.")
        _check_place(session, op)
        if session.is_finished:
            return session
        if session.node_url not in (None, self._node_url):
            raise Unavailable(reason="What was sent before is on another node.")
        with _found(), staging.draft(session.name, op.offset) as draft:
            # Until the draft was ours, another request may have gone on.
            session = self._below(context, GetUploadSession(op.image_id, None, op.session_id))
            _check_place(session, op)
            check_transition(op.target, "saving")
            receiver = _Receiver(op, session, draft, lambda before, now: self._save(context, op, before, now))
            with self._metrics.transfers.labels("in").track_inprogress():
                try:
                    return receiver.receive()
                except UploadSessionNotFound:
                    # The session has ended meanwhile, perhaps before this request has made the draft.
                    staging.discard(session.name)
                    raise
                finally:
                    self._metrics.bytes_received.inc(receiver.position - op.offset)

    def delete(self, context: Context, op: DeleteUploadSession) -> UploadSession:
        """End a session and remove what was sent; the reaper does it if that is not possible now."""
        ended = self._below(context, op)
        if ended.kind != JOINED and not ended.is_finished:
            self.clear(context, ended, op.target.owner)
        return ended

    def clear(self, context: Context, session: UploadSession, owner: str | None) -> None:
        """Remove the bytes of a session of an image of the project ``owner``, and then their transfers."""
        if session.node_url not in (None, self._node_url):
            return
        for piece in session.pieces:
            transfer = transfer_of(session.image_id, piece, owner)
            try:
                self._staging().discard(transfer.name)
                self._below(context, AbortTransfer(transfer))
            except (store_errors.StoreError, GlanceMiniError) as error:
                LOG.warning("What was sent for image %s is left to the reaper: %s", session.image_id, error)

    def _save(self, context: Context, op: ExtendUploadSession, before: int, received: int) -> UploadSession:
        rules = self._rules
        call = SaveUpload(op.image_id, op.session_id, before, received, rules.lifetime, rules.grace)
        return self._below(context, call)

    def _staging(self) -> Store:
        """Return the staging area; raises NotFound if there is none whose driver has drafts."""
        with suppress(store_errors.UnknownStore):
            store = self._stores.get(STAGING_STORE)
            if capabilities.DRAFT in store.driver.capabilities:
                return store
        raise NotFound(kind="staging area for uploads that go on", id=STAGING_STORE)


class _Save(Protocol):
    def __call__(self, before: int, received: int, /) -> UploadSession: ...


class _Receiver:
    """Writes the chunks of ``op`` to ``draft``; ``position`` is the end of what was written."""

    def __init__(self, op: ExtendUploadSession, session: UploadSession, draft: Draft, save: _Save) -> None:
        self.position = op.offset
        self._op = op
        self._session = session
        self._draft = draft
        self._save = save
        self._algorithm, self._digest = op.checksum or ("", b"")

    def receive(self) -> UploadSession:
        """Return the session after all chunks; what has arrived is kept if they break off, unless it has a checksum."""
        digest = hashlib.new(self._algorithm, usedforsecurity=False) if self._algorithm else None
        try:
            for chunk in self._op.chunks:
                if self.position + len(chunk) > self._session.size:
                    raise _too_long(self._session)
                self._draft.write(chunk)
                self.position += len(chunk)
                if digest is not None:
                    digest.update(chunk)
                elif self.position - self._session.received >= STEP:
                    self._keep()
        except UploadSessionNotFound:
            raise
        except Exception:
            if digest is None:
                self._keep_what_arrived()
            raise
        if digest is not None and digest.digest() != self._digest:
            raise ChecksumMismatch(algorithm=self._algorithm)
        self._keep()
        return self._session

    def _keep(self) -> None:
        self._draft.sync()
        self._session = self._save(self._session.received, self.position)

    def _keep_what_arrived(self) -> None:
        """Keep it if that is still possible: another error is on its way already."""
        try:
            self._keep()
        except (store_errors.StoreError, GlanceMiniError) as error:
            LOG.info("The end of what arrived for image %s is not kept: %s", self._op.image_id, error)


def _check_place(session: UploadSession, op: ExtendUploadSession) -> None:
    if op.offset != session.received:
        raise OffsetConflict(offset=op.offset, expected=session.received)
    if op.size is not None and op.offset + op.size > session.size:
        raise _too_long(session)


def _too_long(session: UploadSession) -> Invalid:
    return Invalid(reason=f"The upload was announced with {session.size} bytes, and more are sent.")


@contextmanager
def _found() -> Iterator[None]:
    """Raise UploadLost in place of NotFound of the store: bytes that were recorded are no longer there."""
    try:
        yield
    except store_errors.NotFound as error:
        raise UploadLost() from error
