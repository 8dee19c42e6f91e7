"""A process that runs the command line clients again and again: most of their time they import themselves.

It reads a JSON list from each line of its input, a program and its arguments, and answers with a line of JSON: the exit
code, standard output, and standard error.
"""

import contextlib
import io
import json
import os
import sys

from glanceclient import shell as glance
from openstackclient import shell as openstack


def run(program, words):
    """Return exit code and output of one call, made as the script of that name does."""
    out, err = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            if program == "openstack":
                code = openstack.main(words)
            else:
                sys.argv = ["glance", *words]
                code = glance.main() or 0
        except SystemExit as leaving:
            code = leaving.code or 0
    return [code, *(each.buffer.getvalue().decode(errors="replace") for each in (out, err))]


def main():
    calls, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    # The clients take what is no terminal for the data of an image.
    _, terminal = os.openpty()
    for number in (0, 1):
        os.dup2(terminal, number)
    sys.stdin = os.fdopen(0)
    for line in calls:
        program, *words = json.loads(line)
        print(json.dumps(run(program, words)), file=answers, flush=True)


if __name__ == "__main__":
    main()
