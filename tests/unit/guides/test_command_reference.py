"""The manual lists every command with all its arguments, as the parsers have them."""

import importlib.util
import re

import testtools

from tests.unit.cmd.test_every_command import commands
from tests.unit.guides.printed import ROOT

PROGRAMS = ("glance-mini", "glance-mini-manage", "glance-mini-worker", "glance-mini-registry")


class TestCommandReference(testtools.TestCase):
    def setUp(self):
        super().setUp()
        spec = importlib.util.spec_from_file_location("command_reference", ROOT / "doc/source/command_reference.py")
        self.reference = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.reference)

    def test_every_program_but_the_check_of_the_library_is_shown(self):
        page = (ROOT / "doc/source/reference/commands.rst").read_text()
        installed = re.findall(r"^    (glance-mini[a-z-]*) = ", (ROOT / "setup.cfg").read_text(), re.MULTILINE)
        shown = re.findall(r"^.. show-commands:: (.+)$", page, re.MULTILINE)
        programs = {name for name in installed if f"{name} = glance_mini.cmd." in (ROOT / "setup.cfg").read_text()}
        self.assertEqual(programs - {"glance-mini-status"}, set(shown))
        self.assertEqual(set(PROGRAMS), set(shown))

    def test_every_command_has_its_arguments_and_its_example(self):
        text = "\n".join(self.reference.lines("glance-mini-manage"))
        for words, parser in commands().items():
            _, _, after = text.partition(f"``glance-mini-manage {words}``\n")
            self.assertNotEqual("", after, words)
            part = re.split(r"^``", after, maxsplit=1, flags=re.MULTILINE)[0]
            for action in parser._actions:
                for name in action.option_strings:
                    if name not in ("-h", "--help", "--config-file", "--state"):
                        self.assertIn(name, part, words)
            self.assertIn(parser.get_default("example"), part)

    def test_commands_of_the_other_programs_are_shown(self):
        for program, shown in (
            ("glance-mini", ("serve", "push", "pull", "--bind HOST:PORT", "--base IMAGE", "FILE")),
            ("glance-mini-worker", ("--threads N",)),
            ("glance-mini-registry", ("serve",)),
        ):
            text = "\n".join(self.reference.lines(program))
            self.assertEqual([], [each for each in shown if each not in text], program)

    def test_table_has_each_command_and_says_which_ask(self):
        expected = [
            (words, parser.get_default("text"), "yes" if parser.get_default("question") else "no")
            for words, parser in commands().items()
        ]
        self.assertEqual(expected, list(self.reference.rows()))
