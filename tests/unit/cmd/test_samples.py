"""``glance-mini-manage samples``."""

import shutil
import subprocess

from tests.unit.cmd.test_commands import CommandTestCase
from tests.unit.test_documentation import ROOT


class SamplesCommandTest(CommandTestCase):
    def test_samples_and_completion_files_are_written_and_written_again(self):
        place = self.root / "samples"
        for _ in range(2):
            code, out, err = self.manage("samples", str(place))
            self.assertEqual((0, ""), (code, err))
        for name in ("glance-mini.conf.sample", "policy.yaml.sample"):
            self.assertEqual((ROOT / "etc" / name).read_text(), (place / name).read_text())
        self.assertIn(str(place / "metadefs" / "image-common.json"), out)
        self.assertEqual({"bash", "fish", "zsh"}, {path.name for path in (place / "completion").iterdir()})
        self.assertIn("glance-mini-manage", (place / "completion" / "fish").read_text())

    def test_completion_file_is_understood_by_bash(self):
        self.manage("samples", str(self.root / "samples"))
        file = self.root / "samples" / "completion" / "bash"
        script = f"source {file} && complete -p glance-mini-manage"
        done = subprocess.run([shutil.which("bash"), "-c", script], capture_output=True, text=True, check=True)
        self.assertIn("argcomplete", done.stdout)

    def test_files_of_the_operator_stay(self):
        place = self.root / "samples"
        place.mkdir()
        (place / "policy.yaml.sample").write_text("mine")
        code, _, err = self.manage("samples", str(place))
        self.assertEqual(1, code)
        self.assertIn("policy.yaml.sample", err)
        self.assertEqual(["policy.yaml.sample"], [path.name for path in place.iterdir()])
        self.assertEqual("mine", (place / "policy.yaml.sample").read_text())
