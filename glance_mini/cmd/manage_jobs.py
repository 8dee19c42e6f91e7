"""``glance-mini-manage jobs``: the jobs of the workers.

The input and the progress of a job are not shown, because they may hold URLs with passwords.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import timedelta

from oslo_config import cfg

from glance_mini.cmd.console import Subparsers, add_command, load_configuration, positive
from glance_mini.cmd.output import Record, Rows
from glance_mini.conf.validation import validate
from glance_mini.db.interface import DataAccess
from glance_mini.domain.job import JOB_STATES, Job, JobQuery
from glance_mini.notifications.opening import open_data
from glance_mini.operations.jobs import CancelJob, GetJob, RetryJob
from glance_mini.operations.tasks import ListTasks

PAGE = 500

_EXAMPLE_ID = "0d1f8a5e-5b1c-4f0b-9c5e-2f4f3c0a7b11"
_HIDDEN = {"input", "checkpoint", "token"}
_COLUMNS = ("id", "kind", "state", "attempts", "project_id", "created_at", "message")


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    group = commands.add_parser("jobs", help="the jobs of the workers").add_subparsers(metavar="COMMAND", required=True)
    show_all = add_command(
        group,
        "list",
        _list,
        text="show jobs, the newest first",
        example="jobs list --status failure --format csv",
        question=None,
    )
    show_all.add_argument("--status", choices=JOB_STATES, help="only those in this state")
    show_all.add_argument("--kind", metavar="KIND", help="only those of this kind")
    show_all.add_argument("--project", metavar="PROJECT", help="only those of this project")
    show_all.add_argument("--limit", type=positive, default=1000, metavar="N", help="maximum number of jobs (1000)")
    text = "let workers try a failed job again, from its beginning"
    of_one = [
        add_command(group, "show", _show, text="show one job", example=f"jobs show {_EXAMPLE_ID}", question=None),
        add_command(group, "retry", _retry, text=text, example=f"jobs retry {_EXAMPLE_ID}", question=None),
        add_command(
            group,
            "cancel",
            _cancel,
            text="cancel a job; a running one stops at its next step",
            example=f"jobs cancel {_EXAMPLE_ID} --yes",
            question=lambda arguments: f"Cancel the job {arguments.id}?",
        ),
    ]
    for parser in of_one:
        parser.add_argument("id", metavar="ID", help="the job")


def _list(arguments: argparse.Namespace) -> Rows:
    query = JobQuery(
        kinds=(arguments.kind,) if arguments.kind else (),
        state=arguments.status,
        project_id=arguments.project,
    )
    with _data(arguments) as data:
        jobs = list(_pages(data, query, arguments.limit))
    return Rows(_COLUMNS, [tuple(getattr(job, name) for name in _COLUMNS) for job in jobs])


def _pages(data: DataAccess, query: JobQuery, wanted: int) -> Iterator[Job]:
    while wanted:
        page = data.run(ListTasks(replace(query, limit=min(PAGE, wanted))))
        yield from page.jobs
        if page.next_marker is None:
            return
        wanted -= len(page.jobs)
        query = replace(query, marker=page.next_marker)


def _show(arguments: argparse.Namespace) -> Record:
    with _data(arguments) as data:
        job = data.run(GetJob(arguments.id))
    return Record({field.name: getattr(job, field.name) for field in fields(job) if field.name not in _HIDDEN})


def _retry(arguments: argparse.Namespace) -> Record:
    with _data(arguments) as data:
        return Record({"state": data.run(RetryJob(arguments.id)).state})


def _cancel(arguments: argparse.Namespace) -> Record:
    conf = _conf(arguments)
    keep = timedelta(hours=conf.task.task_time_to_live)
    with open_data(conf) as data:
        return Record({"state": data.run(CancelJob(arguments.id, keep)).state})


@contextmanager
def _data(arguments: argparse.Namespace) -> Iterator[DataAccess]:
    with open_data(_conf(arguments)) as data:
        yield data


def _conf(arguments: argparse.Namespace) -> cfg.ConfigOpts:
    conf = load_configuration(arguments)
    validate(conf)
    return conf
