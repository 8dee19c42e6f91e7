"""Every command of the manual runs as its page prints it; what cannot run says why."""

import os
import re
import shutil
from pathlib import Path

import testtools

from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.standalone.state import StateDirectory
from tests.manual.pages import MANUAL, all_pages, parse_page, read_page
from tests.manual.shell import Shell, is_service, problem

NOT_RUN = 17
"""The most blocks of commands in the manual that no test runs."""

PARTS = {"packages"}
"""Parts of the integration tests that run pages."""


class PageTest:
    """A mix-in: runs the commands of ``page`` in their order; ``programs`` are those that not every machine has."""

    page = ""
    programs = ()

    def test_commands_do_what_the_page_says(self):
        missing = [name for name in self.programs if shutil.which(name) is None]
        if missing and not os.environ.get("CI"):
            self.skipTest(f"there is no {missing[0]}")
        shell = self.useFixture(Shell())
        run_page(self, shell, read_page(MANUAL / f"{self.page}.rst"))


def run_page(case, shell, page):
    """Run the steps of a page in a shell; the test ``case`` fails at the first that does something else."""
    for step in page.steps:
        if step.reason is not None:
            continue
        if step.with_ == "state":
            make_state(shell.root / "home/.local/state/glance-mini")
            continue
        text = "glance-mini serve" if step.with_ else step.text
        code, lines = (shell.start if is_service(text) and not step.fails else shell.run)(text)
        case.assertIsNone(problem(step, code, lines), f"{page.name}.rst:{step.line}: {text}\n" + "\n".join(lines))


def make_state(path: Path) -> None:
    """Make a state directory with its tables, as a service does that has run."""
    state = StateDirectory(path)
    state.create()
    state.prepare_clients("http://127.0.0.1:9292", None, "RegionOne")
    engine = make_engine(f"sqlite:///{path}/glance-mini.db")
    schema.sync(engine)
    engine.dispose()


class TutorialTest(PageTest, testtools.TestCase):
    page = "tutorial"
    programs = ("openssl", "qemu-img")


class IncrementalTest(PageTest, testtools.TestCase):
    page = "api/incremental"
    programs = ("qemu-img",)


class AuthenticationTest(PageTest, testtools.TestCase):
    page = "operator/authentication"


class BackupTest(PageTest, testtools.TestCase):
    page = "operator/backup"
    programs = ("rsync", "sqlite3")


class CacheTest(PageTest, testtools.TestCase):
    page = "operator/cache"


class CommandsTest(PageTest, testtools.TestCase):
    page = "operator/commands"
    programs = ("jq",)


class ConfigurationTest(PageTest, testtools.TestCase):
    page = "operator/configuration"


class DatabasesTest(PageTest, testtools.TestCase):
    page = "operator/databases"


class ImportsTest(PageTest, testtools.TestCase):
    page = "operator/imports"


class LimitsTest(PageTest, testtools.TestCase):
    page = "operator/limits"


class MetadefsTest(PageTest, testtools.TestCase):
    page = "operator/metadefs"


class MigrationTest(PageTest, testtools.TestCase):
    page = "operator/migration"
    programs = ("sqlite3",)


class RegistryTest(PageTest, testtools.TestCase):
    page = "operator/registry"


class UpgradesTest(PageTest, testtools.TestCase):
    page = "operator/upgrades"


class VerificationTest(PageTest, testtools.TestCase):
    page = "operator/verification"


class RestoringTest(PageTest, testtools.TestCase):
    page = "restoring"
    programs = ("curl", "jq")


class TransfersTest(PageTest, testtools.TestCase):
    page = "transfers"
    programs = ("qemu-img",)


class EveryPageTest(testtools.TestCase):
    def test_each_page_with_commands_has_a_test(self):
        tested = {each.page for each in PageTest.__subclasses__()}
        pages = all_pages()
        wanted = {name for name, page in pages.items() if page.part is None and _runs(page)}
        self.assertEqual(wanted, tested)
        self.assertEqual(set(), {page.part for page in pages.values()} - PARTS - {None})

    def test_what_is_not_run_is_little_and_says_why(self):
        skipped = [
            f"{path.relative_to(MANUAL)}: {reason}"
            for path in sorted(MANUAL.rglob("*.rst"))
            for reason in re.findall(r"\.\. test: skip (.+)", path.read_text())
        ]
        self.assertLessEqual(len(skipped), NOT_RUN, "\n".join(skipped))
        self.assertEqual([], [line for line in skipped if len(line.split()) < 4])


def _runs(page):
    return any(step.reason is None and not step.with_ for step in page.steps)


class ReadingTest(testtools.TestCase):
    PAGE = """
A page
======

.. test: with service
.. test: run touch x

.. code-block:: console

   $ one \\
       --more
   printed …
   twice
   $ two

Text.

   .. test: skip there is no Ceph

   .. code-block:: console

      $ ceph -s

.. test: fails

.. code-block:: console

   $ cat > x <<END
   > [a]
   > END

.. code-block:: ini

   $ no command
"""

    def test_commands_remarks_and_what_is_printed_are_found(self):
        steps = parse_page("x", self.PAGE).steps
        self.assertEqual(
            ["", "touch x", "one \\\n    --more", "two", "ceph -s", "cat > x <<END\n[a]\nEND"],
            [step.text for step in steps],
        )
        self.assertEqual(("service", None), (steps[0].with_, steps[1].with_))
        self.assertEqual((("printed …", "twice"), ()), (steps[2].printed, steps[3].printed))
        self.assertEqual((10, "there is no Ceph", True), (steps[2].line, steps[4].reason, steps[5].fails))

    def test_wrong_remarks_are_refused(self):
        for text in (".. test: skip", ".. test: fails here", ".. test: skipp x", ".. test: skip no block follows"):
            self.assertRaises(ValueError, parse_page, "x", text)
        self.assertRaises(ValueError, parse_page, "x", ".. code-block:: console\n\n   no prompt\n")

    def test_other_output_and_other_ends_are_problems(self):
        step = parse_page("x", self.PAGE).steps[2]
        self.assertIsNone(problem(step, 0, ["printed 5", "twice"]))
        for code, lines in ((1, ["printed 5", "twice"]), (0, ["printed 5"]), (0, ["printed 5", "twice", "more"])):
            self.assertIsNotNone(problem(step, code, lines))
        self.assertIsNotNone(problem(parse_page("x", self.PAGE).steps[5], 0, []))


class ShellTest(testtools.TestCase):
    def test_paths_and_ports_are_those_of_the_page_outside_and_own_ones_inside(self):
        shell = self.useFixture(Shell())
        self.assertEqual((0, ["/etc/x:9300"]), shell.run("printf /etc/x:9300 | tee /etc/x"))
        self.assertTrue((shell.root / "etc/x").read_text().startswith(str(shell.root)))
        self.assertNotIn("9300", (shell.root / "etc/x").read_text().removeprefix(str(shell.root)))

    def test_commands_share_what_they_set_and_report_how_they_end(self):
        shell = self.useFixture(Shell())
        shell.run("export A=1; cd /srv")
        self.assertEqual((3, ["1 /srv"]), shell.run('echo "$A $PWD"; (exit 3)'))
