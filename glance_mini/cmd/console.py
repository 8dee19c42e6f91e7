"""What all commands share: the arguments that name a configuration, and one clear line for each error."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from oslo_config import cfg

from glance_mini import conf as configuration
from glance_mini.cmd.expected import EXPECTED, print_error
from glance_mini.standalone.state import Source, find_configuration

FAILED = 1
"""The exit code of a command that could not do its work; 2 is argparse's, for wrong arguments."""

Command = Callable[[argparse.Namespace], int]

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


def positive(text: str) -> int:
    """Return ``text`` as a number, for argparse; raises ValueError below 1."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def run(command: Command, arguments: argparse.Namespace, program: str) -> int:
    """Return the exit code of ``command``; an expected error becomes one line on standard error."""
    try:
        return command(arguments)
    except KeyboardInterrupt:
        return 130
    except EXPECTED as error:
        print_error(program, error)
        return FAILED
