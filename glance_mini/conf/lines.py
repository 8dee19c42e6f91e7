"""The lines of the configuration files, with their numbers; oslo.config itself keeps none."""

from dataclasses import dataclass

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
    return [line for path in conf.config_file for line in _Reader(path).read()]


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
