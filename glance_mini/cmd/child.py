"""Runs work in a child process, so that the modules it imports do not stay in memory."""

import os
import sys
import traceback
from collections.abc import Callable

from glance_mini.cmd.expected import EXPECTED, describe
from glance_mini.domain.errors import ConfigurationError

_TEXT_LIMIT = 64 * 1024


def run_in_child(work: Callable[[], object]) -> None:
    """Call ``work`` in a child process and wait for its end; raises ConfigurationError with the text of its error."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        os._exit(_work(work, writing))
    os.close(writing)
    with open(reading, "rb") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise ConfigurationError(reason=text.decode(errors="replace") or "A process ended before its work was done.")


def _work(work: Callable[[], object], writing: int) -> int:
    try:
        work()
    except EXPECTED as error:
        text = describe(error)
    except BaseException as error:
        traceback.print_exc()
        text = repr(error)
    else:
        return 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    # A pipe takes this much without a reader.
    os.write(writing, text.encode(errors="replace")[:_TEXT_LIMIT])
    return 1
