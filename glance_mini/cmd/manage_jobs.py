"""``glance-mini-manage jobs``: the jobs of the workers.

The input and the progress of a job are not shown, because they may hold URLs with passwords.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import timedelta

from oslo_config import cfg

from glance_mini.bootstrap import open_data
from glance_mini.cmd.console import Subparsers, configuration_arguments, load_configuration, positive
from glance_mini.cmd.tables import cell, print_table
from glance_mini.conf.validation import validate
from glance_mini.db.interface import DataAccess
from glance_mini.domain.job import JOB_STATES, Job, JobQuery
from glance_mini.operations.jobs import CancelJob, GetJob, RetryJob
from glance_mini.operations.tasks import ListTasks

PAGE = 500

_HIDDEN = {"input", "checkpoint", "token"}
_COLUMNS = ("id", "kind", "state", "attempts", "project_id", "created_at", "message")


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    common = configuration_arguments()
    group = commands.add_parser("jobs", help="the jobs of the workers").add_subparsers(metavar="COMMAND", required=True)
    show_all = group.add_parser("list", parents=[common], help="show jobs, the newest first")
    show_all.add_argument("--status", choices=JOB_STATES, help="only those in this state")
    show_all.add_argument("--kind", metavar="KIND", help="only those of this kind")
    show_all.add_argument("--project", metavar="PROJECT", help="only those of this project")
    show_all.add_argument("--limit", type=positive, default=1000, metavar="N", help="maximum number of jobs (1000)")
    show_all.set_defaults(command=_list)
    _add(group, "show", _show, "show one job")
    _add(group, "retry", _retry, "let workers try a failed job again, from its beginning")
    _add(group, "cancel", _cancel, "cancel a job; a running one stops at its next step")


def _add(group: Subparsers, name: str, command: Callable[[argparse.Namespace], int], text: str) -> None:
    parser = group.add_parser(name, parents=[configuration_arguments()], help=text)
    parser.add_argument("id", metavar="ID", help="the job")
    parser.set_defaults(command=command)


def _list(arguments: argparse.Namespace) -> int:
    query = JobQuery(
        kinds=(arguments.kind,) if arguments.kind else (),
        state=arguments.status,
        project_id=arguments.project,
    )
    with _data(arguments) as data:
        rows = [tuple(cell(getattr(job, name)) for name in _COLUMNS) for job in _pages(data, query, arguments.limit)]
    print_table(tuple(name.upper() for name in _COLUMNS), rows)
    return 0


def _pages(data: DataAccess, query: JobQuery, wanted: int) -> Iterator[Job]:
    while wanted:
        page = data.run(ListTasks(replace(query, limit=min(PAGE, wanted))))
        yield from page.jobs
        if page.next_marker is None:
            return
        wanted -= len(page.jobs)
        query = replace(query, marker=page.next_marker)


def _show(arguments: argparse.Namespace) -> int:
    with _data(arguments) as data:
        job = data.run(GetJob(arguments.id))
    for field in fields(job):
        if field.name not in _HIDDEN:
            print(f"{field.name}: {cell(getattr(job, field.name))}".rstrip())
    return 0


def _retry(arguments: argparse.Namespace) -> int:
    with _data(arguments) as data:
        print(data.run(RetryJob(arguments.id)).state)
    return 0


def _cancel(arguments: argparse.Namespace) -> int:
    conf = _conf(arguments)
    keep = timedelta(hours=conf.task.task_time_to_live)
    with open_data(conf) as data:
        print(data.run(CancelJob(arguments.id, keep)).state)
    return 0


@contextmanager
def _data(arguments: argparse.Namespace) -> Iterator[DataAccess]:
    with open_data(_conf(arguments)) as data:
        yield data


def _conf(arguments: argparse.Namespace) -> cfg.ConfigOpts:
    conf = load_configuration(arguments)
    validate(conf)
    return conf
