"""``glance-mini-manage``: the commands of operators; one file for each group.

Only the group that the command line names is imported: the others take a second that ``--help``, a shell's completion
and every other command would wait for.
"""

import argparse
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from importlib import import_module

from glance_mini.cmd import console
from glance_mini.cmd.importing import without_collector

_GROUPS: Mapping[str, Mapping[str, str]] = {
    "manage_config": {"config": "the configuration"},
    "manage_database": {"db": "the database"},
    "manage_users": {"user": "users without Keystone"},
    "manage_quota": {"quota": "the limits of projects without Keystone"},
    "manage_layers": {"layers": "show which layers an operation passes"},
    "manage_jobs": {"jobs": "the jobs of the workers"},
    "manage_images": {"images": "soft-deleted images, and chains"},
    "manage_store": {"store": "the verification of stored data"},
    "manage_cache": {"cache": "the cache of image data of this node"},
    "manage_backup": {
        "backup": "write a state directory to a file, also while the service runs",
        "restore": "make a state directory from a backup",
    },
    "manage_migration": {
        "migrate-from-glance": "take images over from the database of a Glance; may be repeated",
        "export": "write all images to the empty database of a Glance",
    },
    "manage_registry": {"registry": "the registry service"},
    "manage_samples": {"samples": "write sample files and completion files to a directory"},
}
"""The modules with commands, and the first words of these with their help, in the order of ``--help``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (None: that of the process) and return the exit code."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(make_parser(os.environ.get("COMP_LINE", "").split()))
    words = sys.argv[1:] if argv is None else argv
    with without_collector():
        parser = make_parser(words)
    return console.run(console.manage, parser.parse_args(words), console.MANAGE)


def make_parser(words: Collection[str] | None = None) -> argparse.ArgumentParser:
    """Return the parser of the commands of which a first word is among ``words``; None: of all.

    It knows no more of the others than their help.
    """
    parser = argparse.ArgumentParser(
        prog=console.MANAGE,
        description="Manage an image service. Commands read the configuration that --config-file or --state names, "
        "or the one in the usual state directory.",
        epilog=console.EXIT_CODES,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module, names in _GROUPS.items():
        if words is None or not names.keys().isdisjoint(words):
            import_module(f"{__package__}.{module}").add_parser(commands)
        else:
            for name, text in names.items():
                commands.add_parser(name, help=text)
    return parser


if __name__ == "__main__":
    sys.exit(main())
