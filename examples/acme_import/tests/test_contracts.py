"""The method and the plugin pass the suites of glance_mini, and the service finds them by their names."""

import os
import tempfile
import unittest
from pathlib import Path

from acme_import import AcmeShelf
from acme_pad import BLOCK, AcmePad

from glance_mini import conf
from glance_mini.imports.plugins.pipeline import load_plugins
from glance_mini.testing.imports import ImportMethodContract, ImportPluginContract
from glance_mini.testing.samples import make_image

DATA = os.urandom(2 * BLOCK + 7)


class TestShelf(ImportMethodContract, unittest.TestCase):
    def make_method(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        Path(folder.name, "disk").write_bytes(DATA)
        return AcmeShelf(Path(folder.name))

    def make_request(self):
        return {"file": "disk"}

    def expected_data(self):
        return DATA

    def hopeless_requests(self):
        return [{"file": "absent"}, {"file": "../disk"}]


class TestPad(ImportPluginContract, unittest.TestCase):
    def make_plugin(self):
        return AcmePad()

    def make_data(self):
        return DATA


class TestOtherData(ImportPluginContract, unittest.TestCase):
    def make_plugin(self):
        return AcmePad()

    def make_data(self):
        return DATA

    def make_image(self):
        return make_image(status="importing", disk_format="qcow2")


class TestPadding(unittest.TestCase):
    def test_zeros_are_added_to_whole_blocks(self):
        suite = TestPad()
        for staged in suite._staged():
            result = AcmePad().apply(staged, (), lambda: None)
            self.assertEqual(DATA + bytes(BLOCK - 7), result.path.read_bytes())
            self.assertEqual({"acme_padded": str(BLOCK - 7)}, dict(result.properties))

    def test_the_service_finds_the_plugin(self):
        configuration = conf.load()
        configuration.set_override("image_import_plugins", ["acme_pad"], group="image_import_opts")
        [plugin] = load_plugins(configuration)
        self.assertIsInstance(plugin, AcmePad)
