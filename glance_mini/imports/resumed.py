"""Makes the bytes of a complete upload session the data of its image: an upload like any other (api-uploads-end).

A request does it with its last byte. If it cannot, because its process died or a store does not answer, a job does.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle

from glance_mini.domain.context import Context
from glance_mini.domain.errors import (
    Conflict,
    Forbidden,
    GlanceMiniError,
    Gone,
    Invalid,
    LimitExceeded,
    NotFound,
    StatusConflict,
    TransferLost,
    UnsafeContent,
    UploadLost,
)
from glance_mini.domain.staging import STAGING_STORE
from glance_mini.domain.upload_session import UploadSession
from glance_mini.layers.stack import Stack
from glance_mini.operations.data import UploadData
from glance_mini.operations.upload_sessions import DeleteUploadSession, GetUploadSession
from glance_mini_store import errors as store_errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.lanes import Chunk
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores
from glance_mini_store.streams import FileRange, close

LOG = logging.getLogger(__name__)

REFUSALS = (
    *(Invalid, UnsafeContent, LimitExceeded, Conflict, Gone, NotFound, Forbidden),
    *(store_errors.StoreAddDisabled, store_errors.SizeLimitExceeded),
)
"""Errors that another attempt would meet again; they end the session."""


def may_pass(error: Exception) -> bool:
    """Return whether one of REFUSALS ends by itself: an upload of the image is running, or lost its lease."""
    is_saving = isinstance(error, StatusConflict) and error.values["status"] == "saving"
    return is_saving or isinstance(error, TransferLost)


class ResumedUploads:
    """Finishes upload sessions whose bytes are all there."""

    def __init__(self, domain: Stack, stores: Stores, buffers: Buffers) -> None:
        self._domain = domain
        self._stores = stores
        self._buffers = buffers

    def finish(self, context: Context, session: UploadSession) -> None:
        """Upload the staged bytes, unless somebody else has done it; one of REFUSALS ends the session.

        Raises what ``UploadData`` raises, DraftInUse while another request or job finishes it.
        """
        try:
            with self._held(context, session) as locations, self._buffers.blocks(session.size) as blocks:
                op = UploadData(
                    session.image_id,
                    chunks=self._read(locations, blocks),
                    blocks=len(blocks),
                    size=session.size,
                    store=session.store,
                    session=session,
                )
                self._domain.call(context, op)
        except REFUSALS as error:
            if self._is_finished(context, session):
                return
            if not may_pass(error):
                self._end(context, session, error)
            raise

    @contextmanager
    def _held(self, context: Context, session: UploadSession) -> Iterator[list[str]]:
        """Yield the locations of the bytes, which nobody changes meanwhile; raises DraftInUse, UploadLost."""
        parts = [self._domain.call(context, GetUploadSession(session.image_id, None, part)) for part in session.parts]
        with ExitStack() as drafts:
            locations = []
            for piece in parts or [session]:
                try:
                    locations.append(drafts.enter_context(self._staging.draft(piece.name, piece.size)).location)
                except store_errors.NotFound as error:
                    raise UploadLost() from error
            yield locations

    def _read(self, locations: Sequence[str], blocks: Sequence[memoryview]) -> Iterator[Chunk]:
        """Yield the bytes, read into ``blocks`` in turn where they are in a local file."""
        turn = cycle(blocks)
        block = next(turn)
        for location in locations:
            chunks = self._staging.read(location)
            try:
                if not isinstance(chunks, FileRange):
                    yield from chunks
                    continue
                while count := chunks.file.readinto(block):  # type: ignore[attr-defined]
                    yield block[:count]
                    # Not before: a block that is left out at the end of a file would bring others forward.
                    block = next(turn)
            finally:
                close(chunks)

    def _is_finished(self, context: Context, session: UploadSession) -> bool:
        """Return whether another request or a job was faster."""
        try:
            return self._domain.call(context, GetUploadSession(session.image_id, None, session.id)).is_finished
        except NotFound:
            return False

    @property
    def _staging(self) -> Store:
        return self._stores.get(STAGING_STORE)

    def _end(self, context: Context, session: UploadSession, error: Exception) -> None:
        LOG.info("The upload of image %s ends without data: %s", session.image_id, error)
        for session_id in (*session.parts, session.id):
            with suppress(GlanceMiniError):
                self._domain.call(context, DeleteUploadSession(session.image_id, session_id=session_id))
