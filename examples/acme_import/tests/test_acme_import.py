"""The method acme-shelf gives what lies on the shelf, and nothing else; the service finds it by its name."""

import os
import tempfile
import unittest
from pathlib import Path

from acme_import import BLOCK, AcmeShelf

from glance_mini import conf
from glance_mini.domain.errors import ConfigurationError
from glance_mini.domain.imports import ImportRequest
from glance_mini.imports.method_rules import load_method_rules
from glance_mini.imports.methods import load_methods
from glance_mini.testing.samples import make_image, make_job
from glance_mini.workers.base import JobFailed

DATA = os.urandom(2 * BLOCK + 7)


class TestAcmeShelf(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.shelf = Path(folder.name, "shelf")
        self.shelf.mkdir()
        (self.shelf / "disk").write_bytes(DATA)
        (self.shelf.parent / "secret").write_bytes(b"secret")

    def open(self, name):
        request = ImportRequest({"name": "acme-shelf", "file": name})
        return AcmeShelf(self.shelf).open(make_job(), request, make_image(status="importing"), lambda seconds: None)

    def test_a_file_is_read_and_stays(self):
        for _ in range(2):
            source = self.open("disk")
            self.assertEqual((len(DATA), None), (source.size, source.path))
            self.assertEqual(DATA, b"".join(source.chunks))

    def test_nothing_else_can_be_reached(self):
        (self.shelf / "link").symlink_to(self.shelf.parent / "secret")
        (self.shelf / "folder").mkdir()
        os.mkfifo(self.shelf / "pipe")
        outside = ("../secret", str(self.shelf.parent / "secret"), "link", ".", "..")
        for name in (*outside, "absent", "folder", "pipe", "a\0"):
            with self.subTest(name), self.assertRaises(JobFailed):
                self.open(name)

    def test_the_service_and_its_workers_find_the_method(self):
        configuration = conf.load()
        configuration.set_override("enabled_import_methods", ["acme-shelf"])
        rule = load_method_rules(configuration)["acme-shelf"]
        self.assertEqual(("queued", ("file",)), (rule.image_status, rule.fields))
        with self.assertRaisesRegex(ConfigurationError, "acme_import.*directory"):
            load_methods(configuration, None)
        configuration.set_override("directory", str(self.shelf), group="acme_import")
        self.assertIsInstance(load_methods(configuration, None)["acme-shelf"], AcmeShelf)
