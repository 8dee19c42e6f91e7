"""Finds what nobody knows in the configuration files, and says what may have been meant."""

import difflib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg

from glance_mini.conf import upstream
from glance_mini.conf.known import KnownOptions, known_options
from glance_mini.conf.lines import Line, read_lines


@dataclass(frozen=True)
class Unknown:
    """What has no effect: ``wrong`` has a sentence for each unknown section or option.

    ``ignored`` has the names of what only upstream knows, and of the sections of stores that are not enabled.
    """

    wrong: tuple[str, ...]
    ignored: tuple[str, ...]


def find_unknown(conf: cfg.ConfigOpts) -> Unknown:
    """Return what is unknown in the files that ``conf`` was read from; raises ConfigurationError."""
    lines = read_lines(conf)
    known = known_options(conf, lines)
    idle = _idle_stores(lines, known)
    wrong, ignored = [], []
    for line in lines:
        if known.has(line):
            continue
        if line.section in idle or _is_upstreams(line, known):
            is_option = line.name and known.names(line.section)
            ignored.append(f"[{line.section}] {line.name}" if is_option else f"[{line.section}]")
        elif text := _describe(line, known):
            wrong.append(f"{line}: {text}")
    return Unknown(tuple(wrong), tuple(dict.fromkeys(ignored)))


def _idle_stores(lines: Iterable[Line], known: KnownOptions) -> set[str]:
    """Return the sections that hold options of drivers and nothing else, and whose names resemble no other."""
    of_drivers = upstream.STORE_OPTIONS.union(*map(known.names, known.stores))
    unknown = defaultdict[str, set[str]](set)
    for line in lines:
        if line.name is not None and not known.names(line.section):
            unknown[line.section].add(line.name)
    return {
        section
        for section, names in unknown.items()
        if names <= of_drivers and _closest(section, known.sections()) is None
    }


def _is_upstreams(line: Line, known: KnownOptions) -> bool:
    if Path(line.path).name in upstream.FILES:
        return True
    return upstream.has(line.section, line.name, is_store=line.section in known.stores)


def _describe(line: Line, known: KnownOptions) -> str | None:
    """Return what is wrong with a line; None for an option that the line of its section explains."""
    section = line.section if known.names(line.section) else _closest(line.section, known.sections())
    if line.name is None:
        return f"there is no section and no store [{line.section}]" + (
            f"; did you mean [{section}]?" if section else ""
        )
    if section is None or line.name in known.names(section):
        return None
    text = f"[{section}] has no option {line.name}"
    if closest := _closest(line.name, known.names(section)):
        return f"{text}; did you mean {closest}?"
    elsewhere = [other for other in known.sections() if line.name in known.names(other)]
    return f"{text}; did you mean [{elsewhere[0]}] {line.name}?" if elsewhere else text


def _closest(word: str, words: Iterable[str]) -> str | None:
    lower = {each.lower(): each for each in sorted(words)}
    found = difflib.get_close_matches(word.lower().replace("-", "_"), lower, n=1)
    return lower[found[0]] if found else None
