"""The commands on a page of the manual, and the remarks that say how tests run them.

A command stands in a block ``.. code-block:: console`` after ``$``; a further line of it after ``>``, or after a
backslash. The lines below it are what it prints, in which ``…`` stands for anything. A remark is a comment before the
block:

* ``.. test: skip REASON``: the next block is not run;
* ``.. test: fails``: the commands of the next block end with an error;
* ``.. test: run COMMAND``: the command is run at this place, and the reader does not see it;
* ``.. test: with state`` and ``.. test: with service``: there is a state directory, or a service that runs on one;
* ``.. test: part PART``: the page is for the part PART of the integration tests.
"""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

MANUAL = Path(__file__).resolve().parents[2] / "doc" / "source"

_BLOCK = re.compile(r"^( *)\.\. code-block:: (\w+)$")
_REMARK = re.compile(r"^ *\.\. test: (skip|fails|run|with|part)(?: (.+))?$")


@dataclass(frozen=True)
class Step:
    """One command: its line on the page, its text, and what it prints (empty: the page does not say).

    ``reason`` says why it is not run. ``with_`` is not a command but what there must be: ``state`` or ``service``.
    """

    line: int
    text: str
    printed: tuple[str, ...] = ()
    reason: str | None = None
    fails: bool = False
    with_: str | None = None


@dataclass(frozen=True)
class ManualPage:
    """A page: its name without suffix, the part of the integration tests it belongs to, and its steps."""

    name: str
    part: str | None
    steps: tuple[Step, ...]


def read_page(path: Path) -> ManualPage:
    """Return what the page in the file ``path`` tells to run."""
    return parse_page(str(path.relative_to(MANUAL).with_suffix("")), path.read_text(encoding="utf-8"))


def parse_page(name: str, text: str) -> ManualPage:
    """Return what the page ``name`` with the content ``text`` tells to run; raises ValueError for a wrong remark."""
    steps: list[Step] = []
    part, reason, fails = None, None, False
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if ".. test:" in line:
            remark = _REMARK.match(line)
            if remark is None or (remark[2] is None) != (remark[1] == "fails"):
                raise ValueError(f"{name}:{number}: {line.strip()}")
            kind, rest = remark[1], remark[2]
            if kind == "skip":
                reason = rest
            elif kind == "fails":
                fails = True
            elif kind == "part":
                part = rest
            else:
                steps.append(Step(number, rest) if kind == "run" else Step(number, "", with_=rest))
        elif block := _BLOCK.match(line):
            first = number
            while number < len(lines) and (not lines[number] or lines[number].startswith(block[1] + " ")):
                number += 1
            if block[2] == "console":
                steps.extend(_commands(name, first + 1, lines[first:number], reason, fails))
                reason, fails = None, False
    if reason is not None or fails:
        raise ValueError(f"{name}: a remark has no block after it")
    return ManualPage(name, part, tuple(steps))


def _commands(name: str, number: int, lines: list[str], reason: str | None, fails: bool) -> list[Step]:
    """Return the commands of one block, whose first line has this number."""
    found: list[Step] = []
    goes_on = False
    for offset, line in enumerate(textwrap.dedent("\n".join(lines)).splitlines()):
        if line.startswith("$ "):
            found.append(Step(number + offset, line[2:], reason=reason, fails=fails))
        elif not line and not (found and found[-1].printed):
            continue
        elif not found:
            raise ValueError(f"{name}:{number + offset}: a block of commands begins with `$ `")
        else:
            last = found.pop()
            if goes_on or (line.startswith("> ") and not last.printed):
                added = Step(last.line, f"{last.text}\n{line.removeprefix('> ')}", (), reason, fails)
            else:
                added = Step(last.line, last.text, (*last.printed, line.rstrip()), reason, fails)
            found.append(added)
        goes_on = line.endswith("\\")
    return found


def all_pages() -> dict[str, ManualPage]:
    """Return the pages that have commands, by name."""
    pages = (read_page(path) for path in sorted(MANUAL.rglob("*.rst")))
    return {page.name: page for page in pages if any(not step.with_ for step in page.steps)}
