"""``glance-mini-manage db load_metadefs`` and its like: metadata definitions between the database and files."""

import argparse
import importlib.resources
from collections import Counter
from pathlib import Path

from glance_mini.cmd.console import Subparsers, add_command, load_configuration
from glance_mini.cmd.output import Record
from glance_mini.db.interface import DataAccess
from glance_mini.domain.metadefs import NamespaceQuery
from glance_mini.notifications.opening import open_data
from glance_mini.operations.metadef_loading import (
    ADDED,
    CHANGED,
    KEEP,
    KEPT,
    MERGE,
    OVERWRITE,
    PREFER_NEW,
    RemoveNamespaces,
    WriteNamespaces,
)
from glance_mini.operations.metadefs import GetNamespace, GetNamespaces, ListResourceTypes

DEFAULT_FILES = Path(str(importlib.resources.files("glance_mini"))) / "etc" / "metadefs"
"""The definitions that come with the program."""

PAGE = 100
"""Namespaces that are listed together."""


def add_commands(group: Subparsers) -> None:
    """Add the commands of this file to those of the group ``db``."""
    load = add_command(
        group,
        "load_metadefs",
        _load,
        text="load metadata definitions from files; a namespace that exists stays as it is",
        example="db load_metadefs /etc/glance-mini/metadefs --merge",
        question=None,
    )
    _add_path(load, "a file or a directory of *.json files (metadata_source_path, or those that come with the program)")
    load.add_argument("--merge", action="store_true", help="add to namespaces that exist what they lack")
    choice = load.add_mutually_exclusive_group()
    choice.add_argument(
        "--prefer_new",
        "--prefer-new",
        action="store_true",
        help="merge, and replace what differs by what is in the file",
    )
    choice.add_argument("--overwrite", action="store_true", help="replace namespaces that exist, with all their parts")
    add_command(
        group,
        "unload_metadefs",
        _unload,
        text="remove all metadata definitions, also those that are protected",
        example="db unload_metadefs --yes",
        question=lambda arguments: "Remove all metadata definitions?",
    )
    export = add_command(
        group,
        "export_metadefs",
        _export,
        text="write each namespace of metadata definitions to a file",
        example="db export_metadefs /var/backups/metadefs",
        question=None,
    )
    _add_path(export, "the directory for the files; it is made if it is missing (the present directory)")


def load_default_set(data: DataAccess) -> None:
    """Load the definitions that come with the program, all or none, unless there have been definitions before.

    Resource types stay when definitions are removed, so that what an operator removes does not come back.
    """
    from glance_mini.cmd.metadef_files import find_files, read_file

    if not data.run(ListResourceTypes()):
        data.run(WriteNamespaces(tuple(map(read_file, find_files(DEFAULT_FILES)))))


def _add_path(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("place", nargs="?", type=Path, metavar="PATH", help=text)
    parser.add_argument("--path", type=Path, metavar="PATH", help="the same")


def _load(arguments: argparse.Namespace) -> Record:
    from glance_mini.cmd.metadef_files import find_files, read_file

    mode = _mode(arguments)
    conf = load_configuration(arguments)
    files = find_files(arguments.place or arguments.path or Path(conf.metadata_source_path or DEFAULT_FILES))
    # All files are read before anything is written.
    contents = [read_file(path) for path in files]
    done: Counter[str] = Counter()
    with open_data(conf) as data:
        for number, content in enumerate(contents, 1):
            done.update(data.run(WriteNamespaces((content,), mode)))
            arguments.report_progress(number, len(contents))
    return Record({"added": done[ADDED], "changed": done[CHANGED], "kept": done[KEPT]})


def _mode(arguments: argparse.Namespace) -> str:
    if arguments.overwrite:
        return OVERWRITE
    if arguments.prefer_new:
        return PREFER_NEW
    return MERGE if arguments.merge else KEEP


def _unload(arguments: argparse.Namespace) -> Record:
    with open_data(load_configuration(arguments)) as data:
        return Record({"removed": data.run(RemoveNamespaces())})


def _export(arguments: argparse.Namespace) -> Record:
    from glance_mini.cmd.metadef_files import write_file

    directory = arguments.place or arguments.path or Path()
    directory.mkdir(parents=True, exist_ok=True)
    written, marker = 0, None
    with open_data(load_configuration(arguments)) as data:
        while True:
            query = NamespaceQuery(sort_key="namespace", sort_dir="asc", marker=marker, limit=PAGE)
            page = data.run(GetNamespaces(query))
            for each in page.namespaces:
                write_file(directory, data.run(GetNamespace(each.namespace.name)))
                written += 1
                arguments.report_progress(written, None)
            marker = page.next_marker
            if marker is None:
                return Record({"written": written})
