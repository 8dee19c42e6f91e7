"""What is unknown in a configuration, what was meant, and what only upstream knows."""

import re
from importlib.metadata import entry_points
from pathlib import Path

import fixtures
import testtools

from glance_mini import conf
from glance_mini.conf import known, upstream
from glance_mini.conf.known import LIBRARIES, own_options
from glance_mini.conf.lines import Line, read_lines
from glance_mini.conf.unknown import find_unknown
from glance_mini.conf.validation import examine, validate
from glance_mini.domain.errors import ConfigurationError

ETC = Path(__file__).resolve().parents[3] / "etc"

CLOUD = """
[DEFAULT]
enabled_backends = fast:file, Archive:file
transport_url = rabbit://glance:secret@mq/
log_file = /var/log/glance.log

[fast]
filesystem_store_datadir = /srv/images
weight = 10

[Archive]
filesystem_store_datadir = /srv/archive

[backend_defaults]
http_redirects_to_other_hosts = true

[os_glance_staging_store]
filesystem_store_datadir = /srv/staging

[keystone_authtoken]
www_authenticate_uri = https://keystone/v3
auth_type = password
auth_url = https://keystone/v3
username = glance
user_domain_name = Default

[oslo_limit]
auth_section = service
endpoint_id = x

[service]
auth_type = v3applicationcredential
application_credential_id = a
application_credential_secret = b

[SERVER]
workers = 3

[cors]
allowed_origin = https://ui

[oslo_messaging_notifications]
driver = messagingv2

[oslo_policy]
policy_file = x

[oslo_middleware]
enable_proxy_headers_parsing = true
"""

TYPOS = (
    ("[sever]\nwokers = 2\n", ("[sever]; did you mean [server]?", "no option wokers; did you mean workers?")),
    ("[server]\nwokers = 2\n", ("[server] has no option wokers; did you mean workers?",)),
    ("[DEFAULT]\nbind = 0.0.0.0:1\n", ("[DEFAULT] has no option bind; did you mean [server] bind?",)),
    ("[DEFAULT]\nproperty_protecton_file = x\n", ("did you mean property_protection_file?",)),
    ("[DEFAULT]\nlog-file = x\n", ("did you mean log_file?",)),
    ("[default]\ndebug = true\n", ("[default]; did you mean [DEFAULT]?",)),
    ("[DEFAULT]\nenabled_backends = archive:file\n[archiv]\nfilesystem_store_datadir = /d\n", ("no store [archiv]",)),
    ("[DEFAULT]\nenabled_backends = a:file\n[archive]\n", ("no store [archive]",)),
    ("[DEFAULT]\nenabled_backends = a:file\n[a]\nwieght = 1\n", ("[a] has no option wieght; did you mean weight?",)),
    ("[DEFAULT]\nenabled_backends = a:file\n[a]\nhttp_timeout_of_mine = 1\n", ("[a] has no option",)),
    ("[server]\nrbd_store_pool = x\n", ("[server] has no option rbd_store_pool",)),
    (
        "[keystone_authtoken]\nauth_type = password\npasswrod = x\n",
        ("[keystone_authtoken] has no option passwrod; did you mean password?",),
    ),
    ("[keystone_authtoken]\nauth_type = passwort\n", ("[keystone_authtoken] auth_type", "no plugin 'passwort'")),
)

UPSTREAMS = """
[DEFAULT]
enabled_backends = a:file
pydev_worker_debug_host = debugger
[a]
rbd_store_pool = images
[profiler]
enabled = true
[wsgi]
task_pool_threads = 3
[database]
slave_connection = sqlite://
"""


class UnknownCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)

    def load(self, text, name="glance-mini.conf"):
        file = self.directory / name
        file.write_text(text)
        return conf.load(files=[file])


class TestUnknown(UnknownCase):
    def test_what_service_stores_libraries_and_authentication_plugins_declare_is_known(self):
        self.assertEqual(((), ()), self._found(CLOUD))

    def test_every_option_of_the_sample_is_known(self):
        lines = (ETC / "glance-mini.conf.sample").read_text().splitlines()
        options = [re.sub(r"^#(\w+ = )<?(.*?)>?$", r"\1\2", line) for line in lines]
        self.assertEqual((), find_unknown(self.load("\n".join(options))).wrong)

    def test_each_typo_is_named_with_its_line_and_with_what_was_meant(self):
        for text, fragments in TYPOS:
            with self.subTest(text=text):
                problems = examine(self.load(text)).problems
                self.assertEqual(len(fragments) if "plugin" not in fragments[-1] else 1, len(problems), problems)
                for fragment in fragments:
                    self.assertIn(fragment, "\n".join(problems))
        (problem,) = examine(self.load("[server]\nthreads = 8\n\nwokers =\n  2\n")).problems
        self.assertTrue(problem.startswith(f"{self.directory}/glance-mini.conf:4: [server]"), problem)

    def test_all_typos_and_wrong_values_are_one_error(self):
        configuration = self.load("[DEFAULT]\nhashing_algorithm = x\n[sever]\n[task]\nwork_dr = y\n")
        error = self.assertRaises(ConfigurationError, validate, configuration)
        for fragment in ("'x'", "[server]", "work_dir"):
            self.assertIn(fragment, str(error))

    def test_what_only_upstream_knows_is_one_warning(self):
        (warning,) = examine(self.load(UPSTREAMS)).warnings
        named = "[DEFAULT] pydev_worker_debug_host, [a] rbd_store_pool, [profiler], [wsgi], [database] slave_connection"
        self.assertTrue(warning.endswith(f": {named}"), warning)

    def test_upstreams_own_file_may_hold_anything(self):
        found = find_unknown(self.load("[DEFAULT]\nanything = 1\n[sever]\nwokers = 2\n", "glance-api.conf"))
        self.assertEqual(((), ("[DEFAULT] anything", "[sever]")), (found.wrong, found.ignored))

    def test_unknown_options_are_only_warned_about_if_the_operator_wants_that(self):
        findings = examine(self.load("[DEFAULT]\nstrict_config = false\n[sever]\n"))
        self.assertEqual((), findings.problems)
        self.assertIn("[sever]", findings.warnings[0])

    def test_environment_may_name_the_authentication_plugin(self):
        self.useFixture(fixtures.EnvironmentVariable("OS_KEYSTONE_AUTHTOKEN__AUTH_TYPE", "password"))
        self.assertEqual(((), ()), self._found("[keystone_authtoken]\nusername = x\n"))

    def test_section_of_a_source_of_configuration_may_hold_anything(self):
        text = "[DEFAULT]\nconfig_source = far\n[far]\ndriver = remote_file\nuri = http://127.0.0.1:1/\n"
        self.assertEqual(((), ()), self._found(text))

    def test_options_of_a_store_whose_driver_is_missing_are_not_judged(self):
        self.assertEqual(((), ()), self._found("[DEFAULT]\nenabled_backends = a:acme\n[a]\nacme_host = x\n"))

    def _found(self, text):
        found = find_unknown(self.load(text))
        return found.wrong, found.ignored


class TestLists(UnknownCase):
    def test_what_packages_offer_is_read_once(self):
        known._installed.cache_clear()
        reads = []
        self.useFixture(
            fixtures.MonkeyPatch("glance_mini.conf.known.entry_points", lambda: reads.append(1) or entry_points())
        )
        for text in ("[oslo_policy]\npolicy_file = x\n", "[cors]\nallowed_origin = y\n", "[nowhere]\n"):
            find_unknown(self.load(text))
        self.assertEqual([1], reads)

    def test_libraries_are_those_of_the_complete_sample(self):
        text = (ETC / "oslo-config-generator/glance-mini-full.conf").read_text()
        self.assertEqual({"glance-mini", *LIBRARIES}, set(re.findall("namespace = (.*)", text)))

    def test_nothing_that_the_service_declares_is_listed_as_upstreams_only(self):
        known = own_options(self.load("[DEFAULT]\nenabled_backends = a:file, b:http, c:memory\n"))
        listed = {(section, name) for section, names in upstream.OPTIONS.items() for name in names}
        listed |= {(store, name) for name in upstream.STORE_OPTIONS for store in "abc"}
        self.assertEqual([], [name for name in listed if known.has(Line("", 1, *name))])


class TestLines(UnknownCase):
    def test_each_line_has_its_number_its_section_and_its_value(self):
        lines = read_lines(self.load("# head\n[Server]\nthreads = 4\n[DEFAULT]\na = 1\n  2\n# end\nb : 3"))
        self.assertEqual(
            [
                (2, "server", None, ""),
                (3, "server", "threads", "4"),
                (4, "DEFAULT", None, ""),
                (5, "DEFAULT", "a", "1\n2"),
                (8, "DEFAULT", "b", "3"),
            ],
            [(line.line, line.section, line.name, line.value) for line in lines],
        )
