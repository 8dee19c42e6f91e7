"""Entry points as an installed package has them, for all processes that a test starts."""

import os
from pathlib import Path

import fixtures

ROOT = Path(__file__).parents[2]


class EntryPoints(fixtures.Fixture):
    """``targets`` by name in one group; each is ``module:name``, of a module below ``tests`` too."""

    def __init__(self, group, **targets):
        super().__init__()
        self._group = group
        self._targets = targets

    def _setUp(self):
        directory = Path(self.useFixture(fixtures.TempDir()).path)
        package = directory / "of_a_test-1.0.dist-info"
        package.mkdir()
        (package / "METADATA").write_text("Metadata-Version: 2.1\nName: of-a-test\nVersion: 1.0\n")
        lines = [f"{name} = {target}" for name, target in self._targets.items()]
        (package / "entry_points.txt").write_text("\n".join([f"[{self._group}]", *lines, ""]))
        path = os.pathsep.join([str(directory), str(ROOT)])
        self.useFixture(fixtures.EnvironmentVariable("PYTHONPATH", path))
