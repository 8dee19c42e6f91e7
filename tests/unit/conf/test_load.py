"""Which files a configuration is read from."""

from pathlib import Path

import testtools
from fixtures import TempDir
from oslo_config import cfg

from glance_mini import conf


class TestLoad(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = Path(self.useFixture(TempDir()).path)
        self.system_file = self.directory / "etc.conf"

    def write(self, path, public_endpoint):
        path.write_text(f"[DEFAULT]\npublic_endpoint = {public_endpoint}\n")
        return path

    def load(self, *args, **kwargs):
        return conf.load(*args, system_file=self.system_file, **kwargs)

    def test_without_any_file_all_options_have_their_defaults(self):
        self.assertIsNone(self.load(state_directory=self.directory).public_endpoint)

    def test_the_file_of_the_system_is_read_when_there_is_no_other(self):
        self.write(self.system_file, "system")

        self.assertEqual("system", self.load(state_directory=self.directory).public_endpoint)

    def test_the_file_in_the_state_directory_wins_over_the_one_of_the_system(self):
        self.write(self.system_file, "system")
        self.write(self.directory / "glance-mini.conf", "state")

        self.assertEqual("state", self.load(state_directory=self.directory).public_endpoint)

    def test_named_files_win_over_the_state_directory_and_the_later_over_the_earlier(self):
        self.write(self.directory / "glance-mini.conf", "state")
        files = [self.write(self.directory / name, name) for name in ("first", "second")]

        self.assertEqual("second", self.load(files=files, state_directory=self.directory).public_endpoint)

    def test_a_file_on_the_command_line_wins_over_all(self):
        named = self.write(self.directory / "named", "named")
        argument = self.write(self.directory / "argument", "argument")

        loaded = self.load(["--config-file", str(argument)], files=[named])

        self.assertEqual("argument", loaded.public_endpoint)

    def test_a_named_file_that_does_not_exist_is_an_error(self):
        missing = str(self.directory / "missing")

        self.assertRaises(cfg.ConfigFilesNotFoundError, self.load, files=[missing])
        self.assertRaises(cfg.ConfigFilesNotFoundError, self.load, ["--config-file", missing])

    def test_each_configuration_is_a_new_one(self):
        first, second = self.load(), self.load()
        first.set_override("public_endpoint", "changed")
        first.set_override("threads", 7, group="server")

        self.assertIsNone(second.public_endpoint)
        self.assertEqual(64, second.server.threads)
        self.assertEqual(64, self.load().server.threads)

    def test_import_methods_may_stand_in_brackets(self):
        for text in ("[web-download, copy-image]", "web-download,copy-image"):
            self.system_file.write_text(f"[DEFAULT]\nenabled_import_methods = {text}\n")

            self.assertEqual(["web-download", "copy-image"], self.load().enabled_import_methods)

    def test_no_import_method_may_be_enabled(self):
        for text in ("[]", ""):
            self.system_file.write_text(f"[DEFAULT]\nenabled_import_methods = {text}\n")

            self.assertEqual([], self.load().enabled_import_methods)
