"""Which process runs which test classes: shared out by the recorded seconds of each class, the longest first.

``python -m tests.durations share FILE ...`` writes a worker file for ``stestr run --worker-file FILE ...``; the dots
are the same arguments of ``stestr run``. ``python -m tests.durations refresh`` records the seconds of the last run that
stestr kept. The record is ``durations.json``, seconds by class; what is not in it takes less than ``RECORDED_FROM``,
as far as anybody knows. A class that is new or has another name runs like all others.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from stestr.commands.run import Run
from stestr.repository.file import RepositoryFactory
from stestr.scheduler import local_concurrency
from testtools import StreamToDict

RECORD = Path(__file__).with_name("durations.json")
RECORDED_FROM = 0.5
"""Seconds; what takes less is not worth a line."""
UNKNOWN = 0.1
"""Seconds that a class is expected to take where nothing is recorded."""


def class_of(test_id: str) -> str:
    """Return the name of the class of a test."""
    return test_id.partition("(")[0].rpartition(".")[0]


def module_of(name: str) -> str:
    """Return the name of the module of a class."""
    return name.rpartition(".")[0]


def test_modules(directory: Path) -> dict[str, list[str]]:
    """Return the classes that are written down in each test module below the package ``directory``.

    Some of them have no tests, and a module may make further ones when it is imported.
    """
    found = {}
    for path in sorted(directory.rglob("test_*.py")):
        module = ".".join(path.relative_to(directory.parent).with_suffix("").parts)
        names = re.findall(r"^class (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        found[module] = [f"{module}.{name}" for name in names]
    return found


def test_classes(modules: Mapping[str, Collection[str]], recorded: Iterable[str]) -> list[str]:
    """Return all classes that are known: those written down, and those recorded of a module that exists."""
    written = [name for names in modules.values() for name in names]
    return list(dict.fromkeys([*written, *(name for name in recorded if module_of(name) in modules)]))


def shares(seconds: Mapping[str, float], processes: int) -> list[list[str]]:
    """Return the classes of each process: each class goes, the longest first, to the one that has least to do."""
    loads = [0.0] * processes
    found: list[list[str]] = [[] for _ in loads]
    for name in sorted(seconds, key=lambda name: (-seconds[name], name)):
        least = min(range(processes), key=lambda number: (loads[number], len(found[number])))
        loads[least] += seconds[name]
        found[least].append(name)
    return found


def worker_file(shared: Iterable[Collection[str]]) -> str:
    """Return the file for stestr; tests of classes that nobody named run in the last process."""
    patterns = [f"^({'|'.join(map(re.escape, names))})\\." for names in shared]
    others = "".join(f"(?!{pattern[1:]})" for pattern in patterns)
    return json.dumps([*({"worker": [pattern]} for pattern in patterns[:-1]), {"worker": [patterns[-1], f"^{others}"]}])


def expected_seconds(recorded: Mapping[str, float], classes: Iterable[str], arguments: Any) -> dict[str, float]:
    """Return the seconds to expect by class, 0 where the ``arguments`` of ``stestr run`` leave it out."""

    def is_wanted(name: str) -> bool:
        included = not arguments.filters or any(re.search(each, name + ".") for each in arguments.filters)
        return included and not (arguments.exclude_regex and re.search(arguments.exclude_regex, name + "."))

    return {name: recorded.get(name, UNKNOWN) if is_wanted(name) else 0 for name in classes}


def measured_seconds(tests: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return the seconds that each class took, with what it does before its first test and between its tests.

    ``tests`` are dictionaries of ``StreamToDict``. What the first class of a process does before its first test is
    not told in them.
    """
    by_process = defaultdict(list)
    for test in tests:
        if None not in test["timestamps"]:
            by_process[frozenset(test["tags"])].append((*test["timestamps"], class_of(test["id"])))
    seconds: dict[str, float] = defaultdict(float)
    for timed in by_process.values():
        before = min(timed)[0]
        for _, end, name in sorted(timed):
            seconds[name] += (end - before).total_seconds()
            before = end
    return dict(seconds)


def processes_for(cores: int) -> int:
    """Return how many processes keep ``cores`` busy: tests wait for disks, timers and servers half of the time."""
    return 2 * cores


def last_run(directory: str) -> list[dict[str, Any]]:
    """Return the tests of the last run that stestr kept below ``directory``."""
    found: list[dict[str, Any]] = []
    result = StreamToDict(found.append)
    result.startTestRun()
    RepositoryFactory().open(directory).get_latest_run().get_test().run(result)
    result.stopTestRun()
    return found


def refreshed(
    recorded: Mapping[str, float], measured: Mapping[str, float], modules: Mapping[str, Collection[str]]
) -> dict[str, float]:
    """Return the new record: what was measured now, and what was not and still exists."""
    seen = {module_of(name) for name in measured}
    kept = {
        name: value
        for name, value in recorded.items()
        if (module := module_of(name)) in modules and (name in modules[module] or module not in seen)
    }
    now = {name: value for name, value in measured.items() if module_of(name) in modules}
    found = {name: round(value, 1) for name, value in (kept | now).items() if value >= RECORDED_FROM}
    return dict(sorted(found.items()))


def main(words: list[str]) -> int:
    """Do what the first word says and return the exit code."""
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    modules = test_modules(RECORD.parent)
    match words:
        case ["share", path, *rest]:
            arguments = Run(None, None).get_parser("share").parse_args(rest)
            seconds = expected_seconds(recorded, test_classes(modules, recorded), arguments)
            processes = arguments.concurrency or processes_for(local_concurrency() or 1)
            Path(path).write_text(worker_file(shares(seconds, processes)))
        case ["refresh"]:
            found = refreshed(recorded, measured_seconds(last_run(".")), modules)
            RECORD.write_text(json.dumps(found, indent=0) + "\n")
            print(f"{len(found)} classes take {sum(found.values()):.0f} seconds")
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
