"""``glance-mini-manage layers``: the layers that an operation passes."""

import argparse
from contextlib import ExitStack

from glance_mini.bootstrap import open_services, open_stack
from glance_mini.cmd.console import Subparsers, add_command, load_configuration
from glance_mini.cmd.output import Record, Result, Rows
from glance_mini.conf.validation import validate
from glance_mini.domain.errors import NotFound
from glance_mini.operations import OPERATIONS


def add_parser(commands: Subparsers) -> None:
    """Add the command of this file."""
    layers = add_command(
        commands,
        "layers",
        _layers,
        text="show which layers an operation passes",
        description="Show the layers that handle each operation, or one, from the outermost to the innermost.",
        example="layers update_image",
        question=None,
    )
    layers.add_argument("operation", nargs="?", metavar="OPERATION", help="its name, for example update_image")


def _layers(arguments: argparse.Namespace) -> Result:
    names = [operation.name for operation in OPERATIONS if not operation.internal]
    wanted = arguments.operation
    if wanted and wanted not in (operation.name for operation in OPERATIONS):
        raise NotFound(kind="operation", id=wanted)
    conf = load_configuration(arguments)
    validate(conf)
    with ExitStack() as undo:
        stack = open_stack(conf, open_services(conf, undo), undo)
        paths = [(name, " → ".join(stack.path(name))) for name in ([wanted] if wanted else names)]
    return Record({"layers": paths[0][1]}) if wanted else Rows(("operation", "layers"), paths)
