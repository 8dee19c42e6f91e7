"""The check of the configuration by every program that starts, and the commands that check it and show it."""

import os
import subprocess
import sys

from glance_mini.standalone.state import StateDirectory
from tests.functional.service import START_SECONDS, Service
from tests.functional.test_start_errors import StartErrorCase, run
from tests.functional.test_worker import WorkerProcess
from tests.http_server.running import eventually

TYPO = "[sever]\nwokers = 2\n"
FOUND = ("there is no section and no store [sever]; did you mean [server]?", "did you mean workers?")

PLUGIN = """
from oslo_config import cfg
def list_opts():
    return [("acme", [cfg.StrOpt("acme_file")])]
"""

ENTRY_POINTS = """
[glance_mini.layers]
acme = acme_plugin:Layer
[oslo.config.opts]
acme = acme_plugin:list_opts
"""

WSGI = """
import webob
from glance_mini.wsgi import application
webob.Request.blank("/").get_response(application)
"""


class TypoTest(StartErrorCase):
    def test_unknown_section_and_option_stop_service_and_worker(self):
        state = self.new_state(TYPO)
        worker = run("glance-mini-worker", "--state", state.path)
        self.assert_refused(worker, "glance-mini-worker")
        for errors in (self.serve(state), worker.stderr):
            for text in FOUND:
                self.assertIn(text, errors)
        self.assertEqual([state.config_file], list(state.path.iterdir()))

    def test_other_servers_are_refused_the_application(self):
        state = StateDirectory(self.root / "glance-mini")
        state.create()
        with open(state.config_file, "a", encoding="utf-8") as file:
            file.write(TYPO)
        environ = {**os.environ, "XDG_STATE_HOME": str(self.root)}
        words = [sys.executable, "-c", WSGI]
        done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(1, done.returncode)
        self.assertIn(FOUND[0], done.stderr)

    def test_service_that_is_not_strict_starts_with_a_warning(self):
        state = self.new_state("[DEFAULT]\nstrict_config = false\n" + TYPO)
        service = self.useFixture(Service(state.path, "--no-worker"))
        self.assertEqual(200, service.request("GET", "/v2/images").status_code)
        self.assertEqual(1, service.log.read_text().count(FOUND[0]))

    def test_upstreams_file_is_read_with_one_warning(self):
        state = self.new_state()
        state.prepare_clients("http://127.0.0.1:9292", None)
        file = self.root / "glance-api.conf"
        cache = f"[DEFAULT]\nimage_cache_dir = {self.root}/cache\n"
        file.write_text(f"{state.config_file.read_text()}{cache}[profiler]\nenabled = true\n")
        self.assertEqual(0, run("glance-mini-manage", "db", "sync", "--config-file", file).returncode)
        worker = self.useFixture(WorkerProcess(state.path, file=file))
        eventually(lambda: "has started" in worker.log.read_text(), "the worker started")
        log = worker.log.read_text()
        self.assertEqual(1, log.count("These settings have no effect here: [profiler]"), log)


class CheckTest(StartErrorCase):
    def _check(self, state, *words, environ=None):
        return run("glance-mini-manage", "config", "check", "--state", state.path, *words, environ=environ)

    def test_configuration_of_a_first_start_is_right(self):
        state = self.new_state()
        state.prepare_clients("http://127.0.0.1:9292", None)
        done = self._check(state)
        self.assertEqual((0, ""), (done.returncode, done.stderr), done.stdout)

    def test_all_problems_are_printed_at_once(self):
        text = "[DEFAULT]\nuser_storage_quota = 5XB\nenabled_import_methods = magic\nenabled_backends = images:fil\n"
        done = self._check(self.new_state(TYPO + text + "[oslo_policy]\npolicy_file = /no/such/file\n"))
        self.assertEqual(1, done.returncode)
        wanted = (*FOUND, "5XB", "magic", "driver fil", "/no/such/file")
        self.assertEqual(len(wanted), len(done.stdout.splitlines()), done.stdout)
        for text in wanted:
            self.assertIn(text, done.stdout)

    def test_arguments_of_the_service_are_checked_with_it(self):
        state = self.new_state("[paste_deploy]\nflavor = none\n")
        self.assertEqual(0, self._check(state).returncode)
        done = self._check(state, "--bind", "0.0.0.0:9292")
        self.assertEqual(1, done.returncode)
        self.assertIn("every caller would be an administrator", done.stdout)

    def test_options_that_a_plugin_declares_are_known(self):
        package = self.root / "path" / "acme-1.0.dist-info"
        package.mkdir(parents=True)
        (package / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
        (package / "entry_points.txt").write_text(ENTRY_POINTS)
        (package.parent / "acme_plugin.py").write_text(PLUGIN)
        environ = {"PYTHONPATH": str(package.parent)}
        right, wrong = self.new_state("[acme]\nacme_file = x\n"), self.new_state("[acme]\nacme_fil = x\n")
        for state in (right, wrong):
            state.prepare_clients("http://127.0.0.1:9292", None)
        self.assertEqual(0, self._check(right, environ=environ).returncode)
        done = self._check(wrong, environ=environ)
        self.assertIn("[acme] has no option acme_fil; did you mean acme_file?", done.stdout)
        self.assertIn("[acme]", self._check(right).stdout)

    def test_upgrade_check_knows_unknown_options(self):
        state = self.new_state(TYPO)
        words = [sys.executable, "-m", "glance_mini.cmd.status", "upgrade", "check"]
        environ = {**os.environ, "OS_GLANCE_CONFIG_DIR": str(state.path)}
        done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=START_SECONDS, check=False)
        self.assertEqual(2, done.returncode, done.stderr)


class ShowTest(StartErrorCase):
    def test_each_value_has_its_source_and_secrets_are_hidden(self):
        text = "[backend_defaults]\nweight = 7\n[keystone_authtoken]\nauth_type = password\npassword = geheim\n"
        state = self.new_state(text)
        file = state.config_file
        environ = {"OS_SERVER__THREADS": "33"}
        words = ("config", "show", "--state", state.path, "--bind", "127.0.0.1:1")
        done = run("glance-mini-manage", *words, environ=environ)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        rows = {tuple(line.split()[:2]): line.split(maxsplit=2)[2] for line in done.stdout.splitlines()[1:]}
        lines = file.read_text().splitlines()
        place = {name: f"{file}:{lines.index(name) + 1}" for name in lines}
        for option, value, source in (
            (("DEFAULT", "enabled_backends"), "images:file", place["enabled_backends = images:file"]),
            (("server", "bind"), "127.0.0.1:1", "command line"),
            (("server", "threads"), "33", "environment OS_SERVER__THREADS"),
            (("server", "keepalive"), "5", "default"),
            (("workers", "poll_interval"), "1.0", "default"),
            (("images", "weight"), "7", place["weight = 7"]),
            (("database", "connection"), "***", place["connection = sqlite:///$state_directory/glance-mini.db"]),
            (("keystone_authtoken", "password"), "***", place["password = geheim"]),
        ):
            self.assertEqual([value, *source.split()], rows[option].split(), option)
        self.assertNotIn("geheim", done.stdout)
