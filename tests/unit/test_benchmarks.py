"""The benchmarks can be run: each of their modules imports, and each command shows its help."""

import importlib
import pkgutil
import subprocess
import sys

import testtools

import benchmarks


class TestBenchmarks(testtools.TestCase):
    def test_every_module_imports(self):
        for module in pkgutil.iter_modules(benchmarks.__path__, "benchmarks."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)

    def test_the_command_shows_its_help(self):
        command = [sys.executable, "-m", "benchmarks", "--help"]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        self.assertIn("requests", shown)
