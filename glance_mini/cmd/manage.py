"""``glance-mini-manage``: the commands of operators; one file for each group."""

import argparse
import os
import sys
from collections.abc import Sequence

from glance_mini.cmd import (
    console,
    manage_backup,
    manage_cache,
    manage_config,
    manage_database,
    manage_images,
    manage_jobs,
    manage_layers,
    manage_migration,
    manage_quota,
    manage_registry,
    manage_samples,
    manage_store,
    manage_users,
)

_GROUPS = (
    manage_config,
    manage_database,
    manage_users,
    manage_quota,
    manage_layers,
    manage_jobs,
    manage_images,
    manage_store,
    manage_cache,
    manage_backup,
    manage_migration,
    manage_registry,
    manage_samples,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (None: that of the process) and return the exit code."""
    parser = make_parser()
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)
    return console.run(console.manage, parser.parse_args(argv), console.MANAGE)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog=console.MANAGE,
        description="Manage an image service. Commands read the configuration that --config-file or --state names, "
        "or the one in the usual state directory.",
        epilog=console.EXIT_CODES,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in _GROUPS:
        group.add_parser(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
