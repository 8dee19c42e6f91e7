"""``glance-mini-manage``: the commands of operators; one file for each group."""

import argparse
import sys
from collections.abc import Sequence

from glance_mini.cmd import (
    console,
    manage_config,
    manage_database,
    manage_images,
    manage_jobs,
    manage_layers,
    manage_users,
)

PROGRAM = "glance-mini-manage"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (None: that of the process) and return the exit code."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Manage an image service. Commands read the configuration that --config-file or --state names, "
        "or the one in the usual state directory.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in (manage_config, manage_database, manage_users, manage_layers, manage_jobs, manage_images):
        group.add_parser(commands)
    arguments = parser.parse_args(argv)
    return console.run(arguments.command, arguments, PROGRAM)


if __name__ == "__main__":
    sys.exit(main())
