"""``glance-mini-manage migrate-from-glance`` and ``export``: the way from a Glance to this service, and back."""

import argparse
import csv
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, astuple
from datetime import timedelta
from pathlib import Path

from glance_mini.bootstrap import open_stores
from glance_mini.cmd.console import Subparsers, add_command, load_configuration
from glance_mini.cmd.manage_database import require_tables
from glance_mini.cmd.output import Record
from glance_mini.conf.validation import validate
from glance_mini.domain.clock import utcnow
from glance_mini.migration import glance_database
from glance_mini.migration.conversion import Conversion
from glance_mini.migration.export import Export
from glance_mini.migration.glance_config import read_glance_config, write_store_lines
from glance_mini.migration.remarks import AddRemark, Remarks
from glance_mini.migration.takeover import take_over
from glance_mini.notifications.opening import open_data

_EXAMPLE = "migrate-from-glance --config /etc/glance/glance-api.conf --dry-run"


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    migrate = add_command(
        commands,
        "migrate-from-glance",
        _migrate,
        text="take images over from the database of a Glance; may be repeated",
        example=_EXAMPLE,
        question=None,
        description="Take over images with their properties, tags, members and locations, ids of deleted images and "
        "records of tasks from the database of a Glance. Nothing in that database is changed, and the data of images "
        "stays where it is: this service must have the same stores. A further run takes over what has changed since. "
        "Prints how many were taken over, and what could not be.",
    )
    _add_config(migrate)
    migrate.add_argument("--dry-run", action="store_true", help="read and compare everything, and write nothing")
    migrate.add_argument(
        "--trust-locations",
        action="store_true",
        help="operators have added all http locations, so [import_filtering_opts] does not apply to them",
    )
    migrate.add_argument(
        "--stores-file",
        type=Path,
        metavar="FILE",
        help="only write the lines that configure the stores to a new file, for the configuration of this service",
    )
    _add_report(migrate)
    export = add_command(
        commands,
        "export",
        _export,
        text="write all images to the empty database of a Glance",
        example="export --to-glance --config /etc/glance/glance-api.conf",
        question=None,
        description="Write images with their properties, tags, members and locations, ids of deleted images, records "
        "of tasks and namespaces of metadata definitions to the database of a Glance that `glance-manage db sync` has "
        "made and that has no images. Either everything is written or nothing. The data of images stays where it is: "
        "the Glance must have the same stores. Stop this service before, so that nothing changes meanwhile.",
    )
    export.add_argument("--to-glance", action="store_true", required=True, help="the kind of database that is written")
    _add_config(export)
    _add_report(export)


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help="a configuration file of Glance, such as glance-api.conf; may be repeated, later files override earlier",
    )


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--report", type=Path, metavar="FILE", help="write all remarks to a CSV file")


def _migrate(arguments: argparse.Namespace) -> Record:
    glance = read_glance_config(arguments.config)
    if arguments.stores_file:
        write_store_lines(glance.store_lines, arguments.stores_file)
        return Record({"stores": glance.stores, "written": str(arguments.stores_file)})
    conf = load_configuration(arguments)
    validate(conf)
    require_tables(conf)
    with ExitStack() as undo:
        remarks = Remarks(undo.enter_context(_written_to(arguments.report)))
        stores = open_stores(conf)
        undo.callback(stores.close)
        conversion = Conversion(
            stores,
            remarks.add,
            cipher=glance.cipher,
            trust_locations=arguments.trust_locations,
            scrub_after=timedelta(seconds=conf.scrub_time),
            task_lifetime=timedelta(hours=conf.task.task_time_to_live),
        )
        source = undo.enter_context(glance_database.reading(glance.connection))
        data = undo.enter_context(open_data(conf))
        done = take_over(
            source,
            data,
            conversion,
            now=utcnow(),
            report=arguments.report_progress,
            is_rehearsal=arguments.dry_run,
        )
    return Record({"dry_run": arguments.dry_run, **_summary(done, remarks)})


def _export(arguments: argparse.Namespace) -> Record:
    glance = read_glance_config(arguments.config)
    conf = load_configuration(arguments)
    validate(conf)
    require_tables(conf)
    with ExitStack() as undo:
        remarks = Remarks(undo.enter_context(_written_to(arguments.report)))
        data = undo.enter_context(open_data(conf))
        target = undo.enter_context(glance_database.writing(glance.connection))
        done = Export(data, target, remarks.add, glance.cipher).run(utcnow(), arguments.report_progress)
    return Record({**done, **_remarks(remarks)})


def _summary(done: Mapping[str, Mapping[str, int]], remarks: Remarks) -> dict[str, object]:
    return {
        **{f"{kind.replace(' ', '_')}s": counts for kind, counts in done.items()},
        **_remarks(remarks),
    }


def _remarks(remarks: Remarks) -> dict[str, object]:
    return {
        "left_out": {kind: count for (kind, is_left_out), count in remarks.counts.items() if is_left_out},
        "remarks": sum(remarks.counts.values()),
        "first_remarks": tuple(asdict(remark) for remark in remarks.first),
    }


@contextmanager
def _written_to(path: Path | None) -> Iterator[AddRemark | None]:
    """Yield what writes remarks to a CSV file; None without a path."""
    if path is None:
        yield None
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("kind", "id", "reason", "is_left_out"))
        yield lambda remark: writer.writerow(astuple(remark))
