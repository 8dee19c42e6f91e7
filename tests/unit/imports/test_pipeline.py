"""The configured plugins one after the other."""

import gzip

import testtools

from glance_mini import conf
from glance_mini.domain.errors import ConfigurationError
from glance_mini.imports.plugins.base import NAMESPACE, ImportPlugin, PluginResult
from glance_mini.imports.plugins.decompression import ImageDecompression
from glance_mini.imports.plugins.inject_metadata import InjectMetadata
from glance_mini.imports.plugins.no_op import NoOp
from glance_mini.imports.plugins.pipeline import load_plugins, run_plugins
from tests.unit.entry_points import installed
from tests.unit.jobs.staged import MIB, StagedCase, Stopped, go_on, stop


class Reverse(ImportPlugin):
    """Turns the data round and notes what it was given."""

    name = "reverse"

    def __init__(self):
        self.seen = None

    def apply(self, staged, roles, check):
        self.seen = staged
        output = staged.output(self)
        output.write_bytes(staged.path.read_bytes()[::-1])
        return PluginResult(output, {"size": output.stat().st_size, "disk_format": "qcow2"}, {"order": "reverse"})


class Failing(ImportPlugin):
    name = "failing"

    def apply(self, staged, roles, check):
        raise Stopped


class TestPipeline(StagedCase):
    def run_all(self, *plugins, roles=("member",), check=go_on, **image):
        return run_plugins(plugins, self.stage(gzip.compress(b"data"), **image), roles, check)

    def test_each_plugin_works_on_what_the_one_before_made(self):
        reverse = Reverse()
        inject = InjectMetadata({"source": "import", "order": "injected"}, ())
        result = self.run_all(ImageDecompression(MIB), reverse, inject, properties={"kept": "yes", "order": "none"})

        self.assertEqual(b"atad", result.path.read_bytes())
        self.assertEqual({"size": 4, "disk_format": "qcow2"}, result.attributes)
        self.assertEqual({"order": "injected", "source": "import"}, result.properties)
        self.assertEqual(4, reverse.seen.image.size)
        self.assertEqual({"kept": "yes", "order": "none"}, reverse.seen.image.properties)

    def test_only_the_last_file_is_left(self):
        self.run_all(ImageDecompression(MIB), Reverse(), NoOp())
        self.assertEqual(["reverse"], self.left())
        self.assertTrue((self.home / "staged").exists())

    def test_a_plugin_that_fails_leaves_no_file_of_those_before_it(self):
        self.assertRaises(Stopped, self.run_all, ImageDecompression(MIB), Failing())
        self.assertEqual([], self.left())
        self.assertTrue((self.home / "staged").exists())

    def test_plugins_can_be_stopped_between_them(self):
        self.assertRaises(Stopped, self.run_all, Reverse(), check=stop)
        self.assertEqual([], self.left())

    def test_without_plugins_nothing_changes(self):
        result = self.run_all()
        self.assertEqual((self.home / "staged", {}, {}), (result.path, result.attributes, result.properties))


class TestInjection(StagedCase):
    def inject(self, roles):
        configuration = conf.load()
        configuration.set_override("inject", {"source": "import"}, "inject_metadata_properties")
        configuration.set_override("ignore_user_roles", ["Admin", "importer"], "inject_metadata_properties")
        plugin = InjectMetadata.from_config(configuration)
        return plugin.apply(self.stage(b""), roles, go_on).properties

    def test_properties_are_injected_unless_a_role_of_the_caller_is_ignored(self):
        self.assertEqual({"source": "import"}, self.inject(("member", "reader")))
        self.assertEqual({}, self.inject(("admin", "member")))
        self.assertEqual({}, self.inject(("importer",)))

    def test_properties_of_the_service_cannot_be_injected(self):
        configuration = conf.load()
        configuration.set_override("inject", {"os_glance_import_task": "x"}, "inject_metadata_properties")
        self.assertRaises(ConfigurationError, InjectMetadata.from_config, configuration)


class TestLoading(testtools.TestCase):
    def load(self, names, **offers):
        configuration = conf.load()
        configuration.set_override("image_import_plugins", names, "image_import_opts")
        with installed(NAMESPACE, *offers.items()):
            return load_plugins(configuration)

    def test_plugins_come_in_the_configured_order(self):
        package = "glance_mini.imports.plugins"
        found = self.load(
            ["image_decompression", "no_op", "inject_image_metadata"],
            no_op=f"{package}.no_op:NoOp",
            inject_image_metadata=f"{package}.inject_metadata:InjectMetadata",
            image_decompression=f"{package}.decompression:ImageDecompression",
        )
        self.assertEqual(["image_decompression", "no_op", "inject_image_metadata"], [plugin.name for plugin in found])

    def test_what_cannot_be_loaded_stops_the_start(self):
        for names, target, text in (
            (["absent"], "glance_mini.imports.plugins.no_op:NoOp", "image_import_plugins names absent"),
            (["mine"], "glance_mini.nonexistent:Mine", "could not be loaded"),
            (["mine"], "glance_mini.imports.plugins.base:StagedFile", "no subclass"),
            (["mine", "mine"], "glance_mini.imports.plugins.no_op:NoOp", "more than once"),
            (["mine"], "glance_mini.imports.plugins.no_op:NoOp", "calls itself no_op"),
        ):
            error = self.assertRaises(ConfigurationError, self.load, names, mine=target)
            self.assertIn(text, str(error))
