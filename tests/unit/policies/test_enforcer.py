"""How a question is answered, counted and logged, and what overriding a rule does."""

import fixtures
import testtools

from glance_mini.domain.context import Context
from glance_mini.domain.errors import ConfigurationError
from glance_mini.policies import list_rules
from glance_mini.policies.enforcer import RELOAD_INTERVAL, Enforcer, credentials_of
from tests.unit.layers.support import Decisions
from tests.unit.policies.files import PolicyFiles
from tests.unit.policies.test_defaults import CALLERS, OWN, target

MEMBER = CALLERS["member of the owner"]
READER = CALLERS["reader of the owner"]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class EnforcerCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger())
        self.files = self.useFixture(PolicyFiles())
        self.clock = Clock()
        self.decisions = Decisions()

    def enforcer(self, policy=None):
        if policy is not None:
            self.files.write_policy(policy)
        return Enforcer(self.files.conf, self.decisions, self.clock)


class TestAnswers(EnforcerCase):
    def test_answers_are_those_of_oslo_policy(self):
        enforcer = self.enforcer('"mine": "not role:x and (user_id:%(user)s or \'a\':%(name)s or 7:%(min_disk)s)"\n')
        oslo = self.files.oslo_enforcer()
        images = [target(visibility) for visibility in ("public", "community", "shared", "private")]
        images += [{}, {"user": "someone"}, {"name": "a"}, {"name": "b", "min_disk": 7}]
        callers = [*CALLERS.values(), Context(user_id="someone", roles=("x",)), Context(user_id="someone")]

        for rule in [*(rule.name for rule in list_rules()), "mine"]:
            for image in images:
                for caller in callers:
                    values = credentials_of(caller)
                    expected = bool(oslo.enforce(rule, image, values))
                    self.assertEqual(expected, enforcer.check(rule, image, caller), (rule, image, caller))

    def test_a_rule_that_does_not_exist_allows_nothing(self):
        self.assertFalse(self.enforcer().check("fly", {}, CALLERS["admin"]))

    def test_a_rule_of_the_file_can_be_asked(self):
        enforcer = self.enforcer('"auditor": "role:auditor"\n')

        self.assertTrue(enforcer.check("auditor", {}, Context(roles=("auditor",))))
        self.assertFalse(enforcer.check("auditor", {}, MEMBER))

    def test_rules_of_code_and_file_exist_and_no_others(self):
        enforcer = self.enforcer('"auditor": "role:auditor"\n')

        self.assertEqual([True, True, False], [enforcer.has_rule(name) for name in ("get_image", "auditor", "fly")])

    def test_another_role_can_be_made_the_administrators(self):
        enforcer = self.enforcer('"context_is_admin": "role:operator"\n')

        self.assertTrue(enforcer.context_is_admin(Context(roles=("operator",))))
        self.assertFalse(enforcer.context_is_admin(Context(roles=("admin",))))

    def test_rules_in_the_policy_directory_win_over_the_file(self):
        self.files.write("policy.d/10-more.yaml", '"delete_image": "role:reader"\n')

        self.assertTrue(self.enforcer('"delete_image": "!"\n').check("delete_image", target(), READER))


class TestCountingAndLogging(EnforcerCase):
    def test_each_decision_is_counted(self):
        enforcer = self.enforcer()
        enforcer.check("get_image", target(), MEMBER)
        enforcer.check("publicize_image", target(), MEMBER)

        self.assertEqual([("get_image", True), ("publicize_image", False)], self.decisions.seen)

    def test_a_refusal_is_logged_once_with_rule_target_and_roles(self):
        caller = Context(
            user_id="u-1", project_id="p-1", roles=("member", "reader"), request_id="req-1", auth_token="s3cr3t"
        )
        self.enforcer().check("delete_image", target(), caller)

        lines = self.log.output.splitlines()
        self.assertEqual(1, len(lines))
        for word in ("delete_image", "an-image", OWN, "member,reader", "u-1", "p-1", "req-1"):
            self.assertIn(word, lines[0])
        self.assertNotIn("s3cr3t", lines[0])

    def test_what_is_allowed_is_not_logged(self):
        self.enforcer().check("delete_image", target(), MEMBER)

        self.assertEqual("", self.log.output)

    def test_a_name_with_a_line_break_makes_no_second_log_line(self):
        self.enforcer().check("delete_image", {"id": "a\nb", "project_id": "c\nd"}, MEMBER)

        self.assertEqual(1, len(self.log.output.splitlines()))

    def test_asking_what_would_be_allowed_is_neither_counted_nor_logged(self):
        self.assertFalse(self.enforcer().would_allow("publicize_image", target(), MEMBER))

        self.assertEqual([], self.decisions.seen)
        self.assertEqual("", self.log.output)


class TestIsDefault(EnforcerCase):
    def changed(self, policy):
        enforcer = self.enforcer(policy)
        return {rule.name for rule in list_rules() if not enforcer.is_default(rule.name)}

    def test_without_a_file_every_rule_is(self):
        self.assertEqual(set(), self.changed(None))

    def test_an_overridden_rule_is_not_and_the_others_are(self):
        self.assertEqual({"get_image"}, self.changed('"get_image": "role:reader"\n'))

    def test_a_rule_that_says_the_same_in_the_file_is(self):
        self.assertEqual(set(), self.changed('"delete_image_location": "(rule:context_is_admin)"\n'))

    def test_changing_who_is_an_administrator_changes_all_that_refer_to_it(self):
        changed = self.changed('"context_is_admin": "role:operator"\n')

        self.assertIn("get_image", changed)
        self.assertIn("add_metadef_tag", changed, "it refers to it through metadef_admin")
        self.assertEqual({"default", "metadef_default", "service_api"}, self.unrelated(changed) - self.of_tasks())

    def test_changing_a_rule_in_the_middle_changes_what_stands_on_it(self):
        changed = self.changed('"metadef_admin": "role:curator"\n')

        self.assertIn("add_metadef_tag", changed)
        self.assertNotIn("get_metadef_tag", changed)

    def test_a_rule_that_only_the_file_has_is_not(self):
        self.assertFalse(self.enforcer('"auditor": "role:auditor"\n').is_default("auditor"))

    def unrelated(self, changed):
        return {rule.name for rule in list_rules()} - changed - {"fetch_image_location"}

    def of_tasks(self):
        return {"get_task", "get_tasks", "add_task", "modify_task"}


class TestReload(EnforcerCase):
    def later(self):
        self.clock.now += RELOAD_INTERVAL

    def test_a_changed_file_takes_effect_after_the_interval(self):
        enforcer = self.enforcer('"delete_image": "!"\n')
        self.files.write_policy('"delete_image": "role:reader"\n')

        self.assertFalse(enforcer.check("delete_image", target(), READER))
        self.later()
        self.assertTrue(enforcer.check("delete_image", target(), READER))

    def test_a_file_that_appears_takes_effect(self):
        enforcer = self.enforcer()
        self.files.write_policy('"delete_image": "role:reader"\n')
        self.later()

        self.assertTrue(enforcer.check("delete_image", target(), READER))
        self.assertFalse(enforcer.is_default("delete_image"))

    def test_a_file_that_goes_leaves_the_defaults(self):
        enforcer = self.enforcer('"delete_image": "role:reader"\n')
        self.files.remove_policy()
        self.later()

        self.assertFalse(enforcer.check("delete_image", target(), READER))
        self.assertTrue(enforcer.is_default("delete_image"))

    def test_a_file_in_the_policy_directory_takes_effect(self):
        enforcer = self.enforcer()
        self.files.write("policy.d/10-more.yaml", '"delete_image": "role:reader"\n')
        self.later()

        self.assertTrue(enforcer.check("delete_image", target(), READER))

    def test_a_broken_file_leaves_the_rules_as_they_were_and_is_logged_once(self):
        enforcer = self.enforcer('"delete_image": "role:reader"\n')
        self.files.write_policy('"delete_image": "role:reader and"\n')

        for _ in range(3):
            self.later()
            self.assertTrue(enforcer.check("delete_image", target(), READER))
        self.assertEqual(1, self.log.output.count("the rules stay unchanged"))

    def test_a_broken_file_that_is_mended_takes_effect(self):
        enforcer = self.enforcer('"delete_image": "role:reader"\n')
        self.files.write_policy("[")
        self.later()
        enforcer.check("delete_image", target(), READER)
        self.files.write_policy('"delete_image": "!"\n')
        self.later()

        self.assertFalse(enforcer.check("delete_image", target(), READER))


class TestWrongFiles(EnforcerCase):
    def refusal(self, policy):
        return str(self.assertRaises(ConfigurationError, self.enforcer, policy))

    def test_each_wrong_file_stops_the_start_with_what_is_wrong(self):
        table = {
            "[": "cannot be read",
            "- a\n- b\n": "is not a mapping",
            '"get_image": 7\n': "rule get_image is not a string",
            '"get_image": "role:reader and"\n': "rule get_image cannot be understood: role:reader and",
            '"get_image": "rule:nowhere"\n': "rule get_image refers to nowhere, which does not exist",
            '"get_image": "not rule:nowhere"\n': "rule get_image refers to nowhere, which does not exist",
            '"a": "rule:b"\n"b": "not rule:a"\n': "rule a refers to itself",
        }
        for text, message in table.items():
            self.assertIn(message, self.refusal(text), text)

    def test_the_message_names_the_file(self):
        self.assertIn(str(self.files.policy_file), self.refusal("["))

    def test_a_rule_that_refuses_everybody_is_no_mistake(self):
        self.assertFalse(self.enforcer('"get_image": " ! "\n').check("get_image", target(), CALLERS["admin"]))

    def test_a_policy_file_that_is_named_must_exist(self):
        self.files.write("glance-mini.conf", "[oslo_policy]\npolicy_file = strict.yaml\n")
        self.files.read_configuration()

        self.assertIn("strict.yaml does not exist", self.refusal(None))
