"""The tools of oslo.policy on our rules, as an operator runs them; needs the package installed for its entry points."""

import subprocess
import sys
from pathlib import Path

import testtools
import yaml

from glance_mini.policies import list_rules
from tests.unit.policies.files import PolicyFiles


class TestTools(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.files = self.useFixture(PolicyFiles())
        self.files.write("glance-mini.conf", f"[oslo_policy]\npolicy_file = {self.files.policy_file}\n")

    def run_tool(self, name, *args):
        tool = Path(sys.executable).with_name(name)
        return subprocess.run(
            [tool, "--namespace", "glance-mini", *args], capture_output=True, text=True, timeout=60, check=False
        )

    def run_on_files(self, name):
        return self.run_tool(name, "--config-file", str(self.files.directory / "glance-mini.conf"))

    def test_the_sample_holds_every_rule_as_a_comment(self):
        sample = self.run_tool("oslopolicy-sample-generator").stdout

        self.assertIsNone(yaml.safe_load(sample))
        for rule in list_rules():
            self.assertIn(f'#"{rule.name}": "{rule.check_str}"\n', sample)

    def test_redundant_rules_are_listed(self):
        self.files.write_policy('"context_is_admin": "role:admin"\n"get_image": "role:reader"\n')

        found = self.run_on_files("oslopolicy-list-redundant")

        self.assertEqual('"context_is_admin": "role:admin"\n', found.stdout)

    def test_a_right_file_is_valid(self):
        self.files.write_policy('"get_image": "role:reader and rule:service_api"\n')

        found = self.run_on_files("oslopolicy-validator")

        self.assertEqual((0, ""), (found.returncode, found.stdout))

    def test_a_misspelt_rule_is_found(self):
        self.files.write_policy('"get_imagge": "role:reader"\n')

        found = self.run_on_files("oslopolicy-validator")

        self.assertEqual(1, found.returncode)
        self.assertIn("get_imagge", found.stdout)
