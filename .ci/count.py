"""Prints ``N passed, N failed`` for runs of stestr; exits with 1 where one failed, none passed or too many are flaky.

Arguments: the directory that holds ``.stestr`` and the number of the first run to count. Lines before it tell of
skipped tests, of those that failed with the ends of their tracebacks, and of flaky ones: those that failed and passed
when ``again.py`` ran them once more. A test that began and never ended has failed.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from stestr.repository.abstract import RepositoryNotFound
from stestr.repository.file import RepositoryFactory
from testtools import StreamToDict

PASSED = ("success", "xfail")
WELL = (*PASSED, "skip")
MOST_FLAKY = 2
MOST_SHOWN = 10
"""Of how many failed tests the traceback is shown."""
LONGEST = 2000
"""How many characters of a traceback are shown, from its end."""
SHOWN = "| "
"""What the lines of a traceback begin with."""
FIXTURE = re.compile(r"(?:setUp|tearDown)(?:Class|Module) \((.+)\)")
"""What the runner calls that which a class or a module does before or after its tests, when it fails."""
REPEATED = Path(".stestr", "repeated")
"""Where ``again.py`` keeps the numbers of its runs, one a line."""


def tests_of(run, reasons: dict[str, str] | None = None) -> dict[str, str]:
    """Return the status of each test of a run by its name; the reasons of those that failed go to ``reasons``."""
    tests: dict[str, str] = {}

    def note(test) -> None:
        if tests.get(test["id"], "success") in WELL:
            tests[test["id"]] = test["status"]
            if reasons is not None and test["status"] not in WELL:
                reasons[test["id"]] = reason_of(test["details"])

    stream = StreamToDict(note)
    stream.startTestRun()
    run.get_test().run(stream)
    stream.stopTestRun()
    return tests


def reason_of(details) -> str:
    """Return the end of the traceback among the details of a test, or nothing."""
    texts = [content.as_text() for name, content in details.items() if "traceback" in name or "reason" in name]
    return "\n".join(texts)[-LONGEST:]


def belongs_to(test: str, fixture: str) -> bool:
    """Tell whether a test is one of those around which ``fixture`` runs, a name that ``FIXTURE`` matches."""
    found = FIXTURE.fullmatch(fixture)
    return bool(found) and test.startswith(f"{found[1]}.")


def is_mended(name: str, second: dict[str, str]) -> bool:
    """Tell whether what failed under this name went well in the second run."""
    around = [test for test in second if belongs_to(test, name)]
    return second.get(name, "success" if around else None) in PASSED


def together(first: dict[str, str], second: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the tests of a run and of its repetition as one, and the names of those that are flaky."""
    flaky = [name for name, status in first.items() if status not in WELL and is_mended(name, second)]
    fixtures = {name for name in flaky if FIXTURE.fullmatch(name)}
    return {name: status for name, status in (first | second).items() if name not in fixtures}, flaky


def counted(directory: str, first: int, reasons: dict[str, str]) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Yield tests and flaky ones of each run from the number ``first`` on; nothing where there is no repository.

    Why tests failed goes to ``reasons``, by their names.
    """
    try:
        repository = RepositoryFactory().open(directory)
    except RepositoryNotFound:
        return
    noted = Path(directory, REPEATED)
    repeated = set(map(int, noted.read_text().split())) if noted.exists() else set()
    for number in range(first, repository.count()):
        if number not in repeated:
            tests = tests_of(repository.get_test_run(number), reasons)
            again = tests_of(repository.get_test_run(number + 1), reasons) if number + 1 in repeated else {}
            yield together(tests, again)


def main(directory: str, first: str) -> int:
    """Print the lines and return the exit code."""
    statuses: Counter[str] = Counter()
    all_flaky: list[str] = []
    all_failed: list[str] = []
    reasons: dict[str, str] = {}
    for tests, flaky in counted(directory, int(first), reasons):
        statuses.update(tests.values())
        all_flaky += flaky
        all_failed += [name for name, status in tests.items() if status not in (*PASSED, "skip")]
    passed = sum(statuses[status] for status in PASSED)
    failed = len(all_failed)
    for name in [*all_flaky, *all_failed][:MOST_SHOWN]:
        print(*(SHOWN + line for line in (name, *reasons[name].splitlines())), sep="\n")
    for name in all_failed:
        print(f"FAILED {name}")
    for name in all_flaky:
        print(f"FLAKY {name}")
    if all_flaky:
        print(f"{len(all_flaky)} flaky, at most {MOST_FLAKY} may be")
    if statuses["skip"]:
        print(f"{statuses['skip']} skipped")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed or len(all_flaky) > MOST_FLAKY else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
