"""Measures the cost of one claim of a job: processes empty a queue and end each job before they claim the next.

It also checks that every job is claimed, and by one process at a time.
"""

import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import timedelta
from statistics import mean, median, quantiles
from typing import Any
from uuid import uuid4

from benchmarks.service import database
from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.domain.job import SUCCESS, Job, JobLimits
from glance_mini.operations.jobs import AddJob, ClaimJob, FinishJob

KIND = "api_image_import"

NO_LIMITS = JobLimits()
LIMITS = JobLimits(per_project=4, per_store=4)

_PROJECTS = 7
_STORES = 3


@dataclass(frozen=True)
class Claim:
    """One claim: the job, the times of its request, claim and end in seconds of one clock, and its CPU seconds."""

    job_id: str
    asked: float
    given: float
    ended: float
    cpu: float


@dataclass(frozen=True)
class Cost:
    """The cost of claims in milliseconds: the median time, the 99th percentile, and the worker's CPU for one.

    ``per_job`` is the time from the first claim to the last end of a job, divided by the number of jobs.
    """

    latency: float
    slowest: float
    cpu: float
    per_job: float

    def __str__(self) -> str:
        claim = f"claim {self.latency:6.2f} ms, 99 % below {self.slowest:6.2f} ms, CPU {self.cpu:5.2f} ms"
        return f"{claim}; claim and end {self.per_job:5.2f} ms per job"


def name_of(limits: JobLimits) -> str:
    """Return the name of ``limits`` in the output."""
    return "no limits" if limits == NO_LIMITS else "limits"


def rounds(server: str, processes: int, jobs: int, limits: JobLimits, count: int) -> Cost:
    """Return the medians of ``count`` rounds, each on a new database of ``server``, a file of its own for "sqlite"."""
    costs = []
    for _ in range(count):
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/jobs.db" if server == "sqlite" else server
            with database(url) as connection:
                costs.append(measure(connection, processes, jobs, limits))
    return Cost(*(median(values) for values in zip(*map(astuple, costs), strict=True)))


def measure(connection: str, processes: int, jobs: int, limits: JobLimits) -> Cost:
    """Queue ``jobs`` and let ``processes`` empty the queue; raises RuntimeError if a job was lost or ran twice."""
    queued = _fill(connection, jobs)
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(processes)
    results: multiprocessing.Queue[list[Claim]] = context.Queue()
    workers = [context.Process(target=_empty, args=(connection, limits, start, results)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    claims = [claim for _ in workers for claim in results.get()]
    for worker in workers:
        worker.join()
    _check(queued, claims)
    seconds = [claim.given - claim.asked for claim in claims]
    elapsed = max(claim.ended for claim in claims) - min(claim.asked for claim in claims)
    cpu = mean(claim.cpu for claim in claims)
    values = (median(seconds), quantiles(seconds, n=100)[-1], cpu, elapsed / jobs)
    return Cost(*(value * 1000 for value in values))


def _open(connection: str) -> SqlDataAccess:
    engine = make_engine(connection)
    schema.sync(engine)
    return SqlDataAccess(engine)


def _fill(connection: str, count: int) -> set[str]:
    data = _open(connection)
    names = {str(uuid4()) for _ in range(count)}
    for number, name in enumerate(names):
        whose = {"project_id": f"project-{number % _PROJECTS}", "stores": (f"store-{number % _STORES}",)}
        data.run(AddJob(Job(name, KIND, **whose)))
    data.close()
    return names


def _empty(connection: str, limits: JobLimits, start: Any, results: Any) -> None:
    """Claim and end jobs until the queue is empty; runs in a process of its own."""
    data, name = _open(connection), str(uuid4())
    claims = []
    start.wait()
    while True:
        asked, used = time.monotonic(), time.process_time()
        job = data.run(ClaimJob(name, (KIND,), timedelta(minutes=1), limits))
        given, used = time.monotonic(), time.process_time() - used
        if job is None:
            break
        data.run(FinishJob(job, SUCCESS, {}, "", timedelta(hours=48)))
        claims.append(Claim(job.id, asked, given, time.monotonic(), used))
    data.close()
    results.put(claims)


def _check(queued: set[str], claims: Sequence[Claim]) -> None:
    claimed = [claim.job_id for claim in claims]
    if len(claimed) != len(set(claimed)):
        raise RuntimeError("a job was claimed twice, although its first holder was alive")
    if set(claimed) != queued:
        raise RuntimeError(f"{len(queued - set(claimed))} jobs were lost")
