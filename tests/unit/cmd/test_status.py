"""``glance-mini-status upgrade check`` on a state directory."""

import fixtures

from glance_mini.cmd import manage, status
from tests.unit.cmd.test_commands import CommandTestCase


class UpgradeCheckTest(CommandTestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.EnvironmentVariable("OS_GLANCE_CONFIG_DIR", str(self.state.path)))

    def _check(self):
        code, out, _ = self.call(status, "upgrade", "check")
        return code, out

    def test_tables_that_must_be_migrated_are_a_warning(self):
        code, out = self._check()
        self.assertEqual(1, code)
        self.assertIn("no tables", out)

    def test_everything_in_order_is_success(self):
        self.call(manage, "db", "sync")
        self.assertEqual(0, self._check()[0])

    def test_configuration_that_cannot_be_used_is_a_failure(self):
        with open(self.state.config_file, "a", encoding="utf-8") as file:
            file.write("\n[server]\nbind = nowhere\n")
        code, out = self._check()
        self.assertEqual(2, code)
        self.assertIn("nowhere", out)

    def test_policy_file_that_cannot_be_used_is_a_failure(self):
        (self.state.path / "policy.yaml").write_text("[")
        with open(self.state.config_file, "a", encoding="utf-8") as file:
            file.write(f"\n[oslo_policy]\npolicy_file = {self.state.path}/policy.yaml\n")
        self.assertEqual(2, self._check()[0])
