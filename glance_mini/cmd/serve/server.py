"""The master process: listens, starts the workers, replaces those that die, and stops them in order.

`run` serves any WSGI application, which is built in each worker, after the fork.
"""

import contextlib
import glob
import os
import queue
import resource
import signal
import ssl
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import unquote
from wsgiref.types import WSGIApplication, WSGIEnvironment

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.errors import HaltServer
from gunicorn.glogging import Logger
from gunicorn.http.message import Request
from gunicorn.http.wsgi import Response

from glance_mini.cmd.serve.background_process import BACKGROUND_CANNOT_START, BackgroundProcess, exit_child
from glance_mini.cmd.serve.balance import Balance
from glance_mini.cmd.serve.listeners import CannotListen, listen
from glance_mini.cmd.serve.settings import ServerSettings
from glance_mini.cmd.serve.sockets import TLSClientSocket
from glance_mini.cmd.serve.worker import STOP_SIGNALS, Worker, announce_ready
from glance_mini.tls import FollowedContext, server_context

__all__ = ["ServerSettings", "run"]

_WAITING_CONNECTIONS = 512
_HANG_SECONDS = 120

LogRequest = Callable[[WSGIEnvironment, int, int, int, float], object]


def run(
    settings: ServerSettings,
    make_application: Callable[[], WSGIApplication],
    *,
    on_ready: Callable[[], object] | None = None,
    may_reload: Callable[[], bool] = lambda: True,
    child_started: Callable[[], object] | None = None,
    multiproc_dir: str | None = None,
    background_process: Callable[[], int] | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code of the process: 0 after an orderly stop.

    Each worker process calls `child_started` and then `make_application`, after the fork; threads started there keep
    running. The application's `close()`, if it has one, is called when the worker has answered its last request, and
    its `log_request`, if it has one, after each answer: with the environment, the status, the bytes of both bodies and
    the seconds from the head of the request on. The files of the certificates are read again when they change.
    At SIGHUP the application's `read_again()`, if it has one, is called in each worker, and the background process gets
    the same signal, unless `may_reload`, which the master calls first, returns False.
    `on_ready` is called once, in the master, when the first worker has its application. `multiproc_dir` is a directory
    for the metrics of the processes; it is emptied. prometheus_client reads its name from ``PROMETHEUS_MULTIPROC_DIR``
    when it is imported: who imports it before the call of `run` sets the variable before.
    `background_process` is the function of one further child process, which is started, replaced and stopped with the
    workers (`background_process.py`).

    An address in use or an unreadable certificate gives one line on stderr and the code 1; an application that
    cannot be built gives the code 3. A second SIGINT does not wait for running requests.
    """
    try:
        tls = _followed_tls(settings)
        listeners = [listen(address) for address in settings.bind]
    except (CannotListen, OSError) as error:
        print(f"glance-mini: {error}", file=sys.stderr)
        return 1
    _allow_files(settings.open_files)
    if multiproc_dir is not None:
        _empty(multiproc_dir)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = multiproc_dir
    addresses = [f"fd://{listener.detach()}" for listener in listeners]
    service = _Service(settings, addresses, tls, make_application, on_ready, may_reload, child_started)
    master = os.getpid()
    try:
        _Master(service, BackgroundProcess(background_process, _forget_metrics)).run()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        if os.getpid() == master:
            return code
        # A worker must not run the code after its master's call of run(), nor wait for threads of aborted requests.
        exit_child(code)
    return 0


class _Service(BaseApplication):
    """Gives gunicorn its configuration, and its workers the application."""

    def __init__(
        self,
        settings: ServerSettings,
        addresses: list[str],
        tls: FollowedContext | None,
        make_application: Callable[[], WSGIApplication],
        on_ready: Callable[[], object] | None,
        may_reload: Callable[[], bool],
        child_started: Callable[[], object] | None,
    ) -> None:
        self.settings = settings
        self.tls = tls
        self._addresses = addresses
        self._make_application = make_application
        self._on_ready = on_ready
        self.may_reload = may_reload
        self._child_started = child_started
        self.balance = Balance(settings.workers)
        self._ready, self._announce = os.pipe()
        os.set_blocking(self._ready, False)
        os.set_blocking(self._announce, False)
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._gunicorn_settings().items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        return self._make_application()

    def report_ready(self) -> None:
        """Call `on_ready` when a worker is ready for the first time."""
        with contextlib.suppress(BlockingIOError):
            if self._on_ready is not None and os.read(self._ready, 64):
                on_ready, self._on_ready = self._on_ready, None
                on_ready()

    def _gunicorn_settings(self) -> dict[str, object]:
        settings = self.settings
        return {
            "bind": self._addresses,
            "workers": settings.workers,
            "worker_class": Worker,
            "threads": settings.threads,
            "worker_connections": settings.threads + _WAITING_CONNECTIONS,
            "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,
            "timeout": _HANG_SECONDS,
            "graceful_timeout": settings.graceful_timeout,
            "keepalive": settings.keepalive,
            "preload_app": False,
            "control_socket_disable": True,
            "http_parser": "python",
            "limit_request_line": 8190,
            "limit_request_fields": 100,
            "limit_request_field_size": 16384,
            # The application's own middleware decides which proxy headers it trusts.
            "forwarded_allow_ips": "",
            "secure_scheme_headers": {},
            "forwarder_headers": "",
            "certfile": settings.tls_certificate,
            "keyfile": settings.tls_key,
            "logger_class": _StandardLogger,
            "post_fork": lambda _arbiter, _worker: self._child_started and self._child_started(),
            "post_worker_init": lambda worker: announce_ready(self._announce, worker.ppid),
            "child_exit": self._forget_worker,
        }

    def _forget_worker(self, _arbiter: Arbiter, worker: Worker) -> None:
        self.balance.free(worker.place)
        _forget_metrics(worker.pid)


class _Master(Arbiter):
    """gunicorn's master, which also stops in order for Ctrl-C and reports when it is ready."""

    _is_halting = False
    _has_been_hurried = False

    def __init__(self, service: _Service, background_process: BackgroundProcess) -> None:
        super().__init__(service)
        self._background = background_process

    def handle_int(self) -> None:
        """Treat SIGINT as SIGTERM."""
        self.handle_term()

    def handle_usr2(self) -> None:
        """Ignore SIGUSR2: a second master cannot listen on the same addresses."""
        self.log.warning("SIGUSR2 is ignored: start another server to change to a new version")

    def manage_workers(self) -> None:
        """Replace workers that have ended, and the background process."""
        super().manage_workers()
        self._background.ensure_running(self.LISTENERS)
        self.app.report_ready()

    def reap_workers(self) -> None:
        """Reap the children that have ended. The first one that could not start halts the master."""
        try:
            # It comes first, because the wait for workers reaps any child.
            if self._background.reap():
                raise HaltServer("The background process cannot start.", BACKGROUND_CANNOT_START)
            super().reap_workers()
        except HaltServer:
            # The master reaps again while it halts; a second such worker would make it leave the others behind.
            if not self._is_halting:
                self._is_halting = True
                raise

    def reload(self) -> None:
        """Let all children read again what they can while they run, unless the master refuses what is there now."""
        if self.app.may_reload():
            self.kill_workers(signal.SIGHUP)
            self._background.send_signal(signal.SIGHUP)

    def stop(self, graceful: bool = True) -> None:
        """Stop all children within the graceful timeout; a second SIGINT ends the wait."""
        deadline = time.monotonic() + self.cfg.graceful_timeout
        self._background.send_signal(signal.SIGTERM)
        super().stop(graceful)
        while self._background.pid and time.monotonic() < deadline and not self._is_hurried():
            self.reap_workers()
            time.sleep(0.05)
        self._background.send_signal(signal.SIGKILL)

    def kill_workers(self, sig: int) -> None:
        """Send a signal to all workers; SIGQUIT ends them quickly."""
        self._has_been_hurried = self._has_been_hurried or sig == signal.SIGQUIT
        super().kill_workers(sig)

    def _is_hurried(self) -> bool:
        with contextlib.suppress(queue.Empty):
            while self.SIG_QUEUE.get_nowait() not in (signal.SIGINT, signal.SIGQUIT):
                pass
            self._has_been_hurried = True
        return self._has_been_hurried

    def spawn_worker(self) -> int:
        """Start a worker. It misses no stop signal, because it unblocks them only when it has its own handlers."""
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            pid: int = super().spawn_worker()
            return pid
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


class _StandardLogger(Logger):
    """Leaves the logger gunicorn.error to the configuration of the process, and access lines to the application."""

    log_request: LogRequest | None = None

    def setup(self, cfg: Config) -> None:
        self.cfg = cfg
        self.error_log.propagate = True

    def access(self, resp: Response, req: Request, environ: WSGIEnvironment, request_time: timedelta) -> None:
        """Pass on what is known about an answer."""
        if self.log_request is not None:
            sent = resp.sent or resp.sock.file_bytes
            seconds = request_time.total_seconds()
            # The environment and the body of a request that was refused by its head are not complete.
            environ.setdefault("PATH_INFO", unquote(req.path or "", encoding="latin-1"))
            received = getattr(getattr(req.body, "raw", None), "received", 0)
            self.log_request(environ, int(str(resp.status)[:3]), received, sent, seconds)


def _followed_tls(settings: ServerSettings) -> FollowedContext | None:
    """Return the context for all connections; made before the fork, so that any worker can resume sessions."""
    if settings.tls_certificate is None:
        return None
    files = (settings.tls_certificate, settings.tls_key, settings.tls_client_ca, settings.tls_client_crl)
    return FollowedContext(lambda: _tls_context(settings), [file for file in files if file])


def _tls_context(settings: ServerSettings) -> ssl.SSLContext:
    certificate = str(settings.tls_certificate)
    try:
        files = (settings.tls_key, settings.tls_client_ca, settings.tls_client_crl)
        context = server_context(certificate, *files)
    except OSError as error:
        # OpenSSL does not always give a reason.
        reason = error.reason if isinstance(error, ssl.SSLError) else None
        reason = reason.replace("_", " ").lower() if reason else error.strerror or str(error)
        key = settings.tls_key or certificate
        clients = f" and the authority {settings.tls_client_ca}" if settings.tls_client_ca else ""
        raise OSError(f"cannot use the certificate {certificate} with the key {key}{clients}: {reason}") from error
    context.sslsocket_class = TLSClientSocket
    return context


def _allow_files(count: int) -> None:
    """Let this process and its children open `count` files, or as many as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _empty(directory: str) -> None:
    os.makedirs(directory, exist_ok=True)
    for path in glob.glob(os.path.join(glob.escape(directory), "*")):
        os.unlink(path)


def _forget_metrics(pid: int) -> None:
    """Remove the gauges of a process that has ended; its counters stay in the sums."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]
