"""Staged files for tests of import plugins."""

from pathlib import Path

import fixtures
import testtools

from glance_mini.imports.plugins.base import StagedFile
from glance_mini.testing.samples import make_image

MIB = 1024 * 1024


class Stopped(Exception):
    """What ``stop`` raises."""


def go_on():
    """Let a plugin go on."""


def stop():
    """Stop a plugin."""
    raise Stopped


class StagedCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.home = Path(self.useFixture(fixtures.TempDir()).path)
        self.directory = self.home / "work"
        self.directory.mkdir()

    def stage(self, data, limit=64 * MIB, **image):
        """Return ``data`` as a staged file of an image that is being imported."""
        path = self.home / "staged"
        path.write_bytes(data)
        return StagedFile(path, self.directory, make_image(status="importing", size=len(data), **image), limit)

    def left(self):
        """Return the files that plugins have made and not removed."""
        return sorted(path.name for path in self.directory.iterdir())
