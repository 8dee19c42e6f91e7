"""Makes images and jobs of this service from the rows of a Glance database; says what cannot be taken over, and why.

No reason holds a location, because that may hold credentials.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from glance_mini.db.sqlalchemy.dynamic import AnyRow, RowValues
from glance_mini.domain.bases import DELTA_KEY, DISK_KEY
from glance_mini.domain.fields import with_fields
from glance_mini.domain.image import ADDED_BY, NO_PROPERTIES, OPERATOR, PLAIN_FIELDS, Image, Location
from glance_mini.domain.imports import IMPORTING_PROPERTY, TASK_PROPERTY
from glance_mini.domain.job import FAILURE, FINISHED, PENDING, PROCESSING, TASK_KINDS, Job
from glance_mini.domain.member import MEMBER_STATUSES, Member
from glance_mini.domain.migration import BuriedId, ImageRecord
from glance_mini.domain.status import IN_TRANSFER, PENDING_DELETE, STATUSES
from glance_mini.migration.encryption import LocationCipher
from glance_mini.migration.glance_rows import GlanceImage
from glance_mini.migration.glance_tables import images as image_table
from glance_mini.migration.remarks import AddRemark, Remark
from glance_mini_store.errors import StoreError
from glance_mini_store.stores import Stores

OF_A_RUN = frozenset({TASK_PROPERTY, IMPORTING_PROPERTY, "os_glance_stage_host", "os_glance_hash_op_host"})
"""Properties of a running import, which ends with the service that runs it."""

FORMER_STORE_KEY = "backend"
"""The key of the store in metadata that old releases wrote."""

ID_LENGTH = 36

_NAME_LENGTH = 255
_LENGTHS: Mapping[str, int] = {
    name: length for name in PLAIN_FIELDS if (length := getattr(image_table.c[name].type, "length", None)) is not None
}
_DELETION_TAKES = timedelta(seconds=60)
"""At most so long before an image in the trash its parts are deleted."""

_ACTIVE = "active"
_OF_DATA = ("size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value")


class LeftOut(Exception):
    """Something cannot be taken over; the text says why."""


@dataclass(frozen=True)
class Conversion:
    """How rows become domain values.

    ``stores`` are those of this service; ``trust_locations``: an operator vouches for all hosts in ``http`` locations.
    An image in the trash can be restored for ``scrub_after`` its deletion; an ended task without a time of expiry lasts
    for ``task_lifetime``.
    """

    stores: Stores
    add_remark: AddRemark
    cipher: LocationCipher | None = None
    trust_locations: bool = False
    scrub_after: timedelta = timedelta(0)
    task_lifetime: timedelta = timedelta(hours=48)

    def image(self, found: GlanceImage) -> ImageRecord | None:
        """Return the image, None if it cannot be taken over."""
        try:
            return self._record(found)
        except LeftOut as error:
            self.add_remark(Remark("image", found.row.id, str(error), is_left_out=True))
            return None

    def job(self, row: AnyRow, now: datetime) -> Job | None:
        """Return the record of a task, None if it cannot be taken over or has expired ``now``."""
        try:
            return self._job(row, now)
        except LeftOut as error:
            self.add_remark(Remark("task", row.id, str(error), is_left_out=True))
            return None

    def buried(self, row: AnyRow) -> BuriedId | None:
        """Return the id of a deleted image, None if it is no id of ours."""
        if len(row.id) > ID_LENGTH or "\0" in row.id:
            self.add_remark(Remark("deleted image", row.id[:50], "its id is too long", is_left_out=True))
            return None
        return BuriedId(row.id, row.deleted_at or row.updated_at)

    def _record(self, found: GlanceImage) -> ImageRecord:
        row = found.row
        status = row.status
        if status not in STATUSES:
            raise LeftOut(f"its status '{status}' is unknown")
        for name, length in _LENGTHS.items():
            _check_text(name, getattr(row, name), length)
        is_in_trash = status == PENDING_DELETE
        locations = self._locations(found, is_in_trash=is_in_trash)
        properties, gone = self._properties(found)
        changed_at = row.updated_at or row.created_at
        deleted_at = (row.deleted_at or changed_at) if is_in_trash else None
        plain: RowValues = [getattr(row, name) for name in PLAIN_FIELDS]
        fields: RowValues = (*plain, _tags(found), properties, locations, deleted_at)
        image = with_fields(Image(*fields), updated_at=changed_at)
        if status in IN_TRANSFER:
            image = without_data(image)
            self._remark(row.id, f"it was {status}; it is queued now, and its data must be uploaded or imported again")
        elif gone:
            self._remark(row.id, "an import or copy was running; stores that it had not reached are missing")
        scrub_at = deleted_at + self.scrub_after if deleted_at else None
        return ImageRecord(image, self._members(found), scrub_at)

    def _locations(self, found: GlanceImage, *, is_in_trash: bool) -> tuple[Location, ...]:
        wanted = {_ACTIVE, PENDING_DELETE} if is_in_trash else {_ACTIVE}
        taken = []
        for row in found.locations:
            if row.status not in wanted or (row.deleted and not is_in_trash):
                if row.status == PENDING_DELETE:
                    self._remark(
                        row.image_id, "data of a location that was removed from it waits for Glance's scrubber"
                    )
                continue
            url = self._url(row)
            _check_text("location", url)
            taken.append(Location(url, self._metadata(row, url)))
        return tuple(taken)

    def _url(self, row: AnyRow) -> str:
        stored: str = row.value
        if self.cipher is not None and (url := self.cipher.decrypt(stored)) is not None:
            return url
        # Locations that are older than the key are plain.
        if "://" not in stored:
            raise LeftOut("a location cannot be read; metadata_encryption_key is missing or is another one")
        return stored

    def _metadata(self, row: AnyRow, url: str) -> dict[str, object]:
        metadata = dict(_loads(row.meta_data, "metadata of a location"))
        for key in (DELTA_KEY, DISK_KEY):
            metadata.pop(key, None)
        named = metadata.get("store") or metadata.pop(FORMER_STORE_KEY, None)
        try:
            metadata["store"] = self.stores.for_location(url, str(named) if named else None).id
        except StoreError:
            if named:
                metadata["store"] = named
            name = f"the store '{named}'" if named else "a store with the address"
            self._remark(row.image_id, f"{name} of a location is not configured here")
        if self.trust_locations and url.startswith(("http://", "https://")):
            metadata[ADDED_BY] = OPERATOR
        return metadata

    def _properties(self, found: GlanceImage) -> tuple[Mapping[str, str | None], bool]:
        """Return the properties, and whether some of a running import were left out."""
        taken: dict[str, str | None] = {}
        is_running = False
        for row in found.properties:
            if row.name in OF_A_RUN:
                is_running = is_running or bool(row.value)
                continue
            if not _is_part(row, found.row):
                continue
            _check_text("name of a property", row.name, _NAME_LENGTH)
            _check_text(f"property {row.name}", row.value)
            taken[row.name] = row.value
        return taken or NO_PROPERTIES, is_running

    def _members(self, found: GlanceImage) -> tuple[Member, ...]:
        """Return the newest state of each membership."""
        states: dict[str, Member] = {}
        for row in sorted(found.members, key=lambda row: (not row.deleted, row.id)):
            if row.status not in MEMBER_STATUSES:
                reason = f"the membership of {row.member} has the unknown status '{row.status}'"
                self.add_remark(Remark("member", row.image_id, reason, is_left_out=True))
                continue
            _check_text("id of a member", row.member, _NAME_LENGTH)
            changed_at = row.updated_at or row.created_at
            ended_at = None if _is_part(row, found.row) else row.deleted_at or changed_at
            states[row.member] = Member(row.image_id, row.member, row.status, row.created_at, changed_at, ended_at)
        return tuple(states.values())

    def _job(self, row: AnyRow, now: datetime) -> Job | None:
        if row.type not in TASK_KINDS:
            raise LeftOut(f"its type '{row.type}' is unknown")
        if row.status not in (PENDING, PROCESSING, *FINISHED):
            raise LeftOut(f"its status '{row.status}' is unknown")
        changed_at = row.updated_at or row.created_at
        expires_at = row.expires_at or changed_at + self.task_lifetime
        if expires_at <= now:
            return None
        is_ended = row.status in FINISHED
        result = _loads(row.result, "result") if row.result else None
        message: str = row.message or ""
        if not is_ended:
            message = "The task had not ended when it was taken over from another service."
            self.add_remark(Remark("task", row.id, f"it was {row.status}; it is recorded as a failure"))
        job = Job(
            id=row.id,
            kind=row.type,
            created_at=row.created_at,
            updated_at=changed_at,
            due_at=row.created_at,
            image_id=row.image_id,
            project_id=row.owner,
            user_id=row.user_id,
            request_id=row.request_id,
            input=_loads(row.input, "input"),
            state=row.status if is_ended else FAILURE,
            result=result,
            message=message,
            expires_at=expires_at,
        )
        for text in (job.id, job.message, row.input, row.result, job.project_id, job.user_id, job.request_id):
            _check_text("text", text)
        return job

    def _remark(self, image_id: str, reason: str) -> None:
        self.add_remark(Remark("image", image_id, reason))


def without_data(image: Image) -> Image:
    """Return ``image`` as queued, without what its data has given it."""
    return with_fields(image, status="queued", locations=(), **dict.fromkeys(_OF_DATA))


def _is_part(row: AnyRow, image: AnyRow) -> bool:
    """Return whether ``row`` is part of ``image``: it is not deleted, or it was deleted together with the image."""
    if not row.deleted:
        return True
    if image.status != PENDING_DELETE or None in (row.deleted_at, image.deleted_at):
        return False
    is_together: bool = row.deleted_at >= image.deleted_at - _DELETION_TAKES
    return is_together


def _tags(found: GlanceImage) -> tuple[str, ...]:
    values = dict.fromkeys(row.value for row in found.tags if _is_part(row, found.row))
    for value in values:
        _check_text("tag", value, _NAME_LENGTH)
    return tuple(values)


def _loads(text: str | None, name: str) -> Mapping[str, object]:
    try:
        value = json.loads(text) if text else {}
    except ValueError as error:
        raise LeftOut(f"its {name} is not JSON") from error
    if not isinstance(value, dict):
        raise LeftOut(f"its {name} is not a JSON object")
    return value


def _check_text(name: str, text: str | None, length: int | None = None) -> None:
    """Raise LeftOut for a text that no column of ours can hold."""
    if text is None:
        return
    if length is not None and len(text) > length:
        raise LeftOut(f"its {name} is longer than {length} characters")
    if "\0" in text:
        raise LeftOut(f"its {name} has a character that cannot be stored")
