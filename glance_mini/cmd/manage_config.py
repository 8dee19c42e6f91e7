"""``glance-mini-manage config``: whether the service can start with its configuration, and what its options are."""

import argparse
import sys
from collections.abc import Callable
from contextlib import ExitStack

from oslo_config import cfg

from glance_mini.api.v2.schemas.custom_properties import read_custom_properties
from glance_mini.bootstrap import open_stores, rehearse
from glance_mini.cmd.console import FAILED, Subparsers, add_command, load_configuration
from glance_mini.cmd.expected import EXPECTED, describe
from glance_mini.cmd.output import Record, Rows
from glance_mini.cmd.serve_arguments import apply_arguments, serve_arguments
from glance_mini.conf.effective import effective_options
from glance_mini.conf.validation import examine, unusable_values
from glance_mini.db.factory import open_data_access
from glance_mini.imports.method_rules import load_method_rules
from glance_mini.policies.enforcer import Enforcer

_HIDDEN = "***"


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    parents = [serve_arguments()]
    group = commands.add_parser("config", help="the configuration").add_subparsers(metavar="COMMAND", required=True)
    add_command(
        group,
        "check",
        _check,
        parents=parents,
        example="config check --config-file /etc/glance-mini/glance-mini.conf",
        question=None,
        text="check whether the service can start with the configuration",
        description="Print all that is wrong with the configuration and with the files that it names; the exit code is "
        "then 1. The other arguments are those of `glance-mini serve`. Databases, brokers and web servers are not "
        "asked. Run it as the user of the service, because it creates missing directories of stores.",
    )
    add_command(
        group,
        "show",
        _show,
        parents=parents,
        example="config show --format csv",
        question=None,
        text="show the value of each option and where it comes from",
        description="Show the options of the service and of its stores, and those of libraries that are set, with "
        "their values and where these come from. Secrets are hidden. The other arguments are those of `glance-mini "
        "serve`.",
    )


def _check(arguments: argparse.Namespace) -> Record:
    conf = _load(arguments)
    findings = examine(conf)
    problems = list(findings.problems)
    if not any(unusable_values(conf)):
        problems += _unusable_parts(conf)
    for warning in findings.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if not problems:
        return Record({"state": "The service can start with this configuration."})
    return Record({"problems": tuple(dict.fromkeys(problems))}, FAILED)


def _unusable_parts(conf: cfg.ConfigOpts) -> list[str]:
    """Return why parts of the service cannot be made, or if all of them can, why the whole cannot."""
    with ExitStack() as undo:
        return [text for make in _PARTS for text in _problem(make, conf, undo)] or _problem(
            lambda conf, _: rehearse(conf), conf, undo
        )


def _problem(make: Callable[[cfg.ConfigOpts, ExitStack], object], conf: cfg.ConfigOpts, undo: ExitStack) -> list[str]:
    try:
        make(conf, undo)
    except EXPECTED as error:
        return [describe(error)]
    return []


_PARTS: tuple[Callable[[cfg.ConfigOpts, ExitStack], object], ...] = (
    lambda conf, undo: undo.callback(open_data_access(conf).close),
    lambda conf, undo: undo.callback(open_stores(conf).close),
    lambda conf, undo: Enforcer.from_config(conf),
    lambda conf, undo: load_method_rules(conf),
    lambda conf, undo: read_custom_properties(conf),
)


def _show(arguments: argparse.Namespace) -> Rows:
    rows = [
        (option.section, option.name, _HIDDEN if option.is_secret and option.value else option.value, option.source)
        for option in effective_options(_load(arguments))
    ]
    return Rows(("section", "option", "value", "source"), rows)


def _load(arguments: argparse.Namespace) -> cfg.ConfigOpts:
    conf = load_configuration(arguments)
    apply_arguments(arguments, conf)
    return conf
