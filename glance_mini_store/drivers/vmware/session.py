"""The session with the server: log-in, calls of its SOAP interface with retries, and tasks.

A session that ended on the server is renewed once in each call. A connection that failed is tried again, each time
after a longer pause; a server that does not answer in time is not asked again, because that wait was long already.
"""

import http.client
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Protocol, TypeVar
from xml.parsers.expat import ExpatError

from glance_mini_store import errors
from glance_mini_store.drivers.vmware.server import Server, explain
from glance_mini_store.extras import import_library

LOG = logging.getLogger(__name__)

_Result = TypeVar("_Result")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_FIRST_POLL = 0.02
_FINAL = (TimeoutError, ssl.SSLCertVerificationError)
"""Failures that another attempt would only repeat."""

_PARTING_SECONDS = 5.0
_TASK_SECONDS = 600.0
"""How long a task may take: those of this driver rename, delete and list."""


class Fault(errors.RemoteServiceUnavailable):
    """The server refused a call or a task; ``name`` is the type of its fault, such as FileNotFound."""

    template = "the server refused a call: {reason}"

    def __init__(self, name: str, text: str) -> None:
        super().__init__(reason=f"{name}: {text[:200]}" if text else name)
        self.name = name


@dataclass(frozen=True)
class Login:
    """A user and the password; not shown in any text."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "Login(...)"


@dataclass(frozen=True)
class Patience:
    """``retries`` after a failed connection; ``poll`` is the longest pause in seconds between looks at a task."""

    retries: int = 10
    poll: float = 5.0


class Reference(Protocol):
    """A reference to an object of the server."""


class Vmomi:
    """The parts of pyVmomi that are used. Raises DriverLoadFailure without it."""

    def __init__(self) -> None:
        package: ModuleType = import_library("pyVmomi", driver="vmware")
        self.vim = package.vim
        self.vmodl = package.vmodl
        self.adapter = import_library("pyVmomi.SoapAdapter", driver="vmware").SoapStubAdapter


class Connections:
    """One session: connections to the server, which stay open for further calls, and the managers of the server.

    ``cookie`` is the request header that stands for the session.
    """

    def __init__(self, server: Server, login: Login, vmomi: Vmomi) -> None:
        """Log in. Raises what pyVmomi raises."""
        port = -server.port if server.tls is None else server.port
        self.stub = vmomi.adapter(host=server.host, port=port)
        self.stub.scheme = lambda **_: server.connection(server.call_limits())
        self.content = vmomi.vim.ServiceInstance("ServiceInstance", self.stub).RetrieveContent()
        self.content.sessionManager.Login(login.username, login.password, None)
        cookie: str = self.stub.cookie
        self.cookie = cookie.partition(";")[0]

    def close(self) -> None:
        """Close the connections that no call uses."""
        self.stub.DropConnections()

    def log_out(self, server: Server) -> None:
        """End the session on the server, without waiting long for it; failures are of no consequence."""
        self.close()
        hurried = replace(server, seconds=min(server.seconds, _PARTING_SECONDS))
        self.stub.scheme = lambda **_: hurried.connection(hurried.call_limits())
        with suppress(Exception):
            self.content.sessionManager.Logout()
        self.close()


class _Own:
    """What belongs to one process: a forked one must not use the connections, or wait for the lock, of its parent."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.lock = threading.Lock()
        self.connections: Connections | None = None


class Session:
    """Calls the server as one user; shared by all threads, and made anew in a forked process."""

    def __init__(self, server: Server, login: Login, patience: Patience, vmomi: Vmomi) -> None:
        self.server = server
        self.vmomi = vmomi
        self._login = login
        self._patience = patience
        self._own = _Own()

    def call(self, action: "Callable[[Connections], _Result]", *, repeats: bool = True) -> _Result:
        """Return the result of ``action``, which makes calls through the connections.

        Without ``repeats`` it is not made again after a failed connection: its outcome is unknown. Raises Fault,
        RemoteServiceUnavailable.
        """
        pauses = self._pauses() if repeats else iter(())
        is_renewed = False
        while True:
            connections = self._open()
            try:
                return action(connections)
            except self.vmomi.vim.fault.NotAuthenticated as error:
                if is_renewed:
                    raise errors.RemoteServiceUnavailable(reason="the server ends each session at once") from error
                self.renew(connections.cookie)
                is_renewed = True
            except self.vmomi.vmodl.MethodFault as fault:
                raise fault_of(fault) from None
            except (OSError, http.client.HTTPException, ExpatError) as error:
                pause = next(pauses, None)
                if pause is None or isinstance(error, _FINAL):
                    raise self._unavailable(error) from error
                time.sleep(pause)

    def cookie(self) -> str:
        """Return the header that stands for the session; logs in without one. Raises RemoteServiceUnavailable."""
        return self._open().cookie

    def renew(self, cookie: str) -> None:
        """Log in unless another thread has replaced the session of ``cookie``.

        Raises Fault (InvalidLogin), RemoteServiceUnavailable.
        """
        own = self._of_this_process()
        with own.lock:
            if own.connections is None or own.connections.cookie == cookie:
                old, own.connections = own.connections, self._log_in()
                if old is not None:
                    old.close()

    def _log_in(self) -> Connections:
        try:
            return self.again(lambda: Connections(self.server, self._login, self.vmomi))
        except self.vmomi.vmodl.MethodFault as fault:
            raise fault_of(fault) from None

    def again(self, request: "Callable[[], _Result]") -> _Result:
        """Return the result of ``request``, made again after a failed connection. Raises RemoteServiceUnavailable."""
        pauses = self._pauses()
        while True:
            try:
                return request()
            except (OSError, http.client.HTTPException, ExpatError) as error:
                pause = next(pauses, None)
                if pause is None or isinstance(error, _FINAL):
                    raise self._unavailable(error) from error
                time.sleep(pause)

    def run(self, start: "Callable[[Connections], Reference]", *, repeats: bool = True) -> object:
        """Start a task, wait for its end and return its result; raises Fault, RemoteServiceUnavailable."""
        task = self.call(start, repeats=repeats)
        end = time.monotonic() + _TASK_SECONDS
        pause = _FIRST_POLL
        while True:
            state = str(self.properties(task, "Task", ["info.state"])["info.state"])
            if state == "success":
                return self.properties(task, "Task", ["info.result"]).get("info.result")
            if state == "error":
                raise fault_of(self.properties(task, "Task", ["info.error"])["info.error"])
            if time.monotonic() > end:
                raise errors.RemoteServiceUnavailable(reason=f"a task did not end in {_TASK_SECONDS:g} seconds")
            time.sleep(min(pause, self._patience.poll))
            pause *= 2

    def properties(self, reference: Reference, kind: str, paths: Sequence[str]) -> Mapping[str, object]:
        """Return the properties of an object by path; those that are not set are missing.

        Only what is asked for is read: some servers give whole objects whose types do not agree with their description.
        Raises Fault for a property that the user may not read.
        """
        collector = self.vmomi.vmodl.query.PropertyCollector
        spec = collector.FilterSpec(
            objectSet=[collector.ObjectSpec(obj=reference, skip=False)],
            propSet=[collector.PropertySpec(type=getattr(self.vmomi.vim, kind), pathSet=list(paths))],
        )

        def collect(connections: Connections) -> Mapping[str, object]:
            found = connections.content.propertyCollector.RetrieveContents([spec])
            for missing in (each for content in found for each in content.missingSet):
                # An ended session is reported here by some servers.
                raise missing.fault
            return {each.name: each.val for content in found for each in content.propSet}

        return self.call(collect)

    def close(self) -> None:
        """End the session on the server; failures are of no consequence."""
        own = self._of_this_process()
        if own.connections is not None:
            own.connections.log_out(self.server)
            own.connections = None

    def _open(self) -> Connections:
        """Return the present session; logs in without one."""
        own = self._of_this_process()
        while own.connections is None:
            self.renew("")
        return own.connections

    def _of_this_process(self) -> _Own:
        if self._own.process != os.getpid():
            self._own = _Own()
        return self._own

    def _pauses(self) -> Iterator[float]:
        return (min(_FIRST_PAUSE * 2**number, _LONGEST_PAUSE) for number in range(self._patience.retries))

    def _unavailable(self, error: Exception) -> errors.RemoteServiceUnavailable:
        return errors.RemoteServiceUnavailable(reason=f"{self.server.authority}: {explain(error)}")


def fault_of(found: object) -> Fault:
    """Return the error for a fault of pyVmomi or the description of a task's fault."""
    fault = getattr(found, "fault", None) or found
    text = getattr(found, "localizedMessage", None) or getattr(fault, "msg", None) or ""
    return Fault(type(fault).__name__.rpartition(".")[2], str(text))
