"""What the service asks of its data: domain values in, domain values out.

Each method is one transaction. ``glance_mini.db.sqlalchemy`` answers on a database; a registry service may answer the
same interface over the network. Times are UTC without a zone and are given by the caller, so that a clock can be
replaced in tests. Every method may raise Unavailable when the database does not answer; all may be repeated unless
they say otherwise.
"""

from abc import abstractmethod
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from glance_mini.db.outbox_interface import TellsEvents
from glance_mini.domain.changes import ImageChanges
from glance_mini.domain.errors import NotFound
from glance_mini.domain.image import Image
from glance_mini.domain.job import Job
from glance_mini.domain.member import Member
from glance_mini.domain.query import ImageQuery, Page, Scope
from glance_mini.domain.quota import Limits
from glance_mini.domain.transfer import Deletion, PendingImage, StoredData, Transfer


class DataAccess(TellsEvents):
    """All reads and writes of the service."""

    # images

    @abstractmethod
    def get_image(self, image_id: str, scope: Scope) -> Image:
        """Return the image as ``scope`` may see it; NotFound where it does not exist, is deleted or invisible."""

    @abstractmethod
    def list_images(self, query: ImageQuery, scope: Scope) -> Page:
        """Return one page within ``scope``; Invalid where the marker is no image that ``scope`` may see.

        ``next_marker`` is set when the page is full and its limit not zero. Deleted images, where the query wants them,
        have the property ``os_glance_scrub_at``.
        """

    @abstractmethod
    def create_image(self, image: Image, limits: Limits) -> Image:
        """Insert ``image`` with its properties, tags and locations, count it for its owner, and return it.

        Duplicate where the id is or ever was used; LimitExceeded.
        """

    @abstractmethod
    def update_image(self, image_id: str, changes: ImageChanges, now: datetime, limits: Limits) -> Image:
        """Apply ``changes`` to the image as it is now, under a lock, and return it (``domain.changes.apply``).

        A location that goes becomes a pending deletion in the same transaction. NotFound, and what ``apply`` raises.
        """

    @abstractmethod
    def set_status(self, image_id: str, status: str, expect: frozenset[str], now: datetime) -> Image:
        """Move the image from one of ``expect`` to ``status`` and return it; StatusConflict, NotFound."""

    @abstractmethod
    def delete_image(self, image_id: str, now: datetime) -> Image:
        """Mark the image deleted, make its locations pending deletions, give back its quota; return it as it now is.

        Staged data becomes a pending deletion too, for the node on whose own disk it is. A transfer
        that runs loses its claim. NotFound, Forbidden (protected).
        """

    @abstractmethod
    def mark_pending_delete(self, image_id: str, now: datetime, job: Job) -> Image:
        """Delete the image so that it can be restored until ``job`` is due: ``pending_delete``, with all that it has.

        ``job`` is inserted with it. Only lists of such images show it from then on, and its quota is given back.
        NotFound, Forbidden (protected), StatusConflict.
        """

    @abstractmethod
    def get_pending(self, image_id: str, scope: Scope) -> Image:
        """Return an image that can be restored, by its own project or an administrator; NotFound."""

    @abstractmethod
    def list_pending(self, max_rows: int) -> Sequence[PendingImage]:
        """Return up to ``max_rows`` images that can be restored, those that have the least time left first."""

    @abstractmethod
    def restore_pending(self, image_id: str, now: datetime, limits: Limits) -> Image:
        """Undo ``mark_pending_delete`` and return the image in the status that it had; LimitExceeded, NotFound."""

    @abstractmethod
    def delete_pending(self, image_id: str, now: datetime, due_by: datetime | None = None) -> Image:
        """Delete an image that could be restored for good, as ``delete_image`` does, and return it.

        NotFound, also where it can be restored for longer than ``due_by``; None: however long that is.
        """

    @abstractmethod
    def undo_deletion(self, image: Image, now: datetime) -> Image:
        """Undo ``delete_image`` for the locations that are still pending; ``image`` is the image before it.

        NotFound where no pending deletion is left.
        """

    # transfers and deletions

    @abstractmethod
    def begin_transfer(self, transfer: Transfer, now: datetime, limits: Limits) -> Image:
        """Move the image from ``queued`` to ``saving``, insert ``transfer``, reserve its bytes; return the image.

        StatusConflict, NotFound, LimitExceeded; then nothing was written.
        """

    @abstractmethod
    def reserve_space(self, transfer_id: str, amount: int, limits: Limits) -> None:
        """Add ``amount`` bytes to what the transfer has reserved; LimitExceeded, Gone (the transfer does not exist)."""

    @abstractmethod
    def is_youngest_transfer(self, transfer_id: str) -> bool:
        """Tell whether no later transfer of the same project holds a reservation; Gone."""

    @abstractmethod
    def record_data(self, transfer: Transfer, data: StoredData, now: datetime) -> Image:
        """Make the image active with ``data``, turn the reservation into use, end the transfer; return the image.

        Gone where the image does not exist any more, TransferLost where the transfer has ended or is another process's.
        """

    @abstractmethod
    def abort_transfer(self, transfer: Transfer, now: datetime) -> None:
        """End the transfer, give its reservation back, put the image from ``saving`` to ``queued``; nothing if gone."""

    @abstractmethod
    def renew_leases(self, process: str, transfer_ids: Collection[str], lease_until: datetime) -> None:
        """Prolong the leases of those transfers that ``process`` still holds."""

    @abstractmethod
    def take_expired_transfers(
        self,
        process: str,
        held: Collection[str],
        now: datetime,
        lease_until: datetime,
        host: str | None = None,
    ) -> Sequence[Transfer]:
        """Return up to 100 transfers whose lease ended before ``now``, now held by ``process`` until ``lease_until``.

        ``held`` are the transfers that ``process`` itself still works on; it gets its other ones back as those of
        any process. A transfer is given to one caller only. One that writes to the own disk of another node than
        ``host`` is first left to that node; much later it is given to any, who can only free its image.
        """

    @abstractmethod
    def list_deletions(self, image_id: str) -> Sequence[Deletion]:
        """Return the pending deletions of an image, oldest first."""

    @abstractmethod
    def take_due_deletions(self, now: datetime, retry_at: datetime, host: str | None = None) -> Sequence[Deletion]:
        """Return up to 100 pending deletions due at ``now``; each comes again at ``retry_at`` unless finished.

        A deletion is given to one caller only until then; one on a node's own disk to ``host`` only.
        """

    @abstractmethod
    def hold_deletion(self, deletion_id: int, held: datetime, until: datetime) -> bool:
        """Keep a deletion that was taken until ``held`` until later; False where it is gone or another one's by now."""

    @abstractmethod
    def finish_deletion(self, deletion_id: int) -> None:
        """Forget a pending deletion; nothing where it is gone."""

    # members

    @abstractmethod
    def list_members(self, image_id: str, member_id: str | None) -> Sequence[Member]:
        """Return the members of the image, or the one named, in the order of their creation."""

    def get_member(self, image_id: str, member_id: str) -> Member:
        """Return one member of the image; NotFound."""
        found = self.list_members(image_id, member_id)
        if not found:
            raise NotFound(kind="member", id=member_id)
        return found[0]

    @abstractmethod
    def add_member(self, image_id: str, member_id: str, now: datetime, limit: int | None) -> Member:
        """Insert a pending member; Duplicate, NotFound (no such image), LimitExceeded with more than ``limit``."""

    @abstractmethod
    def update_member(self, image_id: str, member_id: str, status: str, now: datetime) -> Member:
        """Set the status of a membership and return it; NotFound."""

    @abstractmethod
    def delete_member(self, image_id: str, member_id: str, now: datetime) -> Member:
        """End a membership and return it as deleted; NotFound."""

    # operation of the service

    @abstractmethod
    def get_usage(self, project_id: str) -> dict[str, int]:
        """Return what the project uses and has reserved, by resource name (bytes and counts)."""

    @abstractmethod
    def purge(self, now: datetime, older_than: timedelta, max_rows: int) -> int:
        """Remove up to ``max_rows`` images that were deleted longer than ``older_than`` ago; return how many went.

        Their ids are never given again. An image whose data or upload is still pending stays.
        """

    @abstractmethod
    def get_total_usage(self) -> dict[str, int]:
        """Return what all projects together use and have reserved, by resource name (bytes and counts)."""

    @abstractmethod
    def ping(self) -> None:
        """Return when the database answers; Unavailable otherwise."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""
