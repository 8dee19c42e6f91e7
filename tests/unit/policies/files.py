"""A configuration with policy files in a directory of its own."""

from pathlib import Path

import fixtures
from oslo_policy import policy

from glance_mini import conf
from glance_mini.policies import list_rules


class PolicyFiles(fixtures.Fixture):
    """``conf`` finds its policy files in ``directory``, where at first there are none."""

    def _setUp(self):
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)
        self.policy_file = self.directory / "policy.yaml"
        self.write("glance-mini.conf", "")
        self.read_configuration()

    def read_configuration(self):
        """Make ``conf`` anew from its file."""
        self.conf = conf.load(files=[self.directory / "glance-mini.conf"])

    def write(self, name, text):
        """Write a file below the directory."""
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def write_policy(self, text):
        """Put another policy file in the place of the one there is."""
        self.write("new", text)
        (self.directory / "new").replace(self.policy_file)

    def remove_policy(self):
        """Take the policy file away."""
        self.policy_file.unlink()

    def oslo_enforcer(self):
        """Return oslo.policy's own enforcer for the same rules."""
        enforcer = policy.Enforcer(self.conf)
        enforcer.register_defaults(list_rules())
        return enforcer
