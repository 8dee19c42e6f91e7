"""``glance-mini``: starts the service."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from glance_mini.cmd import console
from glance_mini.cmd.serve_arguments import serve_arguments

PROGRAM = "glance-mini"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (None: that of the process) and return the exit code."""
    arguments = _parser().parse_args(argv)
    return console.run(arguments.command, arguments, PROGRAM)


def _serve(arguments: argparse.Namespace) -> int:
    from glance_mini.cmd.start import start

    return start(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="An image service that speaks the OpenStack Images API.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('glance_mini')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    serve = commands.add_parser(
        "serve",
        parents=[console.configuration_arguments(), serve_arguments()],
        help="start the service",
        description="Start the service. Without a configuration it makes one in its state directory, which is "
        "$XDG_STATE_HOME/glance-mini unless --state names another.",
    )
    serve.set_defaults(command=_serve)
    return parser


if __name__ == "__main__":
    sys.exit(main())
