"""A worker on a database in memory or in a file, a clock that stands still, and tiny types of job."""

import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.domain.job import Job
from glance_mini.metrics import Metrics
from glance_mini.testing.samples import TIME
from glance_mini.testing.tables import make_tables
from glance_mini.testing.timed import TimedAccess, seconds_of
from glance_mini.workers.base import JobType
from glance_mini.workers.loop import Worker
from glance_mini.workers.settings import WorkerSettings
from glance_mini.workers.wakeup import Wakeup

WAIT = 20.0


class Clock:
    """A clock that moves when a test moves it."""

    def __init__(self, now: datetime = TIME) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


class Script(JobType):
    """A type of job whose work is a function of job and control; remembers what was given up and why."""

    kind = "script"
    max_attempts = 3

    def __init__(self, work: Callable = lambda job, control: {"done": True}) -> None:
        self.work = work
        self.given_up = []

    def run(self, job, control):
        return self.work(job, control)

    def give_up(self, job, reason):
        self.given_up.append((job.id, reason))


def open_data(test, clock=None, url="sqlite://"):
    """Return the data access on a fresh database, closed after the test; ``clock`` is its time."""
    engine = make_engine(url)
    make_tables(engine)
    data = SqlDataAccess(engine)
    test.addCleanup(data.close)
    return TimedAccess(data, clock) if clock else data


def make_worker(data, *types, clock=None, wakeup=None, metrics=None, **settings):
    """Return a worker that is not started; ``clock`` measures its leases."""
    metrics, wakeup = metrics or Metrics(), wakeup or Wakeup()
    values = {"poll_interval": 0.05, **settings}
    named = {each.kind: each for each in types}
    clock = {"clock": seconds_of(clock)} if clock else {}
    return Worker(data, named, wakeup, WorkerSettings(**values), metrics, **clock)


def make_job(**values):
    """Return a pending job of the kind ``script``."""
    job_id = values.pop("id", None) or str(uuid.uuid4())
    return Job(**{"id": job_id, "kind": "script"} | values)


class Gate:
    """Where a job waits in the middle of its work until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def pass_through(self) -> None:
        """Tell the test that the job is here, and wait."""
        self.reached.set()
        if not self.opened.wait(WAIT):
            raise AssertionError("the test has forgotten a job")
