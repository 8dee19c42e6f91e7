"""The property protection file (api-protection): whom it lets pass, and every way in which it can be wrong."""

from pathlib import Path

import testtools
from fixtures import TempDir

from glance_mini.domain.property_rules import ACTIONS, PropertyRulesError, load, parse
from glance_mini.policies import list_rules

ETC = Path(__file__).resolve().parents[3] / "etc"

RIGHT = """\
# a comment
[^x_none_]
create = !
read =
update = !
delete = !

[^x_roles_]
create = Admin, billing
read: admin,
    billing,
    member
update = @, admin
delete = admin

; another comment
[^x_]
create = @
read = @
update = @
delete = @

[^x_roles_late]
create = nobody-reaches-this
read = nobody-reaches-this
update = nobody-reaches-this
delete = nobody-reaches-this
"""

BY_POLICY = """\
[^x_]
create = may_create
read = @
update = !
delete =
"""

FOUR = "create = @\nread = @\nupdate = @\ndelete = @\n"

WRONG = (
    ("create = @\n", ", line 1", "is before the first section"),
    ("\n[x\n" + FOUR, ", line 2", "'[x' is not a section"),
    ("[]\n" + FOUR, ", line 1", "'[]' is not a section"),
    ("[x(]\n" + FOUR, ", section [x(], line 1", "is not a regular expression"),
    ("[x]\n" + FOUR + "[y]\n[x]\n" + FOUR, ", section [x], line 7", "is already defined on line 1"),
    ("[x]\ncreate = @\nread = @\n", ", section [x], line 1", "lacks update, delete"),
    ("[x]\n", ", section [x], line 1", "lacks create, read, update, delete"),
    ("[x]\n" + FOUR + "\nread = !\n", ", section [x], line 7", "read is already defined on line 3"),
    ("[x]\n" + FOUR + "rename = @\n", ", section [x], line 6", "there is no option 'rename'"),
    ("[x]\n" + FOUR + "nonsense\n", ", section [x], line 6", "'nonsense' is not an option"),
    (
        "[x]\ncreate = @\n\nread = @, !\nupdate = @\ndelete = @\n",
        ", section [x], line 4",
        "both everybody (@) and nobody",
    ),
    ("[os_glance_x]\ncreate = @\n", ", section [os_glance_x], line 1", "lacks"),
)

WRONG_BY_POLICY = (
    ("[x]\ncreate = a, b\nread = @\nupdate = @\ndelete = @\n", ", section [x], line 2", "'a, b' names several"),
    ("[x]\ncreate = a,\nread = @\nupdate = @\ndelete = @\n", ", section [x], line 2", "'a,' names several"),
    ("[x]\ncreate = @\nread = @\nupdate = @\ndelete = gone\n", ", section [x], line 5", "gone, which does not exist"),
)


def never(rule):
    raise AssertionError(f"asked for the policy rule {rule}")


class TestRoles(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.rules = parse(RIGHT, "roles")

    def allowed(self, name, *roles):
        return [action for action in ACTIONS if self.rules.allows(action, name, roles, never)]

    def test_nobody_passes_an_exclamation_mark_or_nothing(self):
        self.assertEqual([], self.allowed("x_none_a", "admin", "!", "@", ""))

    def test_roles_pass_where_they_are_named(self):
        self.assertEqual(["create", "read", "update", "delete"], self.allowed("x_roles_a", "admin"))
        self.assertEqual(["create", "read", "update"], self.allowed("x_roles_a", "reader", "billing"))

    def test_a_value_goes_on_in_indented_lines(self):
        self.assertEqual(["read", "update"], self.allowed("x_roles_a", "member"))

    def test_everybody_passes_an_at_sign_whatever_else_stands_there(self):
        self.assertEqual(["update"], self.allowed("x_roles_a"))

    def test_the_case_of_a_role_in_the_file_does_not_matter(self):
        self.assertIn("create", self.allowed("x_roles_a", "admin"))

    def test_the_first_section_that_matches_decides(self):
        self.assertEqual(["update"], self.allowed("x_roles_late", "nobody-reaches-this"))
        self.assertEqual(list(ACTIONS), self.allowed("x_other"))

    def test_a_name_without_a_section_is_refused_to_all(self):
        self.assertEqual([], self.allowed("y", "admin"))

    def test_a_pattern_is_searched_and_not_matched_from_the_start(self):
        self.rules = parse(f"[middle]\n{FOUR}", "roles")

        self.assertEqual(list(ACTIONS), self.allowed("in_the_middle_of"))

    def test_a_pattern_may_hold_brackets_and_percent_signs(self):
        self.rules = parse(f"[^[a-c]%(x)+[0-9]$]\n{FOUR}", "roles")

        self.assertEqual(list(ACTIONS), self.allowed("b%xx7"))

    def test_a_section_called_default_is_one_as_any_other(self):
        self.rules = parse(f"[DEFAULT]\n{FOUR}[other]\ncreate = a\nread = a\nupdate = a\ndelete = a\n", "roles")

        self.assertEqual(list(ACTIONS), self.allowed("a DEFAULT name"))
        self.assertEqual([], self.allowed("other"))

    def test_options_may_be_indented_alike(self):
        self.rules = parse("[x]\n  create = a\n  read = b\n  update = c\n  delete = d\n", "roles")

        self.assertEqual(["read"], self.allowed("x", "b"))

    def test_an_empty_file_refuses_all(self):
        self.rules = parse("", "roles")

        self.assertEqual([], self.allowed("x", "admin"))


class TestOwnProperties(testtools.TestCase):
    def test_no_section_reaches_the_services_own_properties(self):
        closed = "create = !\nread = !\nupdate = !\ndelete = !\n"
        for section in ("os_glance.*", "os_glance_import_task", ".*"):
            rules = parse(f"[{section}]\n{closed}", "roles")

            for name in ("os_glance_import_task", "os_glanceimport"):
                self.assertTrue(rules.allows("read", name, (), never), (section, name))

    def test_a_users_property_that_holds_the_word_further_in_is_not_one_of_them(self):
        self.assertFalse(parse("", "roles").allows("create", "x_os_glance_y", (), never))


class TestPolicies(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.rules = parse(BY_POLICY, "policies", is_policy={"may_create"}.__contains__)

    def test_the_policy_rule_is_asked(self):
        asked = []

        self.assertTrue(self.rules.allows("create", "x_a", (), lambda rule: asked.append(rule) or True))
        self.assertFalse(self.rules.allows("create", "x_a", (), lambda rule: asked.append(rule) or False))

        self.assertEqual(["may_create", "may_create"], asked)

    def test_everybody_and_nobody_need_no_policy_rule(self):
        found = [self.rules.allows(action, "x_a", ("may_create",), never) for action in ("read", "update", "delete")]

        self.assertEqual([True, False, False], found)

    def test_roles_do_not_count(self):
        self.assertFalse(self.rules.allows("create", "x_a", ("may_create",), lambda rule: False))


class TestWrongFiles(testtools.TestCase):
    def assert_refused(self, table, rule_format, **kwargs):
        for text, where, reason in table:
            error = self.assertRaises(PropertyRulesError, parse, text, rule_format, file="rules.conf", **kwargs)

            self.assertTrue(str(error).startswith(f"Property protection file rules.conf{where}: "), str(error))
            self.assertIn(reason, str(error))

    def test_each_mistake_is_named_with_file_section_and_line(self):
        self.assert_refused(WRONG, "roles")

    def test_each_mistake_with_policy_rules_is_named_with_file_section_and_line(self):
        self.assert_refused(WRONG_BY_POLICY, "policies", is_policy={"a", "b"}.__contains__)

    def test_an_unknown_format_is_refused(self):
        error = self.assertRaises(PropertyRulesError, parse, "", "groups")

        self.assertIn("'groups'", str(error))

    def test_a_file_that_cannot_be_read_is_named(self):
        directory = Path(self.useFixture(TempDir()).path)
        (directory / "latin").write_bytes(b"[x]\ncreate = \xe9\n")

        for path in (directory / "missing", directory, directory / "latin"):
            error = self.assertRaises(PropertyRulesError, load, path, "roles")
            self.assertIn(f"{path}: cannot be read", str(error))

    def test_mistakes_in_a_file_name_it(self):
        path = Path(self.useFixture(TempDir()).path) / "rules.conf"
        path.write_text("[x]\n")

        error = self.assertRaises(PropertyRulesError, load, path, "roles")

        self.assertIn(f"{path}, section [x], line 1", str(error))


class TestSamples(testtools.TestCase):
    def test_the_sample_by_roles_says_what_its_comments_say(self):
        rules = load(ETC / "property-protections-roles.conf", "roles")

        def allowed(name, *roles):
            return [action for action in ACTIONS if rules.allows(action, name, roles, never)]

        self.assertEqual(["read"], allowed("x_cloud_zone", "member"))
        self.assertEqual(["create", "read", "update"], allowed("x_billing_code", "billing"))
        self.assertEqual(["create", "read"], allowed("x_origin", "member"))
        self.assertEqual(list(ACTIONS), allowed("hw_disk_bus"))

    def test_the_sample_by_policies_names_rules_that_exist(self):
        names = {rule.name for rule in list_rules()}

        rules = load(ETC / "property-protections-policies.conf", "policies", is_policy=names.__contains__)

        self.assertTrue(rules.allows("update", "x_cloud_zone", (), lambda rule: rule == "context_is_admin"))
        self.assertFalse(rules.allows("read", "x_service_id", (), lambda rule: rule == "context_is_admin"))
