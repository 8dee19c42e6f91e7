"""The state directory, its clouds.yaml, and which configuration a command finds."""

import os
import stat
import subprocess
from pathlib import Path
from unittest import mock

import fixtures
import testtools
import yaml

from glance_mini import conf as configuration
from glance_mini.conf.validation import validate
from glance_mini.domain.errors import ConfigurationError
from glance_mini.standalone import state as state_module
from glance_mini.standalone.clouds import write_cloud
from glance_mini.standalone.state import StateDirectory, find_configuration, usual_path
from glance_mini.standalone.users import change_users, read_users

ENDPOINT = "http://127.0.0.1:9292"


class StateDirectoryTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.state = StateDirectory(self.root / "new" / "glance-mini")

    def _cloud(self):
        return yaml.safe_load(self.state.clouds_file.read_text())["clouds"]["glance-mini"]

    def _prepare(self, endpoint=ENDPOINT, certificate=None):
        self.state.create()
        self.state.prepare_clients(endpoint, certificate)

    def test_everything_is_readable_to_its_owner_only(self):
        self._prepare()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in self.state.path.iterdir()}
        self.assertEqual(
            {"glance-mini.conf": 0o600, "users.json": 0o600, "clouds.yaml": 0o600, "openrc-token": 0o600}, modes
        )
        self.assertEqual(0o700, stat.S_IMODE(self.state.path.stat().st_mode))

    def test_its_configuration_is_valid_and_points_into_it(self):
        self.state.create()
        conf = configuration.load(files=[self.state.config_file])
        validate(conf)
        self.assertEqual(f"sqlite:///{self.state.path}/glance-mini.db", conf.database.connection)
        self.assertEqual(str(self.state.users_file), conf.authentication.users_file)

    def test_a_path_with_signs_that_mean_something_to_the_configuration_is_kept(self):
        state = StateDirectory(self.root / "a $HOME %d")
        state.create()
        self.assertEqual(str(state.users_file), configuration.load(files=[state.config_file]).authentication.users_file)

    def test_token_of_clouds_yaml_is_that_of_an_administrator(self):
        self._prepare()
        grant = read_users(self.state.users_file).find_token(self._cloud()["auth"]["token"])
        self.assertIn("admin", grant.roles)

    def test_clients_log_in_as_the_administrator_of_the_token(self):
        self.state.create()
        self.state.prepare_clients(ENDPOINT, "/tls.pem", "north")
        token = self._cloud()["auth"]["token"]
        cloud = yaml.safe_load(self.state.clouds_file.read_text())["clouds"]["glance-mini-login"]
        auth = cloud["auth"]
        self.assertEqual(f"{ENDPOINT}/identity/v3", auth["auth_url"])
        self.assertEqual(("admin", token, "admin"), (auth["username"], auth["password"], auth["project_name"]))
        self.assertEqual(("password", "north", "/tls.pem"), (cloud["auth_type"], cloud["region_name"], cloud["cacert"]))
        words = ["sh", "-c", f'OS_TOKEN=old; . {self.state.openrc_file}; env; test -z "$OS_TOKEN"']
        variables = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
        for name in ("auth_url", "username", "password", "project_name", "user_domain_name"):
            self.assertIn(f"OS_{name.upper()}={auth[name]}", variables)
        self.assertIn("OS_CACERT=/tls.pem", variables)
        self.assertEqual(0o600, stat.S_IMODE(self.state.openrc_file.stat().st_mode))

    def test_without_a_log_in_nothing_says_how_to_log_in(self):
        self.state.create()
        self.state.prepare_clients(ENDPOINT, None, "north")
        self.state.prepare_clients(ENDPOINT, None)
        self.assertEqual(["glance-mini"], list(yaml.safe_load(self.state.clouds_file.read_text())["clouds"]))
        self.assertFalse(self.state.openrc_file.exists())

    def test_the_token_itself_has_an_openrc_where_the_service_takes_it(self):
        self.state.create()
        self.state.prepare_clients(ENDPOINT, "/tls.pem")
        words = ["sh", "-c", f'OS_PASSWORD=old; . {self.state.token_openrc_file}; env; test -z "$OS_PASSWORD"']
        variables = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
        token = self._cloud()["auth"]["token"]
        expected = (f"OS_TOKEN={token}", f"OS_ENDPOINT={ENDPOINT}", "OS_AUTH_TYPE=admin_token", "OS_CACERT=/tls.pem")
        self.assertEqual([], [line for line in expected if line not in variables])
        self.state.prepare_clients(ENDPOINT, None, "north", by_token=False)
        self.assertFalse(self.state.token_openrc_file.exists())

    def test_second_start_changes_no_file(self):
        self._prepare()
        before = {path: path.read_bytes() for path in self.state.path.iterdir()}
        self._prepare()
        self.assertEqual(before, {path: path.read_bytes() for path in self.state.path.iterdir()})

    def test_another_address_is_written_with_the_same_token(self):
        self._prepare()
        token = self._cloud()["auth"]["token"]
        self._prepare("https://127.0.0.1:7", certificate="/tls/cert.pem")
        cloud = self._cloud()
        self.assertEqual({"endpoint": "https://127.0.0.1:7", "token": token}, cloud["auth"])
        self.assertEqual(token, cloud["token"])
        self.assertEqual("https://127.0.0.1:7", cloud["image_endpoint_override"])
        self.assertEqual("/tls/cert.pem", cloud["cacert"])
        self._prepare()
        self.assertNotIn("cacert", self._cloud())

    def test_other_clouds_and_settings_of_the_user_stay(self):
        self._prepare()
        content = yaml.safe_load(self.state.clouds_file.read_text())
        content["clouds"]["other"] = {"auth_type": "none"}
        content["clouds"]["glance-mini"]["verify"] = False
        self.state.clouds_file.write_text(yaml.safe_dump(content))
        self._prepare("http://127.0.0.1:7")
        clouds = yaml.safe_load(self.state.clouds_file.read_text())["clouds"]
        self.assertEqual({"auth_type": "none"}, clouds["other"])
        self.assertIs(False, clouds["glance-mini"]["verify"])

    def test_lost_clouds_yaml_is_made_anew_with_a_token_that_works(self):
        self._prepare()
        lost = self._cloud()["auth"]["token"]
        self.state.clouds_file.unlink()
        self._prepare()
        users = read_users(self.state.users_file)
        self.assertIsNotNone(users.find_token(self._cloud()["auth"]["token"]))
        self.assertIsNotNone(users.find_token(lost))

    def test_lost_users_file_is_made_anew_for_the_token_that_clients_have(self):
        self._prepare()
        self.state.users_file.unlink()
        self._prepare()
        self.assertIsNotNone(read_users(self.state.users_file).find_token(self._cloud()["auth"]["token"]))

    def test_administrator_who_was_removed_does_not_come_back_by_a_start(self):
        self._prepare()
        change_users(self.state.users_file, lambda users: users.remove("admin"))
        self._prepare()
        self.assertEqual({}, read_users(self.state.users_file).by_name)

    def test_directory_with_other_things_in_it_is_refused_and_left_alone(self):
        (self.root / "precious").touch()
        os.chmod(self.root, 0o755)
        error = self.assertRaises(ConfigurationError, StateDirectory(self.root).create)
        self.assertIn(str(self.root), str(error))
        self.assertEqual(["precious"], os.listdir(self.root))
        self.assertEqual(0o755, stat.S_IMODE(self.root.stat().st_mode))

    def test_clouds_yaml_that_is_none_is_refused_by_name(self):
        self._prepare()
        for content in ("[", "- a", "clouds: 1", "clouds: {glance-mini: 1}", ""):
            self.state.clouds_file.write_text(content)
            error = self.assertRaises(ConfigurationError, self._prepare)
            self.assertIn("clouds.yaml", str(error))

    def test_clouds_yaml_survives_a_failing_write(self):
        self._prepare()
        before = self.state.clouds_file.read_bytes()
        with mock.patch("os.fsync", side_effect=OSError("disk full")):
            self.assertRaises(OSError, write_cloud, self.state.clouds_file, "http://new:1", "token", None)
        self.assertEqual(before, self.state.clouds_file.read_bytes())
        self.assertEqual(4, len(list(self.state.path.iterdir())))


class FindConfigurationTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.environ = {"XDG_STATE_HOME": str(self.root)}
        self.system_file = self.root / "etc" / "glance-mini.conf"
        self.useFixture(fixtures.MonkeyPatch("glance_mini.standalone.state.SYSTEM_FILE", self.system_file))

    def _find(self, files=(), state=None):
        return find_configuration(files, state, self.environ)

    def _make_system_file(self):
        self.system_file.parent.mkdir()
        self.system_file.touch()

    def test_files_that_are_named_win(self):
        source = self._find([Path("a.conf")], None)
        self.assertEqual(((Path("a.conf"),), None), (source.existing_files(), source.state))

    def test_state_directory_that_is_named_wins_over_the_environment(self):
        self.environ[state_module.CONFIGURATION_DIRECTORY] = str(self.root)
        self.assertEqual(self.root / "s", self._find(state=self.root / "s").state.path)

    def test_environment_names_a_directory_with_the_files_that_operators_know(self):
        self.environ[state_module.CONFIGURATION_DIRECTORY] = str(self.root)
        self.assertRaises(ConfigurationError, self._find)
        for name in ("glance-mini.conf", "glance-api.conf", "glance-image-import.conf"):
            (self.root / name).touch()
        names = [path.name for path in self._find().existing_files()]
        self.assertEqual(["glance-image-import.conf", "glance-api.conf", "glance-mini.conf"], names)

    def test_usual_state_directory_goes_before_the_file_of_the_system(self):
        self._make_system_file()
        self.assertEqual((self.system_file,), self._find().existing_files())
        StateDirectory(self.root / "glance-mini").create()
        self.assertEqual(self.root / "glance-mini", self._find().state.path)

    def test_where_nothing_exists_the_way_out_is_told(self):
        error = self.assertRaises(ConfigurationError, self._find().existing_files)
        self.assertIn("glance-mini serve", str(error))

    def test_relative_state_home_is_ignored_as_the_specification_says(self):
        home = Path.home() / ".local" / "state" / "glance-mini"
        self.assertEqual([home, home], [usual_path({}), usual_path({"XDG_STATE_HOME": "relative"})])
