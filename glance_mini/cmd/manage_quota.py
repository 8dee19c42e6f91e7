"""``glance-mini-manage quota``: the limits of projects without Keystone."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from oslo_config import cfg

from glance_mini.cmd.console import Subparsers, add_command, load_configuration, positive
from glance_mini.cmd.output import Rows
from glance_mini.conf.validation import validate
from glance_mini.db.interface import DataAccess
from glance_mini.domain.errors import Invalid
from glance_mini.domain.quota import COUNTED, IN_BYTES, RESOURCES
from glance_mini.domain.units import parse_size
from glance_mini.layers.quota.limits import stored_limits
from glance_mini.notifications.opening import open_data
from glance_mini.operations.records import CountUsage, GetProjectLimits, ListProjects, SetProjectLimits

UNLIMITED = "unlimited"
DEFAULT = "default"

_LARGEST = 2**63 - 1
_COLUMNS = ("project", "resource", "used", "limit", "is_own")


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    quota = commands.add_parser("quota", help="the limits of projects without Keystone")
    group = quota.add_subparsers(metavar="COMMAND", required=True)
    show = add_command(
        group,
        "show",
        _show,
        text="show what projects use and may use, in bytes and numbers",
        description="Show what projects use and may use, in bytes and numbers; no limit is left empty. A limit that is "
        "the project's own comes from `quota set`, any other from the option user_storage_quota.",
        example="quota show --project lab",
        question=None,
    )
    show.add_argument("--project", metavar="PROJECT", help="only this project")
    show.add_argument("--limit", type=positive, default=1000, metavar="N", help="maximum number of projects (1000)")
    change = add_command(
        group,
        "set",
        _set,
        text="set limits of a project and show them",
        description="Set limits of a project and show them. A running service follows within ten seconds. "
        f"Resources: {', '.join(RESOURCES)}. A limit of bytes may have a unit B, KB, MB, GB or TB; "
        f"'{UNLIMITED}' removes the limit, and '{DEFAULT}' gives the project the default again.",
        example="quota set --project lab image_size_total=500GB image_count_total=100",
        question=None,
    )
    change.add_argument("--project", metavar="PROJECT", required=True, help="the project")
    change.add_argument("limits", nargs="+", type=_limit, metavar="RESOURCE=LIMIT", help="the limit of a resource")


def _show(arguments: argparse.Namespace) -> Rows:
    rows: list[tuple[object, ...]] = []
    with _data(arguments) as (conf, data):
        projects = (arguments.project,) if arguments.project else data.run(ListProjects(arguments.limit))
        for number, project in enumerate(projects):
            rows += _rows_of(project, conf, data)
            arguments.report_progress(number, len(projects))
    return Rows(_COLUMNS, rows)


def _set(arguments: argparse.Namespace) -> Rows:
    with _data(arguments) as (conf, data):
        data.run(SetProjectLimits(arguments.project, dict(arguments.limits)))
        return Rows(_COLUMNS, list(_rows_of(arguments.project, conf, data)))


def _rows_of(project: str, conf: cfg.ConfigOpts, data: DataAccess) -> Iterator[tuple[object, ...]]:
    own, used = data.run(GetProjectLimits(project)), data.run(CountUsage(project))
    limits = stored_limits(own, parse_size(conf.user_storage_quota)).limits
    for resource in COUNTED:
        yield project, resource, used[resource], limits.get(resource), resource in own


def _limit(text: str) -> tuple[str, int | None]:
    """Return resource and limit (-1: none, None: the default), for argparse; raises ArgumentTypeError."""
    resource, _, limit = text.partition("=")
    if resource not in RESOURCES:
        raise argparse.ArgumentTypeError(f"'{resource}' is none of {', '.join(RESOURCES)}")
    words = {UNLIMITED: -1, "-1": -1, DEFAULT: None}
    if limit in words:
        return resource, words[limit]
    try:
        number = parse_size(limit if resource in IN_BYTES else f"{int(limit)}B")
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{limit}' is no limit for {resource}") from error
    return resource, min(number, _LARGEST)


@contextmanager
def _data(arguments: argparse.Namespace) -> Iterator[tuple[cfg.ConfigOpts, DataAccess]]:
    conf = load_configuration(arguments)
    validate(conf)
    if conf.use_keystone_limits:
        raise Invalid(reason="use_keystone_limits is on: Keystone holds the limits, see `openstack limit`.")
    with open_data(conf) as data:
        yield conf, data
