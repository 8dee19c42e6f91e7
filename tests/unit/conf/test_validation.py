"""What stops the start: one case for each rule about values."""

from pathlib import Path

import testtools
from fixtures import EnvironmentVariable, TempDir

from glance_mini import conf
from glance_mini.conf.image_cache import is_central
from glance_mini.conf.lines import library_value, read_lines
from glance_mini.conf.server import host_and_port, is_loopback, max_transfers, transfers_per_project
from glance_mini.conf.validation import validate
from glance_mini.domain.errors import ConfigurationError

WRONG = (
    ("DEFAULT", "user_storage_quota", "5XB", "'5XB' is not a size"),
    ("DEFAULT", "user_storage_quota", "-1", "'-1' is not a size"),
    ("DEFAULT", "hashing_algorithm", "sha5", "no algorithm 'sha5'"),
    ("DEFAULT", "hashing_algorithm", "shake_128", "'shake_128' has no fixed length"),
    ("DEFAULT", "image_size_cap", "0", "greater than or equal to 1"),
    ("DEFAULT", "image_tag_quota", "-2", "greater than or equal to -1"),
    ("DEFAULT", "limit_param_default", "0", "greater than or equal to 1"),
    ("DEFAULT", "api_limit_max", "many", "'many'"),
    ("DEFAULT", "enabled_import_methods", "[magic,web-download,magic]", "'magic' is named more than once"),
    ("DEFAULT", "property_protection_rule_format", "groups", "groups"),
    ("image_format", "disk_formats", "", "at least one format"),
    ("image_format", "require_image_format_match", "perhaps", "perhaps"),
    ("notifications", "delivery", "pigeon", "pigeon"),
    ("paste_deploy", "flavor", "", "must be named"),
    ("server", "bind", "9292", "'9292' is not host:port"),
    ("server", "bind", "host:99999", "'host:99999' is not host:port"),
    ("server", "threads", "1", "greater than or equal to 2"),
    ("server", "max_transfers", "64", "64 transfers would take all of the 64 threads"),
    ("server", "tls_key", "key.pem", "both must be set"),
    ("workers", "priorities", "import:high", "'high' for import is not a number"),
    ("DEFAULT", "image_cache_driver", "memcached", "memcached"),
    ("paste_deploy", "flavor", "keystone+caching", "image_cache_dir: must be set"),
    ("paste_deploy", "flavor", "+caching", "must be named"),
)


class TestValidation(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.file = Path(self.useFixture(TempDir()).path) / "glance-mini.conf"

    def load(self, text):
        self.file.write_text(text)
        return conf.load(files=[self.file])

    def test_the_defaults_are_right(self):
        validate(self.load(""))

    def test_each_wrong_value_is_named_with_its_option(self):
        for group, name, value, fragment in WRONG:
            with self.subTest(option=name, value=value):
                configuration = self.load(f"[{group}]\n{name} = {value}\n")

                error = self.assertRaises(ConfigurationError, validate, configuration)

                self.assertIn(f"[{group}]", str(error))
                self.assertIn(name, str(error))
                self.assertIn(fragment, str(error))

    def test_a_central_record_of_caches_needs_a_name_of_the_node(self):
        text = "[DEFAULT]\nimage_cache_dir = /cache\n"
        central, own = ("image_cache_driver = centralized_db\n", "image_cache_driver = sqlite\n")
        name = "worker_self_reference_url = http://node1\n"
        for more, expected in (("", False), (own, False), (own + name, False), (name, True), (central + name, True)):
            configuration = self.load(text + more)
            validate(configuration)
            self.assertIs(expected, is_central(configuration), more)
        error = self.assertRaises(ConfigurationError, validate, self.load(text + central))
        self.assertIn("[DEFAULT] image_cache_driver: 'centralized_db' needs worker_self_reference_url", str(error))

    def test_rules_of_prefetching_are_understood(self):
        text = "[DEFAULT]\nimage_cache_dir = /cache\nimage_cache_driver = sqlite\n[cache]\nprefetch = "
        validate(self.load(f"{text}public, tag:gold, popular:20\n"))
        for wrong in ("private", "tag:", "popular:0", "popular:many"):
            error = self.assertRaises(ConfigurationError, validate, self.load(f"{text}{wrong}\n"))
            self.assertIn(f"[cache] prefetch: '{wrong}' is none of", str(error))

    def test_keystone_needs_to_know_how_to_log_in(self):
        flavor = "[paste_deploy]\nflavor = keystone\n"
        limits = "[DEFAULT]\nuse_keystone_limits = true\n"
        endpoint = "[oslo_limit]\nendpoint_id = abc\n"
        for text, problem in (
            (flavor, "[keystone_authtoken] auth_type: must be set, because [paste_deploy] flavor is 'keystone'"),
            (f"{flavor}[keystone_authtoken]\nauth_section = one\n", "[one] auth_type: must be set"),
            (f"{limits}{endpoint}", "[oslo_limit] auth_type: must be set, because use_keystone_limits is on"),
            (f"{limits}[oslo_limit]\nauth_type = password\n", "[oslo_limit] endpoint_id: must be set"),
        ):
            self.assertIn(problem, str(self.assertRaises(ConfigurationError, validate, self.load(text))))
        for text in (
            f"{flavor}[keystone_authtoken]\nauth_type = password\n",
            f"{flavor}[keystone_authtoken]\nauth_section = one\n[one]\nauth_type = password\n",
            f"{limits}{endpoint}auth_type = password\n",
        ):
            validate(self.load(text))
        self.useFixture(EnvironmentVariable("OS_KEYSTONE_AUTHTOKEN__AUTH_TYPE", "password"))
        validate(self.load(flavor))

    def test_files_of_a_directory_are_checked_too(self):
        folder = self.file.parent / "conf.d"
        folder.mkdir()
        (folder / "b.conf").write_text("[server]\nthreds = 5\n")
        (folder / "ignored.txt").write_text("[server]\nnonsense = 5\n")
        self.file.write_text("")
        configuration = conf.load(["--config-file", str(self.file), "--config-dir", str(folder)])
        error = str(self.assertRaises(ConfigurationError, validate, configuration))
        self.assertIn(f"{folder}/b.conf:2: [server] has no option threds; did you mean threads?", error)
        (folder / "b.conf").write_text("[server]\nthreads = 33\n")
        (folder / "a.conf").write_text("[server]\nthreads = 44\n")
        configuration = conf.load(["--config-file", str(self.file), "--config-dir", str(folder)])
        validate(configuration)
        self.assertEqual(
            (33, "33"), (configuration.server.threads, library_value(read_lines(configuration), "server", "threads"))
        )

    def test_all_that_is_wrong_is_said_at_once(self):
        configuration = self.load("[DEFAULT]\nuser_storage_quota = x\nhashing_algorithm = y\n")

        error = self.assertRaises(ConfigurationError, validate, configuration)

        self.assertIn("user_storage_quota", str(error))
        self.assertIn("hashing_algorithm", str(error))

    def test_no_authentication_is_refused_beyond_loopback(self):
        for bind in ("0.0.0.0:9292", "[::]:9292", "192.0.2.1:9292", "images.example.org:9292"):
            for flavor in ("none", "none+caching", "none+cachemanagement"):
                configuration = self.load(f"[server]\nbind = {bind}\n[paste_deploy]\nflavor = {flavor}\n")

                error = self.assertRaises(ConfigurationError, validate, configuration)

                self.assertIn("every caller would be an administrator", str(error))

    def test_no_authentication_is_allowed_on_loopback(self):
        for bind in ("127.0.0.1:9292", "127.8.0.1:1", "[::1]:9292", "localhost:9292"):
            validate(self.load(f"[server]\nbind = {bind}\n[paste_deploy]\nflavor = none\n"))

    def test_with_authentication_any_address_is_allowed(self):
        validate(self.load("[server]\nbind = 0.0.0.0:9292\n"))


class TestServer(testtools.TestCase):
    def test_transfers_leave_sixteen_threads_free(self):
        for threads, configured, expected in ((64, 0, 48), (64, 3, 3), (16, 0, 1), (2, 0, 1)):
            configuration = conf.load(system_file=Path("/nonexistent"))
            configuration.set_override("threads", threads, group="server")
            configuration.set_override("max_transfers", configured, group="server")

            self.assertEqual(expected, max_transfers(configuration))

    def test_a_project_gets_half_of_the_transfers_that_find_memory(self):
        for limit, memory_mib, configured, expected in (
            (0, 256, 0, 24),
            (10, 256, 0, 5),
            (0, 64, 0, 8),
            (1, 64, 0, 1),
            (10, 256, 9, 9),
        ):
            configuration = conf.load(system_file=Path("/nonexistent"))
            configuration.set_override("max_transfers", limit, group="server")
            configuration.set_override("transfers_per_project", configured, group="server")
            configuration.set_override("memory_mib", memory_mib, group="transfers")

            self.assertEqual(expected, transfers_per_project(configuration))

    def test_an_address_is_taken_apart(self):
        self.assertEqual(("127.0.0.1", 9292), host_and_port("127.0.0.1:9292"))
        self.assertEqual(("::1", 80), host_and_port("[::1]:80"))
        self.assertEqual(("images.example.org", 0), host_and_port("images.example.org:0"))

    def test_what_is_no_address_is_refused(self):
        for text in (
            "",
            "host",
            ":80",
            "host:",
            "host:x",
            "host:-1",
            "host:65536",
            "::1:80",
            "[host]:80",
            "[]:1",
            "h:²",
        ):
            self.assertRaises(ValueError, host_and_port, text)

    def test_a_name_other_than_localhost_counts_as_outside(self):
        self.assertFalse(is_loopback("localhost.example.org"))
