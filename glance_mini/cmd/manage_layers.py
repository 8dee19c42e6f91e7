"""``glance-mini-manage layers``: the layers that an operation passes."""

import argparse
from contextlib import ExitStack

from glance_mini.bootstrap import open_services, open_stack
from glance_mini.cmd.console import Subparsers, configuration_arguments, load_configuration
from glance_mini.conf.validation import validate
from glance_mini.domain.errors import NotFound
from glance_mini.operations import OPERATIONS


def add_parser(commands: Subparsers) -> None:
    """Add the command of this file."""
    layers = commands.add_parser(
        "layers",
        parents=[configuration_arguments()],
        help="show which layers an operation passes",
        description="Show the layers that handle each operation, or one, from the outermost to the innermost.",
    )
    layers.add_argument("operation", nargs="?", metavar="OPERATION", help="its name, for example update_image")
    layers.set_defaults(command=_layers)


def _layers(arguments: argparse.Namespace) -> int:
    names = [operation.name for operation in OPERATIONS if not operation.internal]
    wanted = arguments.operation
    if wanted and wanted not in (operation.name for operation in OPERATIONS):
        raise NotFound(kind="operation", id=wanted)
    conf = load_configuration(arguments)
    validate(conf)
    with ExitStack() as undo:
        stack = open_stack(conf, open_services(conf, undo), undo)
        for name in [wanted] if wanted else names:
            path = " → ".join(stack.path(name))
            print(path if wanted else f"{name}: {path}")
    return 0
