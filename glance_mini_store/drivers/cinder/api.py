"""Requests to Cinder for one project, and its answers as errors of this package."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from glance_mini_store import errors
from glance_mini_store.drivers.cinder.accounts import Account, translated
from glance_mini_store.drivers.cinder.library import Libraries
from glance_mini_store.drivers.cinder.volume import WRITE, Marks, Volume, volume_name

_PAGE = 200
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
_SHOWN = 200

MOVING = frozenset({"creating", "extending", "attaching", "detaching"})
"""States of a volume that end by themselves."""


class Refused(errors.RemoteServiceUnavailable):
    """Cinder does not do this to the volume in the state that it has."""

    template = "Cinder refuses: {reason}"


@dataclass(frozen=True)
class Attachment:
    """An attachment; ``info`` tells how to connect to the volume."""

    id: str
    info: Mapping[str, object]


class Cinder:
    """Requests as ``account``; ``patience`` is how many seconds a volume may take to get into another state.

    All methods raise StoreError; unless they say otherwise RemoteServiceUnavailable, and Forbidden or
    StorageWriteDenied.
    """

    def __init__(self, libraries: Libraries, account: Account, patience: int) -> None:
        self._libraries = libraries
        self._account = account
        self._patience = patience

    def project_id(self) -> str | None:
        """Return the project, None if it is unknown."""
        return self._account.project_id()

    def find(self, volume_id: str, location: str) -> Volume:
        """Return the volume. Raises NotFound, and Forbidden for one of another project."""
        with self._translated(location):
            volume = Volume.parse(self._account.client().volumes.get(volume_id).to_dict())
        mine = self.project_id()
        if volume.project_id is not None and mine is not None and volume.project_id != mine:
            raise errors.Forbidden(location=location)
        return volume

    def named(self, name: str, location: str) -> list[Volume]:
        """Return the volumes of the project that Cinder knows by the name for ``name``."""
        wanted = volume_name(name)
        with self._translated(location):
            told = self._account.client().volumes.list(search_opts={"name": wanted})
        return [volume for volume in (Volume.parse(each.to_dict()) for each in told) if volume.name == wanted]

    def all(self, location: str) -> Iterator[Volume]:
        """Yield all volumes of the project."""
        marker: str | None = None
        while True:
            with self._translated(location):
                told = self._account.client().volumes.list(search_opts={}, marker=marker, limit=_PAGE)
            if not told:
                return
            for each in told:
                volume = Volume.parse(each.to_dict())
                marker = volume.id
                yield volume

    def create(self, marks: Marks, gib: int, volume_type: str | None, location: str) -> Volume:
        """Begin to create a volume and return it. Raises StorageFull for a quota.

        If the answer is lost, it is looked for by its marks.
        """
        client = self._account.client(repeats=False)
        try:
            with self._translated(location, writing=True):
                made = client.volumes.create(
                    gib,
                    name=marks.volume_name,
                    description="Data of an image",
                    volume_type=volume_type,
                    metadata=marks.new(),
                )
            return Volume.parse(made.to_dict())
        except errors.RemoteServiceUnavailable:
            for volume in self.named(marks.name, location):
                if volume.metadata.get(WRITE) == marks.write:
                    return volume
            raise

    def set_metadata(self, volume_id: str, values: Mapping[str, str], location: str) -> None:
        """Set keys of the metadata."""
        with self._translated(location, writing=True):
            self._account.client().volumes.set_metadata(volume_id, values)

    def extend(self, volume_id: str, gib: int, location: str) -> None:
        """Extend the volume, which is as large when this returns. Raises StorageFull for a quota."""
        with self._translated(location, writing=True):
            self._account.client(repeats=False).volumes.extend(volume_id, gib)
        volume = self.settled(volume_id, location, lambda volume: volume.gib >= gib or "error" in volume.status)
        if volume.gib < gib or "error" in volume.status:
            raise self._failed(volume)

    def delete(self, volume_id: str, location: str) -> None:
        """Delete the volume, which is gone when this returns; one that is gone already is no error.

        Raises Refused if Cinder refuses it, and InUseByStore if it gives up.
        """
        try:
            with self._translated(location, writing=True):
                self._account.client().volumes.delete(volume_id)
            volume = self._wait(volume_id, location, lambda volume: volume.status != "deleting")
        except errors.NotFound:
            return
        if volume.status == "available":
            raise errors.InUseByStore(location=location)
        raise self._failed(volume)

    def has_snapshots(self, volume_id: str, location: str) -> bool:
        """Return whether the volume has snapshots."""
        with self._translated(location):
            client = self._account.client()
            return bool(client.volume_snapshots.list(detailed=False, search_opts={"volume_id": volume_id}))

    def attach(self, volume_id: str, connector: Mapping[str, object], mode: str, location: str) -> Attachment:
        """Attach the volume to a host; ``mode`` is ``rw`` or ``ro``. Raises Refused if others have it attached."""
        with self._translated(location):
            client = self._account.client(repeats=False)
            told = client.attachments.create(volume_id, connector, mode=mode)
        return Attachment(told["id"], told["connection_info"])

    def complete(self, attachment_id: str, location: str) -> None:
        """Tell that the host is connected."""
        with self._translated(location):
            self._account.client(repeats=False).attachments.complete(attachment_id)

    def detach(self, attachment_id: str, location: str) -> None:
        """End an attachment; one that is gone already is no error."""
        try:
            with self._translated(location):
                self._account.client().attachments.delete(attachment_id)
        except errors.NotFound:
            return

    def attachment_ids(self, volume_id: str, location: str) -> list[str]:
        """Return the attachments of the volume, also those that are not complete."""
        with self._translated(location):
            client = self._account.client()
            told = client.attachments.list(detailed=False, search_opts={"volume_id": volume_id})
        return [each.to_dict()["id"] for each in told]

    def has_type(self, volume_type: str) -> bool:
        """Return whether the project may use a volume type with this name or id."""
        with self._translated("cinder://"):
            told = [each.to_dict() for each in self._account.client().volume_types.list()]
        return any(volume_type in (each["id"], each["name"]) for each in told)

    def free(self) -> int | None:
        """Return the GiB that the quota of the project leaves, None without one."""
        with self._translated("cinder://"):
            told = self._account.client().limits.get().to_dict()["absolute"]
        largest = told.get("maxTotalVolumeGigabytes", -1)
        return None if largest < 0 else max(0, largest - told.get("totalGigabytesUsed", 0))

    def settled(
        self, volume_id: str, location: str, is_wanted: Callable[[Volume], bool] = lambda volume: True
    ) -> Volume:
        """Return the volume when it is in a state that lasts and is wanted. Raises NotFound."""
        return self._wait(volume_id, location, lambda volume: volume.status not in MOVING and is_wanted(volume))

    def available(self, volume_id: str, location: str) -> Volume:
        """Return the volume when it can be attached. Raises RemoteServiceUnavailable if it cannot."""
        volume = self.settled(volume_id, location)
        if volume.status != "available":
            raise self._failed(volume)
        return volume

    def _wait(self, volume_id: str, location: str, is_wanted: Callable[[Volume], bool]) -> Volume:
        deadline = time.monotonic() + self._patience
        pause = _FIRST_PAUSE
        while True:
            volume = self.find(volume_id, location)
            if is_wanted(volume):
                return volume
            if time.monotonic() >= deadline:
                reason = f"the volume {volume_id} is still {volume.status} after {self._patience} seconds"
                raise errors.RemoteServiceUnavailable(reason=reason)
            time.sleep(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE)

    def _failed(self, volume: Volume) -> errors.RemoteServiceUnavailable:
        """Return the error for a volume that got into a wrong state, with what Cinder says of it."""
        said = ""
        try:
            with self._translated(volume.id):
                told = self._account.client().messages.list(search_opts={"resource_uuid": volume.id})
            said = "".join(f"; {_short(each.to_dict().get('user_message', ''))}" for each in told[:1])
        except errors.StoreError:
            # The state alone has to do.
            pass
        return errors.RemoteServiceUnavailable(reason=f"the volume {volume.id} is in the state {volume.status}{said}")

    @contextmanager
    def _translated(self, location: str, *, writing: bool = False) -> Iterator[None]:
        with translated(self._libraries):
            try:
                yield
            except self._libraries.http_failure as error:
                raise _answer(error, location, writing=writing) from error


def _answer(error: Exception, location: str, *, writing: bool) -> errors.StoreError:
    status = getattr(error, "code", None)
    said = _short(str(getattr(error, "message", "") or ""))
    if status == 404:
        return errors.NotFound(location=location)
    if status == 413:
        return errors.StorageFull(reason=f"Cinder says: {said}")
    if status in (401, 403):
        if writing:
            return errors.StorageWriteDenied(reason=f"Cinder answers {status}")
        return errors.Forbidden(location=location)
    if status in (400, 409):
        return Refused(reason=said)
    if status == 406:
        return errors.RemoteServiceUnavailable(reason="Cinder is older than Rocky")
    return errors.RemoteServiceUnavailable(reason=f"Cinder answers {status}")


def _short(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:_SHOWN])
