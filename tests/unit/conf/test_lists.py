"""Lists as operators write them: with square brackets, as in files of other services, and without."""

import tempfile

import testtools
from oslo_config import cfg, types

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
        file = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".conf"))
        file.write("[import_filtering_opts]\nallowed_ports = [80,8443]\nallowed_hosts = ['a', b]\n")
        file.flush()
        configuration = cfg.ConfigOpts()
        conf.register_opts(configuration)
        configuration([], default_config_files=[file.name], default_config_dirs=[])
        group = configuration.import_filtering_opts
        self.assertEqual(([80, 8443], ["a", "b"]), (group.allowed_ports, group.allowed_hosts))

    def test_an_option_is_the_same_as_another_of_its_kind(self):
        self.assertEqual(ListOpt("a", default=[]), ListOpt("a", default=[]))
        self.assertNotEqual(ListOpt("a", default=[]), ListOpt("a", item_type=PORTS, default=[]))
