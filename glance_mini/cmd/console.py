"""What all commands share: the arguments that name a configuration, and one clear line for each error."""

import argparse
import sys
import textwrap
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oslo_config import cfg

from glance_mini import conf as configuration
from glance_mini.cmd.expected import EXPECTED, print_error
from glance_mini.cmd.output import FORMATS, Result, print_result
from glance_mini.cmd.progress import progress
from glance_mini.domain.errors import Invalid
from glance_mini.standalone.state import Source, find_configuration

FAILED = 1
"""The exit code of a command that could not do its work; 2 is argparse's, for wrong arguments."""

EXIT_CODES = "Exit codes: 0 done; 1 not done, and standard error says why; 2 wrong arguments; 130 interrupted."

MANAGE = "glance-mini-manage"

Command = Callable[[argparse.Namespace], int]
ManageCommand = Callable[[argparse.Namespace], Result]

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Subparsers = argparse._SubParsersAction


def configuration_arguments() -> argparse.ArgumentParser:
    """Return the parent of parsers that take ``--config-file`` and ``--state``."""
    parent = argparse.ArgumentParser(add_help=False)
    group = parent.add_mutually_exclusive_group()
    group.add_argument(
        "--config-file",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a configuration file; may be repeated, later files override earlier ones",
    )
    group.add_argument("--state", type=Path, metavar="DIR", help="the state directory that holds the configuration")
    return parent


def find_source(arguments: argparse.Namespace) -> Source:
    """Return the source of the configuration that the arguments name; raises ConfigurationError."""
    return find_configuration(arguments.config_file, arguments.state)


def load_configuration(arguments: argparse.Namespace) -> cfg.ConfigOpts:
    """Return the configuration that the arguments name; raises ConfigurationError and what oslo.config raises."""
    return configuration.load(files=find_source(arguments).existing_files())


def add_command(
    group: Subparsers,
    name: str,
    command: ManageCommand,
    *,
    text: str,
    example: str,
    question: Callable[[argparse.Namespace], str] | None,
    description: str | None = None,
    prepare: Callable[[argparse.Namespace], None] | None = None,
    parents: Sequence[argparse.ArgumentParser] = (),
) -> argparse.ArgumentParser:
    """Add a command of ``glance-mini-manage`` to ``group`` and return its parser.

    ``text`` says what it does and ``example`` shows a command line without the program. ``question`` returns what is
    asked before something that cannot be undone; None if it can be undone. ``prepare`` reads a password or the like,
    before the work begins. ``parents`` have further arguments. The command finds ``report_progress``
    (``progress.Report``) among its arguments.
    """
    parser = group.add_parser(
        name,
        parents=[configuration_arguments(), *parents],
        help=text,
        description=textwrap.fill(description or f"{text[0].upper()}{text[1:]}.", 80),
        epilog=f"Example:\n  {MANAGE} {example}\n\n{textwrap.fill(EXIT_CODES, 80)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--format", choices=FORMATS, default="table", help="how the result is printed (table)")
    if question:
        parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    parser.set_defaults(command=command, question=question, prepare=prepare, text=text, example=example)
    return parser


def manage(arguments: argparse.Namespace) -> int:
    """Run a command that ``add_command`` added, print its result and return its exit code.

    Raises Invalid if the user does not confirm what cannot be undone, and what the command raises.
    """
    if arguments.question and not arguments.yes:
        _confirm(arguments.question(arguments))
    if arguments.prepare:
        arguments.prepare(arguments)
    with progress(arguments.text) as arguments.report_progress:
        result: Result = arguments.command(arguments)
    print_result(result, arguments.format)
    return result.exit_code


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise Invalid(reason=f"{question} This cannot be undone. Give --yes, because there is no terminal to ask on.")
    print(f"{question} This cannot be undone. [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Invalid(reason="Nothing was changed.")


def positive(text: str) -> int:
    """Return ``text`` as a number, for argparse; raises ValueError below 1."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def run(command: Command, arguments: argparse.Namespace, program: str) -> int:
    """Return the exit code of ``command``; an expected error becomes one line on standard error.

    Python's warnings, which libraries address to developers, are shown only if ``PYTHONWARNINGS`` or ``-W`` asks.
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        return command(arguments)
    except KeyboardInterrupt:
        return 130
    except EXPECTED as error:
        print_error(program, error)
        return FAILED
