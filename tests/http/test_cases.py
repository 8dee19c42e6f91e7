"""Runs the tables in ``cases``: each case is a test on an application of its own.

A file has ``cases``, each a ``name`` and ``steps``; ``before`` are steps that precede those of each case. ``options``
(by group and name) and ``policy`` (text) of a file or of a case configure the application; ``files`` are written into a
folder that options call ``$folder``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fixtures
import testtools
import yaml

from glance_mini.testing.application import ApplicationFixture
from tests.http.steps import Step, fill

FOLDER = Path(__file__).parent / "cases"


class HttpCase(testtools.TestCase):
    """A case of a table; ``options`` are added to those of the table. ``application`` makes what answers it."""

    options: dict[str, dict[str, object]] = {}
    application = ApplicationFixture

    def run_case(self, table: dict[str, Any], case: dict[str, Any]) -> None:
        policy = case.get("policy", table.get("policy", ""))
        self.service = self.useFixture(self.application(options=self._options(table, case), policy=policy))
        kept: dict[str, str] = {}
        for number, written in enumerate([*table.get("before", ()), *case["steps"]], 1):
            step = Step(written, kept)
            answer = step.request().get_response(self.service.app)
            faults = step.faults(answer)
            if faults:
                self.fail(f"step {number}, {step}: {'; '.join(faults)}\n{answer.status}\n{answer.text[:2000]}")
            kept |= step.kept(answer)

    def _options(self, table: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
        folder = Path(self.useFixture(fixtures.TempDir()).path)
        for name, text in {**table.get("files", {}), **case.get("files", {})}.items():
            (folder / name).write_text(text, encoding="utf-8")
        options: dict[str, dict[str, Any]] = {}
        for source in (table, case, {"options": self.options}):
            for group, values in fill(source.get("options", {}), {"folder": str(folder)}).items():
                options.setdefault(group, {}).update(values)
        return options


def _make_test(table: dict[str, Any], case: dict[str, Any]) -> Callable[[HttpCase], None]:
    def test(self: HttpCase) -> None:
        self.run_case(table, case)

    return test


def _make_class(path: Path) -> type[HttpCase]:
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    tests: dict[str, Any] = {}
    for case in table["cases"]:
        name = "test_" + "_".join("".join(c if c.isalnum() else " " for c in case["name"]).split()).lower()
        if name in tests:
            raise ValueError(f"{path.name} has two cases named {case['name']!r}")
        tests[name] = _make_test(table, case)
    return type("Test" + path.stem.title().replace("_", ""), (HttpCase,), {"__module__": __name__, **tests})


globals().update({made.__name__: made for made in map(_make_class, sorted(FOLDER.glob("*.yaml")))})
