"""Runs stestr with the arguments given, then once more, in one process, the tests that did not pass.

It exits with 0 where all have passed in the end; ``count.py`` says which needed that. The arguments are those of
``stestr ... run ...``; the runs are kept in the ``.stestr`` of the checkout.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from count import REPEATED, WELL, belongs_to, tests_of
from stestr.commands.run import Run
from stestr.repository.abstract import RepositoryNotFound
from stestr.repository.file import RepositoryFactory

ROOT = Path(__file__).resolve().parents[1]
MOST_REPEATED = 100
"""Where more failed, the cause is no mood of the machine. A process that died may leave more that never ran."""


def not_passed(wanted: Iterable[str], tests: dict[str, str]) -> list[str]:
    """Return those of the ``wanted`` tests that failed, never ran, or belong to a class or module that failed."""
    fixtures = [name for name, status in tests.items() if status not in WELL]
    return [
        name for name in wanted if tests.get(name) not in WELL or any(belongs_to(name, fixture) for fixture in fixtures)
    ]


def stestr(*words: str) -> int:
    """Return the exit code of a command of stestr."""
    return subprocess.run([sys.executable, "-m", "stestr", *words], check=False).returncode


def listed(place: list[str], chosen: list[str]) -> list[str]:
    """Return the tests that ``stestr run`` was asked for."""
    arguments = Run(None, None).get_parser("run").parse_args(chosen)
    excluded = ["--exclude-regex", arguments.exclude_regex] if arguments.exclude_regex else []
    command = [sys.executable, "-m", "stestr", *place, "list", *excluded, *arguments.filters]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()


def runs() -> int:
    """Return how many runs are kept."""
    try:
        return RepositoryFactory().open(str(ROOT)).count()
    except RepositoryNotFound:
        return 0


def main(words: list[str]) -> int:
    """Return the exit code."""
    before = runs()
    code = stestr(*words)
    if not code or runs() == before:
        return code
    place, chosen = words[: words.index("run")], words[words.index("run") + 1 :]
    tests = tests_of(RepositoryFactory().open(str(ROOT)).get_test_run(before))
    again = not_passed(listed(place, chosen), tests)
    failed = [name for name, status in tests.items() if status not in WELL]
    if not again or len(failed) > MOST_REPEATED:
        return code
    print(f"{len(again)} tests did not pass and run once more", flush=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write("\n".join(again) + "\n")
        file.flush()
        code = stestr(*place, "run", "--serial", "--load-list", file.name)
    if runs() > before + 1:
        with open(ROOT / REPEATED, "a", encoding="utf-8") as noted:
            noted.write(f"{before + 1}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
