"""The errors that end a command with a message and no trace, and the words for them."""

import os
import sys

from oslo_config import cfg

from glance_mini.domain.errors import GlanceMiniError
from glance_mini_store.errors import StoreError

EXPECTED = (GlanceMiniError, StoreError, cfg.Error, OSError)


def describe(error: BaseException) -> str:
    """Return the text of one of the ``EXPECTED`` errors: for a file its path and the reason."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error)


def print_error(program: str, error: BaseException) -> None:
    """Print the line of ``program`` for one of the ``EXPECTED`` errors on standard error."""
    print(f"{program}: {describe(error)}", file=sys.stderr, flush=True)
