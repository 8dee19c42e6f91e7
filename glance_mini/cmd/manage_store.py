"""``glance-mini-manage store``: the verification of what the stores hold.

The command runs the job itself, beside workers of the service: whoever takes it first does it, and another one goes on
when this process dies.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict

from oslo_config import cfg

from glance_mini.cmd.console import Subparsers, add_command, load_configuration, positive
from glance_mini.cmd.output import Record, Result
from glance_mini.conf.database import has_database
from glance_mini.conf.validation import validate
from glance_mini.db.interface import DataAccess
from glance_mini.domain.errors import Conflict, NotFound
from glance_mini.domain.job import FINISHED, SUCCESS, Job
from glance_mini.domain.verification import Finding, Verification
from glance_mini.notifications.opening import open_data
from glance_mini.operations.jobs import GetJob
from glance_mini.operations.verification import BeginVerification, CountCopies, ListFindings, ListVerifications
from glance_mini.verification.schedule import verify_job
from glance_mini.verification.settings import VerifyRequest

OPEN_FINDINGS = 3
"""The exit code if there are findings that ask for somebody."""

PAGE = 1000
LOOK_SECONDS = 0.2
MOST_SAMPLED = 100_000

_CODES = "The exit code is 0 if nothing is wrong, or all was repaired; 3 if something is."


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    group = commands.add_parser("store", help="the verification of stored data").add_subparsers(
        metavar="COMMAND", required=True
    )
    verify = add_command(
        group,
        "verify",
        _verify,
        text="read stored data again, compare it with its hashes, and find what no image knows",
        description="Read stored data again, compare it with its hashes, and find objects that no image knows. "
        f"{_CODES} A worker of the service goes on if this command is killed.",
        example="store verify --store ceph --repair --format json",
        question=None,
    )
    verify.add_argument("--store", metavar="STORE", help="only this store")
    verify.add_argument("--repair", action="store_true", help="replace broken data by a good copy from another store")
    verify.add_argument(
        "--sample", type=_sample, metavar="N", help="only N copies, chosen by chance, and no search for objects"
    )
    verify.add_argument(
        "--delete-unknown",
        action="store_true",
        help="delete objects that no image knows and that are older than [verify] safe_age",
    )
    findings = add_command(
        group,
        "findings",
        _findings,
        text="show the last verification and everything that was found wrong",
        description=f"Show the last verification and everything that was found wrong. {_CODES}",
        example="store findings --format json",
        question=None,
    )
    findings.add_argument("--limit", type=positive, default=1000, metavar="N", help="maximum number of findings (1000)")


def _sample(text: str) -> int:
    number = positive(text)
    if number > MOST_SAMPLED:
        raise ValueError(text)
    return number


def _verify(arguments: argparse.Namespace) -> Result:
    request = VerifyRequest(arguments.store, arguments.repair, arguments.sample, arguments.delete_unknown)
    with _working(_conf(arguments)) as (data, stores):
        if request.store is not None and stores is not None and request.store not in stores:
            raise NotFound(kind="store", id=request.store)
        job = data.run(BeginVerification(verify_job(request)))
        assert job is not None, "a run that was asked for begins or raises"
        total = request.sample or data.run(CountCopies())
        ended = _follow(arguments, data, job.id, total)
        if ended.state != SUCCESS:
            raise Conflict(reason=f"The verification has failed: {ended.message}")
        run = next(each for each in data.run(ListVerifications(100)) if each.job_id == job.id)
        found = [each for each in _all(data) if each.found_at is not None and each.found_at >= run.began_at]
    return _report(run, found)


def _findings(arguments: argparse.Namespace) -> Result:
    with open_data(_conf(arguments)) as data:
        runs = data.run(ListVerifications(1))
        found = [each for _, each in zip(range(arguments.limit), _all(data), strict=False)]
    return _report(runs[0] if runs else None, found)


def _follow(arguments: argparse.Namespace, data: DataAccess, job_id: str, total: int) -> Job:
    """Return the job when it has ended."""
    while (job := data.run(GetJob(job_id))).state not in FINISHED:
        counts = job.checkpoint.get("counts")
        done = counts.get("copies", 0) if isinstance(counts, Mapping) else 0
        arguments.report_progress(done, total)
        time.sleep(LOOK_SECONDS)
    return job


def _all(data: DataAccess) -> Iterator[Finding]:
    after = 0
    while page := data.run(ListFindings(after, PAGE)):
        yield from page
        after = page[-1].id or 0


def _report(run: Verification | None, found: list[Finding]) -> Record:
    told: dict[str, object] = {}
    if run is not None:
        told = {"job_id": run.job_id, "began_at": run.began_at, "ended_at": run.ended_at, **run.counts}
    shown = tuple({name: value for name, value in asdict(each).items() if name != "id"} for each in found)
    exit_code = OPEN_FINDINGS if any(each.is_open for each in found) else 0
    return Record({**told, "findings": shown}, exit_code)


@contextmanager
def _working(conf: cfg.ConfigOpts) -> Iterator[tuple[DataAccess, list[str] | None]]:
    """Yield the data access, and the ids of the stores if this process runs the job itself."""
    if not has_database(conf):
        # A registry gives jobs to workers only.
        print("A worker of the service does the work; this command waits for it.", file=sys.stderr)
        with open_data(conf) as data:
            yield data, None
        return
    from glance_mini.bootstrap import open_verifier

    with ExitStack() as undo:
        services = open_verifier(conf, undo)
        yield services.data, services.stores.ids()


def _conf(arguments: argparse.Namespace) -> cfg.ConfigOpts:
    conf = load_configuration(arguments)
    validate(conf)
    return conf
