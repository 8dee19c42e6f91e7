"""What the layers are built from: where staged data goes, and which address this node has."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import fixtures
import testtools

from glance_mini import conf as configuration
from glance_mini.bootstrap import open_services
from glance_mini.conf.validation import validate
from glance_mini.domain.errors import ConfigurationError
from glance_mini.domain.staging import STAGING_STORE
from glance_mini.layers.services import Services
from glance_mini_store.errors import UnknownStore

SETTINGS = """
[DEFAULT]
enabled_backends = fast:memory
node_staging_uri = file://{folder}/by-uri/
{more}
[database]
connection = sqlite://
"""


class ServicesTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)

    def conf(self, more: str = "") -> Any:
        path = self.folder / "glance-mini.conf"
        path.write_text(SETTINGS.format(folder=self.folder, more=more.format(folder=self.folder)))
        return configuration.load(files=[path])

    def open(self, more: str = "") -> Services:
        undo = ExitStack()
        self.addCleanup(undo.close)
        return open_services(self.conf(more), undo)

    def stage(self, services: Services) -> str:
        return services.stores.get(STAGING_STORE).write("x", [b"abc"]).location

    def test_staged_data_goes_where_the_uri_says(self) -> None:
        services = self.open()
        self.assertEqual(f"file://{self.folder}/by-uri/x", self.stage(services))
        self.assertEqual(["fast"], services.stores.ids())

    def test_the_options_of_the_staging_store_win(self) -> None:
        services = self.open("[os_glance_staging_store]\nfilesystem_store_datadir = {folder}/by-option")
        self.assertEqual(f"file://{self.folder}/by-option/x", self.stage(services))

    def test_the_directory_of_other_stores_is_not_taken(self) -> None:
        services = self.open("[backend_defaults]\nfilesystem_store_datadir = {folder}/images")
        self.assertEqual(f"file://{self.folder}/by-uri/x", self.stage(services))

    def test_another_driver_may_keep_staged_data(self) -> None:
        services = self.open("staging_store_driver = memory")
        self.assertEqual(f"memory://{STAGING_STORE}/x", self.stage(services))

    def test_without_imports_there_is_no_staging_area(self) -> None:
        services = self.open("enabled_import_methods = []")
        self.assertRaises(UnknownStore, services.stores.get, STAGING_STORE)
        self.assertFalse((self.folder / "by-uri").exists())

    def test_an_import_method_that_is_not_installed_stops_the_start(self) -> None:
        error = self.assertRaises(ConfigurationError, self.open, "enabled_import_methods = web-download,by-pigeon")
        self.assertIn("enabled_import_methods names by-pigeon", str(error))

    def test_a_node_is_known_by_its_own_address_or_by_that_of_all(self) -> None:
        both = "worker_self_reference_url = http://node1\npublic_endpoint = http://all"
        for more, address in (("", None), ("public_endpoint = http://all", "http://all"), (both, "http://node1")):
            self.assertEqual(address, self.open(more).node_url)

    def test_a_staging_area_that_is_no_directory_stops_the_start(self) -> None:
        for uri in ("/tmp/staging", "http://host/staging", "file://staging"):
            conf = self.conf("")
            conf.set_override("node_staging_uri", uri)
            self.assertIn("node_staging_uri", str(self.assertRaises(ConfigurationError, validate, conf)))
