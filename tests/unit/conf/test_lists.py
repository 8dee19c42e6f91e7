"""Lists as operators write them: with square brackets, as in files of other services, and without."""

import tempfile

import testtools
from keystonemiddleware.auth_token import list_opts as list_auth_token_opts
from oslo_config import types
from oslo_messaging.opts import list_opts as list_messaging_opts
from oslo_middleware import cors
from oslo_middleware.healthcheck.opts import HEALTHCHECK_OPTS

from glance_mini import conf
from glance_mini_store.lists import BracketedList, ListOpt

PORTS = types.Integer(min=1, max=65535)


def _read(text, item_type=None):
    return BracketedList(item_type)(text)


class TestLists(testtools.TestCase):
    def test_brackets_around_a_list_change_nothing(self):
        for text in ("80,443", "[80,443]", " [ 80, 443 ] ", "[80,443,]"):
            self.assertEqual([80, 443], _read(text, PORTS), text)
        for text in ("", "[]", "[ ]"):
            self.assertEqual([], _read(text), text)

    def test_names_may_be_quoted(self):
        for text in ("[a,b]", "['a','b']", '["a", "b"]', "'a', b", "[ 'a', b ]"):
            self.assertEqual(["a", "b"], _read(text), text)

    def test_brackets_of_an_item_stay(self):
        self.assertEqual(["[::1]:80", "[::2]:80"], _read("[::1]:80,[::2]:80"))
        self.assertEqual(["[::1]", "[::2]"], _read("[::1],[::2]"))
        self.assertEqual(["[::1]", "[::2]"], _read("[[::1],[::2]]"))

    def test_every_list_of_the_service_and_of_its_stores_may_have_them(self):
        seen = []
        for group, opts in conf.list_opts():
            for opt in opts:
                if isinstance(opt.type, types.List):
                    name = getattr(group, "name", group) or "DEFAULT"
                    seen.append(opt.name)
                    self.assertIsInstance(opt.type, BracketedList, (name, opt.name))
                    plain = ",".join(map(str, opt.default))
                    self.assertEqual(opt.default, opt.type(f"[{plain}]"), opt.name)
        for name in ("allowed_ports", "enabled_import_methods", "disk_formats", "stores", "layers"):
            self.assertIn(name, seen)

    def test_a_file_with_brackets_is_read_as_one_without(self):
        loaded = self.load("[import_filtering_opts]\nallowed_ports = [80,8443]\nallowed_hosts = ['a', b]\n")
        group = loaded.import_filtering_opts
        self.assertEqual(([80, 8443], ["a", "b"]), (group.allowed_ports, group.allowed_hosts))

    def test_lists_of_other_packages_may_have_brackets_too(self):
        libraries = {
            "cors": cors.OPTS,
            "healthcheck": HEALTHCHECK_OPTS,
            "keystone_authtoken": dict(list_auth_token_opts())["keystone_authtoken"],
            "oslo_messaging_notifications": dict(list_messaging_opts())["oslo_messaging_notifications"],
        }
        for group, opts in libraries.items():
            for opt in (opt for opt in opts if isinstance(opt.type, types.List)):
                for text in ("a,b", "[a,b]", "['a', b]"):
                    loaded = self.load(f"[{group}]\n{opt.dest} = {text}\n")
                    for _ in range(2):
                        loaded.register_opts(opts, group)
                    self.assertEqual(["a", "b"], loaded[group][opt.dest], (group, opt.name))
        self.assertEqual(["a=INFO"], self.load("[DEFAULT]\ndefault_log_levels = [a=INFO]\n").default_log_levels)

    def test_options_of_other_packages_stay_as_they_are(self):
        types_before = [type(opt.type) for opt in cors.OPTS]
        self.load("").register_opts(cors.OPTS, "cors")
        self.assertEqual(types_before, [type(opt.type) for opt in cors.OPTS])

    def load(self, text):
        file = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".conf"))
        file.write(text)
        file.flush()
        return conf.load(files=[file.name])

    def test_an_option_is_the_same_as_another_of_its_kind(self):
        self.assertEqual(ListOpt("a", default=[]), ListOpt("a", default=[]))
        self.assertNotEqual(ListOpt("a", default=[]), ListOpt("a", item_type=PORTS, default=[]))
