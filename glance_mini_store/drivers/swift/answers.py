"""Turns statuses of Swift into errors."""

from glance_mini_store import errors
from glance_mini_store.drivers.swift.client import Answer


def refuse_write(answer: Answer, location: str) -> None:
    """Raise the error of an unsuccessful write; do nothing after a success.

    Raises Duplicate, StorageFull, StorageWriteDenied, RemoteServiceUnavailable.
    """
    if answer.is_success:
        return
    if answer.status == 412:
        raise errors.Duplicate(location=location)
    if answer.status in (413, 507):
        raise errors.StorageFull(reason="a quota, the largest size of an object, or the disks of Swift")
    if answer.status in (401, 403):
        raise errors.StorageWriteDenied(reason=f"Swift answers {answer.status}")
    if answer.status == 404:
        raise errors.StorageWriteDenied(reason="the container or the account does not exist")
    raise failed(answer.status)


def refuse_use(status: int, location: str) -> None:
    """Raise the error of an unsuccessful use of existing data; do nothing after a success.

    Raises NotFound, Forbidden, DataChanged (a condition is not met), RemoteServiceUnavailable.
    """
    if 200 <= status < 300:
        return
    if status == 404:
        raise errors.NotFound(location=location)
    if status in (401, 403):
        raise errors.Forbidden(location=location)
    if status == 412:
        raise errors.DataChanged(location=location)
    raise failed(status)


def failed(status: int) -> errors.RemoteServiceUnavailable:
    """Return the error of a status that is not expected."""
    return errors.RemoteServiceUnavailable(reason=f"Swift answers {status}")
