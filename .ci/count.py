"""Prints ``N passed, N failed`` for runs of stestr; exits with 1 where a test failed or none passed.

Arguments: the directory that holds ``.stestr`` and the number of the first run to count. A line before it tells of
skipped tests where there are any. A test that began and never ended has failed.
"""

import sys
from collections import Counter

from stestr.repository.abstract import RepositoryNotFound
from stestr.repository.file import RepositoryFactory
from testtools import StreamToDict

PASSED = ("success", "xfail")


def statuses_of(run) -> Counter[str]:
    """Return how many tests of one run ended in which status."""
    statuses: Counter[str] = Counter()
    tests = StreamToDict(lambda test: statuses.update([test["status"]]))
    tests.startTestRun()
    run.get_test().run(tests)
    tests.stopTestRun()
    return statuses


def all_statuses(directory: str, first: int) -> Counter[str]:
    """Return the statuses of all runs from the number ``first`` on; none where there is no repository."""
    try:
        repository = RepositoryFactory().open(directory)
    except RepositoryNotFound:
        return Counter()
    statuses: Counter[str] = Counter()
    for number in range(first, repository.count()):
        statuses += statuses_of(repository.get_test_run(number))
    return statuses


def main(directory: str, first: str) -> int:
    """Print the line and return the exit code."""
    statuses = all_statuses(directory, int(first))
    passed = sum(statuses[status] for status in PASSED)
    failed = statuses.total() - passed - statuses["skip"]
    if statuses["skip"]:
        print(f"{statuses['skip']} skipped")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
