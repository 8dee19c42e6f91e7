"""The samples in ``etc/`` are what their generators write today."""

from pathlib import Path

import fixtures
import testtools
from oslo_config import cfg
from oslo_config import generator as config_generator
from oslo_policy import generator as policy_generator

ETC = Path(__file__).resolve().parents[2] / "etc"


class TestSamples(testtools.TestCase):
    def check(self, sample, program, arguments, generate):
        """Compare the sample with what ``generate`` writes when it is given the committed arguments."""
        fresh = Path(self.useFixture(fixtures.TempDir()).path) / sample
        generate(["--config-file", str(ETC / arguments), "--output-file", str(fresh)])
        advice = f"etc/{sample} is out of date; run: {program} --config-file etc/{arguments}"
        self.assertEqual((ETC / sample).read_text(), fresh.read_text(), advice)

    def test_the_sample_of_the_configuration_is_current(self):
        def generate(args):
            conf = cfg.ConfigOpts()
            config_generator.register_cli_opts(conf)
            conf(args)
            config_generator.generate(conf)

        arguments = "oslo-config-generator/glance-mini.conf"
        self.check("glance-mini.conf.sample", "oslo-config-generator", arguments, generate)

    def test_the_sample_of_the_policy_is_current(self):
        def generate(args):
            policy_generator.generate_sample(args, cfg.ConfigOpts())

        arguments = "oslo-policy-generator/glance-mini.conf"
        self.check("policy.yaml.sample", "oslopolicy-sample-generator", arguments, generate)
