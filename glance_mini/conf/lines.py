"""The lines of the configuration files, with their numbers; oslo.config itself keeps none."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg, iniparser


@dataclass(frozen=True)
class Line:
    """A setting, or the head of a section if ``name`` is None; ``line`` counts from 1 in the file ``path``.

    ``section`` is as oslo.config compares it: in lower case, except ``DEFAULT``.
    """

    path: str
    line: int
    section: str
    name: str | None = None
    value: str = ""

    def __str__(self) -> str:
        """Return the place."""
        return f"{self.path}:{self.line}"


def read_lines(conf: cfg.ConfigOpts) -> list[Line]:
    """Return the lines of the files that ``conf`` was read from, in the order in which later ones win."""
    # In the order of oslo.config: the files of a directory come by name after those that are named.
    directories = sorted(str(file) for folder in conf.config_dir or () for file in Path(folder).glob("*.conf"))
    return [line for path in (*conf.config_file, *directories) for line in _Reader(path).read()]


def library_value(lines: Sequence[Line], section: str, name: str) -> str | None:
    """Return the value of an option that no code has registered yet; the environment wins, as in oslo.config."""
    found = [line.value for line in lines if (line.section, line.name) == (normalized(section), name)]
    return os.environ.get(f"OS_{section.upper()}__{name.upper()}", found[-1] if found else None)


def normalized(section: str) -> str:
    """Return the name by which oslo.config compares a section."""
    return section if section == "DEFAULT" else section.lower()


class _Reader(iniparser.BaseParser):
    def __init__(self, path: str) -> None:
        self._path = path
        self._section = ""
        self._lines: list[Line] = []

    def read(self) -> list[Line]:
        with open(self._path) as file:
            # An assignment is reported at the line after it.
            self.parse([*file, ""])
        return self._lines

    def new_section(self, section: str) -> None:
        self._section = normalized(section)
        self._lines.append(Line(self._path, self.lineno, self._section))

    def assignment(self, key: str, value: list[str]) -> None:
        self._lines.append(Line(self._path, self.lineno - len(value), self._section, key, "\n".join(value)))
