"""``glance-mini``: starts the service, and moves disks to and from one."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from glance_mini.cmd import console
from glance_mini.cmd.expected import print_error
from glance_mini.cmd.importing import without_collector
from glance_mini.cmd.serve_arguments import serve_arguments
from glance_mini.domain.errors import ConfigurationError

PROGRAM = "glance-mini"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (None: that of the process) and return the exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        with without_collector():
            parser = make_parser(words)
        arguments = parser.parse_args(words)
    except ConfigurationError as error:
        print_error(PROGRAM, error)
        return console.FAILED
    return console.run(arguments.command, arguments, PROGRAM)


def _serve(arguments: argparse.Namespace) -> int:
    from glance_mini.cmd.start import start

    return start(arguments)


def make_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of all commands; ``push`` and ``pull`` have their arguments if ``words`` begins with them."""
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
    _add_transfers(commands, words)
    return parser


def _add_transfers(commands: console.Subparsers, words: Sequence[str]) -> None:
    """Add ``push`` and ``pull``; openstacksdk, which has most of their options, is imported for them only."""
    push = commands.add_parser(
        "push",
        help="upload a disk, and above a base only what differs",
        description="Upload a disk to an image service. With --base only the blocks that differ from the disk of that "
        "image are sent, and the new image is incremental. The cloud is named as for the openstack command.",
    )
    pull = commands.add_parser(
        "pull",
        help="download an image, and above a local disk only what differs",
        description="Download an image. A pull that broke off goes on where it was. With --base only the blocks that "
        "differ from that disk are received, and FILE is a qcow2 above it. The cloud is named as for the openstack "
        "command.",
    )
    if words[:1] == ["push"]:
        from glance_mini.cmd.transfers.push import add_push

        add_push(push, words)
    elif words[:1] == ["pull"]:
        from glance_mini.cmd.transfers.pull import add_pull

        add_pull(pull, words)


if __name__ == "__main__":
    sys.exit(main())
