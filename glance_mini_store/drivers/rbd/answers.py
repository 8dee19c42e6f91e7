"""Translates the errors of Ceph's modules into those of this package."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from glance_mini_store import errors
from glance_mini_store.drivers.rbd.library import Library


class NoAnswer(errors.RemoteServiceUnavailable):
    """An OSD or a monitor did not answer in time; further operations would wait as long."""


_FULL = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EPERM, errno.EACCES, errno.EROFS}


def number_of(error: Exception) -> int:
    """Return the errno of an error of Ceph, EIO if it has none."""
    number = getattr(error, "errno", None)
    return number if isinstance(number, int) and number else errno.EIO


def answer(number: int, location: str, *, writing: bool) -> errors.StoreError:
    """Return the error for an errno at ``location``; ``writing``: data was to be written or removed."""
    if number == errno.ENOENT:
        return errors.NotFound(location=location)
    if number == errno.EEXIST:
        return errors.Duplicate(location=location)
    if number == errno.EBUSY:
        return errors.InUseByStore(location=location)
    if number == errno.ENOTEMPTY:
        return errors.HasSnapshot(location=location)
    reason = os.strerror(number)
    if number == errno.ETIMEDOUT:
        return NoAnswer(reason=reason)
    if number in _FULL:
        return errors.StorageFull(reason=reason)
    if number in _DENIED:
        return errors.StorageWriteDenied(reason=reason) if writing else errors.Forbidden(location=location)
    return errors.RemoteServiceUnavailable(reason=reason)


@contextmanager
def translated(library: Library, location: str, *, writing: bool) -> Iterator[None]:
    """Raise ``answer`` in place of the errors of Ceph."""
    try:
        yield
    except library.errors as error:
        raise answer(number_of(error), location, writing=writing) from error
