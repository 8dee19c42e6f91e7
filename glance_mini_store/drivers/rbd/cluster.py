"""The connection to a Ceph cluster that all threads of a process share.

It is made at the first use in each process: Ceph's threads do not survive a fork.
"""

import errno
import json
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypedDict, TypeVar

from glance_mini_store import errors
from glance_mini_store.drivers.rbd.answers import NoAnswer, answer, number_of
from glance_mini_store.drivers.rbd.calls import Calls
from glance_mini_store.drivers.rbd.library import Connection, Library, Pool

LOG = logging.getLogger(__name__)

_DIRECTORY = "rbd_directory"
"""The object of a pool that lists its images."""

T = TypeVar("T")

_UNUSABLE = {errno.ESHUTDOWN, errno.ETIMEDOUT}
_REFUSED = {errno.EPERM, errno.EACCES}


class _Statistics(TypedDict):
    max_avail: int
    stored: int
    quota_bytes: int


class _PoolUsage(TypedDict):
    name: str
    stats: _Statistics


@dataclass(frozen=True)
class Access:
    """How to reach a cluster: the file that describes it ("": where Ceph looks), the user, and seconds of patience.

    ``connect_seconds`` None: as the file says.
    """

    conf: str
    user: str | None
    connect_seconds: int | None
    operation_seconds: int

    def settings(self) -> dict[str, str]:
        """Return the options that are set over those of the file.

        The cache of librbd is off: a write that has ended is durable, and no data is kept in memory.
        """
        settings = {
            "rbd_cache": "false",
            "rados_osd_op_timeout": str(self.operation_seconds),
            "rados_mon_op_timeout": str(self.operation_seconds),
        }
        if self.connect_seconds is not None:
            settings["client_mount_timeout"] = str(self.connect_seconds)
        return settings


class Cluster:
    """The cluster that ``access`` leads to; shared by all threads."""

    def __init__(self, library: Library, access: Access) -> None:
        self.library = library
        self.known_fsid: str | None = None
        self._access = access
        self._calls = Calls(access.operation_seconds)
        self._connections: dict[int, Future[Connection]] = {}

    @property
    def operation_seconds(self) -> int:
        """Return the seconds after which an operation fails that nobody answers."""
        return self._access.operation_seconds

    def waiting(self, pool: Pool, work: Callable[[], T]) -> T:
        """Return what ``work`` on images of ``pool`` returns; it is left when the OSDs are silent: see ``calls``.

        Raises NoAnswer then, at the latest after twice the seconds of an operation.
        """
        return self._calls.run(work, lambda: self._look(pool))

    def leave(self, work: Callable[[], object]) -> None:
        """Begin ``work`` on images in the background."""
        self._calls.leave(work)

    def fsid(self) -> str:
        """Return the id of the cluster; connects if it is not known yet."""
        return self.known_fsid or self._learn(self._connection())

    def pool(self, name: str) -> Pool:
        """Return the open pool; raises RemoteServiceUnavailable if there is none, or no answer.

        Each call returns another object, for one thread.
        """
        return self._open(self._connection(), name)

    def require_pool(self, name: str) -> None:
        """Raise RemoteServiceUnavailable if the pool no longer exists."""
        connection = self._connection()
        with self._answering():
            connection.wait_for_latest_osdmap()
            if not connection.pool_exists(name):
                raise _missing(name)

    def check(self, pool: str, data_pool: str, prepare: Callable[[Pool], None]) -> None:
        """Raise an error unless there is access to the pools, and let ``prepare`` have ``pool``.

        It uses a connection of its own, which is closed: the service may fork later.
        """
        connection = self._connect()
        try:
            self._learn(connection)
            opened = self._open(connection, pool)
            self._look(opened)
            self._look(self._open(connection, data_pool))
            prepare(opened)
        finally:
            connection.shutdown()

    def free(self, pool: str, data_pool: str) -> int | None:
        """Return the bytes that may still be written to ``data_pool``; None if no manager of Ceph knows that.

        Raises RemoteServiceUnavailable if an OSD of ``pool`` does not answer.
        """
        connection = self._connection()
        self._look(self._open(connection, pool))
        command = json.dumps({"prefix": "df", "detail": "detail", "format": "json"})
        with self._answering():
            result, output, _ = connection.mon_command(command, b"", timeout=self._access.operation_seconds)
        if result:
            raise answer(-result, f"rbd pool {pool}", writing=False)
        usages: list[_PoolUsage] = json.loads(output).get("pools", [])
        statistics = next((usage["stats"] for usage in usages if usage["name"] == data_pool), None)
        if statistics is None:
            return None
        free, quota = statistics["max_avail"], statistics["quota_bytes"]
        return max(0, min(free, quota - statistics["stored"])) if quota else free

    def close(self) -> None:
        """Disconnect this process.

        Images and pools that are open keep the connection, and it ends with the last of them: librbd crashes the
        process where an image outlives its connection.
        """
        self._connections.pop(os.getpid(), None)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Forget the connection if the cluster has shut this client out or was silent; the next use makes another.

        A watch that was made while an OSD was silent can stay as long as the connection, and its image counts as open.
        Those who use the old connection keep it; it ends with the last of them.
        """
        try:
            yield
        except NoAnswer:
            self._forget()
            raise
        except self.library.errors as error:
            if number_of(error) in _UNUSABLE:
                self._forget()
            raise

    def _forget(self) -> None:
        LOG.warning("rbd store: Ceph was silent, or has shut out this client; it connects again")
        self._connections.pop(os.getpid(), None)

    def _connection(self) -> Connection:
        """Return the connection of this process; threads that come while it is made share the result."""
        process = os.getpid()
        mine: Future[Connection] = Future()
        future = self._connections.setdefault(process, mine)
        if future is mine:
            try:
                mine.set_result(self._connect())
            except BaseException as error:
                self._connections.pop(process, None)
                mine.set_exception(error)
        return future.result()

    def _connect(self) -> Connection:
        """Connect in a thread of its own.

        A client is known by a random number. Ceph's generator is one of the thread, and a fork copies its state: two
        processes could take the same number, and would be shut out together.
        """
        with ThreadPoolExecutor(1, "rbd-connect") as thread:
            return thread.submit(self._connect_here).result()

    def _connect_here(self) -> Connection:
        access = self._access
        try:
            made = self.library.make_connection(
                conffile=access.conf, rados_id=access.user or None, conf=access.settings()
            )
        except self.library.errors as error:
            reason = f"{access.conf} cannot be used: {os.strerror(number_of(error))}"
            raise errors.BadStoreConfiguration(option="rbd_store_ceph_conf", reason=reason) from error
        try:
            made.connect()
        except self.library.errors as error:
            raise errors.RemoteServiceUnavailable(reason=self._reason(number_of(error))) from error
        return made

    def _reason(self, number: int) -> str:
        user = f"client.{self._access.user or 'admin'}"
        if number in _REFUSED:
            return f"Ceph refuses the user {user}: there is no such user, or the key is another"
        if number == errno.ENOENT:
            return f"there is no key of the Ceph user {user} in the keyring"
        return f"no monitor of Ceph lets {user} in: {os.strerror(number)}"

    def _learn(self, connection: Connection) -> str:
        with self._answering():
            self.known_fsid = connection.get_fsid()
        return self.known_fsid

    def _open(self, connection: Connection, name: str) -> Pool:
        try:
            pool = connection.open_ioctx(name)
        except self.library.errors as error:
            if number_of(error) == errno.ENOENT:
                raise _missing(name) from error
            raise errors.RemoteServiceUnavailable(reason=os.strerror(number_of(error))) from error
        pool.set_osdmap_full_try()
        return pool

    def _look(self, pool: Pool) -> None:
        """Raise an error unless an OSD answers; a pool without images has no directory."""
        try:
            pool.read(_DIRECTORY, 1)
        except self.library.errors as error:
            number = number_of(error)
            if number in _REFUSED:
                reason = f"Ceph does not let client.{self._access.user or 'admin'} use the pool"
                raise errors.RemoteServiceUnavailable(reason=reason) from error
            if number == errno.ETIMEDOUT:
                raise NoAnswer(reason=os.strerror(number)) from error
            if number != errno.ENOENT:
                raise errors.RemoteServiceUnavailable(reason=os.strerror(number)) from error

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Raise RemoteServiceUnavailable in place of the errors of Ceph."""
        try:
            with self.watched():
                yield
        except self.library.errors as error:
            raise errors.RemoteServiceUnavailable(reason=os.strerror(number_of(error))) from error


def _missing(name: str) -> errors.RemoteServiceUnavailable:
    return errors.RemoteServiceUnavailable(reason=f"there is no Ceph pool {name!r}")
