"""What holds for each command of ``glance-mini-manage``, also for those that come later.

A new command is found by itself. If it needs more than a new state directory and the tables, its words stand in
``WORDS``.
"""

import argparse
import csv
import io
import json
import os
import pty
import re
import shlex
import sqlite3
import subprocess
import sys
import threading
import time

import argcomplete
import fixtures

from glance_mini.cmd import manage
from glance_mini.cmd.console import EXIT_CODES, MANAGE
from glance_mini.cmd.output import FORMATS
from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.operations.jobs import AddJob, ClaimJob, FinishJob
from glance_mini.operations.records import MoveToTrash
from glance_mini.testing.data_access.samples import creation
from glance_mini.testing.samples import IMAGE_ID, TIME, make_image
from glance_mini.testing.samples import make_job as scrub_job
from tests.unit.cmd.test_commands import CommandTestCase
from tests.unit.cmd.test_jobs import HOUR
from tests.unit.migration.glance_file import GlanceFile
from tests.unit.workers.support import make_job

DEADLINE = 60.0
ACTIVE_ID = "5a8f1e0e-8f4d-4c3a-9b0e-0d5f6a7b8c9d"

WORDS = {
    "user add": "carol --token",
    "user show": "ann",
    "user password": "ann --password-stdin",
    "user remove": "ann --yes",
    "config check": "",
    "db purge": "--yes",
    "db load_metadefs": "",
    "db export_metadefs": "{root}/exported-{form}",
    "images chain": f"{ACTIVE_ID}",
    "images restore": f"{IMAGE_ID}",
    "images scrub": f"{IMAGE_ID} --yes",
    "backup": "--images {root}/backup.tar",
    "migrate-from-glance": "--config {root}/glance-api.conf",
    "export": "--to-glance --config {root}/glance-api.conf",
    "restore": "{root}/saved.tar {root}/restored-{form}",
    "store verify": "--store images",
    "samples": "{root}/samples-{form}",
    "cache queue": f"{ACTIVE_ID}",
    "cache delete": f"{ACTIVE_ID}",
    "cache clear": "--yes",
    "registry certificates": "{root}/tls-{form} api1 --role api",
    "jobs show": "{job}",
    "jobs retry": "{job}",
    "jobs cancel": "{job} --yes",
}
"""What follows the name of a command, where its example does not work here; ``{job}`` is the id of a job, ``{root}`` a
directory."""


def commands(parser=None, words=()):
    """Return the parsers of all commands by their words."""
    found = {}
    for action in (parser or manage.make_parser())._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                found |= commands(below, (*words, name))
    return found or {" ".join(words): parser}


class PromisesTest(CommandTestCase):
    def test_commands_are_found(self):
        self.assertTrue({"db sync", "user show", "quota set", "layers", "jobs list"} <= set(commands()))

    def test_help_has_an_example_that_works_and_the_exit_codes(self):
        for words, parser in commands().items():
            code, out, _ = self.call(manage, *words.split(), "--help")
            self.assertEqual(0, code)
            [example] = re.findall(rf"^  ({MANAGE} .*)$", out, re.MULTILINE)
            self.assertTrue(example.startswith(f"{MANAGE} {words}"), example)
            parsed = manage.make_parser().parse_args(shlex.split(example)[1:])
            self.assertEqual(parser.get_default("command"), parsed.command, words)
            self.assertIn(EXIT_CODES, " ".join(out.split()), words)

    def test_each_prints_a_table_or_json_or_csv(self):
        for words, parser in commands().items():
            [action] = [each for each in parser._actions if each.dest == "format"]
            self.assertEqual((FORMATS, "table"), (action.choices, action.default), words)

    def test_what_cannot_be_undone_is_refused_without_a_terminal(self):
        for words, parser in commands().items():
            if not parser.get_default("question"):
                continue
            line = [word for word in shlex.split(parser.get_default("example")) if word != "--yes"]
            before = sorted(self.state.path.iterdir())
            code, out, err = self.manage(*line)
            self.assertEqual((1, "", 1), (code, out, err.count("\n")), err)
            self.assertIn("--yes", err)
            self.assertEqual(before, sorted(self.state.path.iterdir()), words)

    def test_wrong_arguments_are_exit_code_2(self):
        for words in commands():
            self.assertEqual(2, self.manage(*words.split(), "--no-such-option")[0], words)

    def test_shell_completes_options_and_commands(self):
        for words in commands():
            self.assertIn("--format", self.completed(f"{MANAGE} {words} --"), words)
            self.assertIn(words.split()[-1], self.completed(f"{MANAGE} {words}"))

    def completed(self, line):
        """Return what a shell offers in place of the last word of ``line``."""
        environment = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": " ", "COMP_LINE": line, "COMP_POINT": str(len(line))}
        for name, value in environment.items():
            self.useFixture(fixtures.EnvironmentVariable(name, value))
        out = io.StringIO()
        argcomplete.autocomplete(manage.make_parser(line.split()), exit_method=lambda code: None, output_stream=out)
        return [word.strip() for word in out.getvalue().split(" ")]

    def test_help_is_the_same_without_the_modules_of_the_commands(self):
        self.assertEqual(manage.make_parser().format_help(), manage.make_parser(["user"]).format_help())

    def test_only_the_named_group_is_imported(self):
        line = "import sys; from glance_mini.cmd import manage; manage.make_parser(sys.argv[1:]); print(*sys.modules)"
        for words, expected in (([], []), (["us"], []), (["user", "sh"], ["glance_mini.cmd.manage_users"])):
            done = subprocess.run(
                [sys.executable, "-c", line, *words], capture_output=True, text=True, check=True, timeout=DEADLINE
            )
            loaded = done.stdout.split()
            self.assertEqual(expected, [name for name in loaded if name.startswith("glance_mini.cmd.manage_")])
            for name in ("sqlalchemy", "oslo_policy", "glance_mini.bootstrap", "glance_mini.operations"):
                self.assertNotIn(name, loaded)

    def test_the_program_itself_answers_a_shell(self):
        line = f"{MANAGE} user sh"
        environment = {**os.environ, "_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line))}
        environment |= {"_ARGCOMPLETE_IFS": " ", "_ARGCOMPLETE_STDOUT_FILENAME": str(self.root / "completions")}
        command = [sys.executable, "-m", "glance_mini.cmd.manage"]
        subprocess.run(command, env=environment, check=True, timeout=DEADLINE)
        self.assertEqual("show", (self.root / "completions").read_text().strip())


class EveryFormatTest(CommandTestCase):
    def setUp(self):
        super().setUp()
        self.engine = make_engine(f"sqlite:///{self.state.path}/glance-mini.db")
        self.addCleanup(self.engine.dispose)
        schema.sync(self.engine)
        self.data = SqlDataAccess(self.engine)
        lines = f"\n[DEFAULT]\nimage_cache_dir = {self.root}/cache\nimage_cache_driver = sqlite\n"
        self.state.config_file.write_text(self.state.config_file.read_text() + lines)

    def prepare(self, words):
        """Make a user, a deleted image and a job, as the command needs them."""
        self.state.users_file.unlink(missing_ok=True)
        self.manage("user", "add", "ann", "--project", "lab", "--token")
        with self.engine.begin() as connection:
            for table in ("pending_deletes", "image_locations", "image_tags", "image_properties", "jobs", "images"):
                connection.exec_driver_sql(f"DELETE FROM {table}")
        self.data.run(creation(make_image()))
        self.data.run(creation(make_image(id=ACTIVE_ID, status="active")))
        if words == "cache delete":
            self.manage("cache", "queue", ACTIVE_ID)
        job = scrub_job(kind="scrub", image_id=IMAGE_ID, token=None)
        self.data.run(MoveToTrash(IMAGE_ID, HOUR, job))
        self.job = self.data.run(AddJob(make_job()), TIME).id
        if words in ("migrate-from-glance", "export"):
            config = self.useFixture(GlanceFile()).config_file
            (self.root / "glance-api.conf").write_text(config.read_text())
        if words == "restore":
            self.manage("backup", str(self.root / "saved.tar"))
        if words == "jobs retry":
            claimed = self.data.run(ClaimJob("w", ("script",), HOUR), TIME)
            self.data.run(FinishJob(claimed, "failure", None, "It broke.", HOUR), TIME)

    def test_each_command_works_in_each_format(self):
        for words, parser in commands().items():
            arguments = WORDS.get(words, parser.get_default("example").removeprefix(words))
            for form in FORMATS:
                self.prepare(words)
                line = shlex.split(f"{words} {arguments.format(job=self.job, root=self.root, form=form)}")
                code, out, err = self.manage(*line, "--format", form, stdin="correct horse\n")
                self.assertEqual(0, code, f"{words}: {out}{err}")
                if form == "json":
                    self.assertIsInstance(json.loads(out), list | dict, words)
                elif form == "csv":
                    lengths = {len(row) for row in csv.reader(io.StringIO(out))}
                    self.assertEqual(1, len(lengths), words)


class TerminalTest(CommandTestCase):
    """On a real terminal: questions, passwords and the progress bar."""

    def start(self, *words):
        """Run a command on a new terminal, which it has as its input and for its messages."""
        self.terminal, other = pty.openpty()
        self.addCleanup(os.close, self.terminal)
        line = [sys.executable, "-m", "glance_mini.cmd.manage", *words, "--state", str(self.state.path)]
        process = subprocess.Popen(
            line, stdin=other, stdout=subprocess.PIPE, stderr=other, text=True, start_new_session=True,
            env={**os.environ, "TERM": "xterm"},
        )  # fmt: skip
        os.close(other)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, DEADLINE)
        self.addCleanup(process.kill)
        return process

    def read_until(self, text):
        """Return what the terminal has shown when ``text`` is there."""
        shown, deadline = "", time.monotonic() + DEADLINE
        while text not in shown:
            self.assertLess(time.monotonic(), deadline, shown)
            shown += os.read(self.terminal, 4096).decode(errors="replace")
        return shown

    def answer(self, text):
        os.write(self.terminal, f"{text}\n".encode())

    def test_question_is_asked_and_only_yes_goes_on(self):
        for answer, code in (("", 1), ("n", 1), ("y", 0)):
            self.manage("user", "add", "ann", "--project", "lab")
            process = self.start("user", "remove", "ann")
            self.read_until("Remove user ann? This cannot be undone. [y/N]")
            self.answer(answer)
            self.assertEqual(code, process.wait(DEADLINE), answer)
            self.assertEqual(code == 1, "ann" in self.users().by_name, answer)

    def test_password_is_asked_for_twice_and_not_shown(self):
        self.manage("user", "add", "ann")
        for again, code in (("correct hors", 1), ("correct horse", 0)):
            process = self.start("user", "password", "ann")
            shown = self.read_until("Password: ")
            self.answer("correct horse")
            shown += self.read_until("Again: ")
            self.answer(again)
            self.assertEqual(code, process.wait(DEADLINE))
            self.assertNotIn("horse", shown)
            self.assertEqual(code == 0, self.users().by_name["ann"].password is not None)

    def test_quick_work_has_no_bar(self):
        self.manage("user", "add", "ann")
        process = self.start("user", "list")
        self.assertEqual(0, process.wait(DEADLINE))
        shown = b""
        try:
            while part := os.read(self.terminal, 4096):
                shown += part
        except OSError:
            # Nobody has the terminal any more.
            self.assertEqual(b"", shown)

    def test_work_of_more_than_a_second_has_a_bar(self):
        self.manage("db", "sync")
        holder = sqlite3.connect(self.state.path / "glance-mini.db", isolation_level=None, check_same_thread=False)
        self.addCleanup(holder.close)
        holder.execute("BEGIN IMMEDIATE")
        process = self.start("db", "purge", "--yes")
        shown = self.read_until("remove images that were deleted long ago")
        reader = threading.Thread(target=self.drain, daemon=True)
        reader.start()
        holder.execute("ROLLBACK")
        self.assertEqual((0, "0\n"), (process.wait(DEADLINE), process.stdout.read()), shown)

    def drain(self):
        """Read on, so that the command never waits for its terminal."""
        try:
            while os.read(self.terminal, 4096):
                pass
        except OSError:
            return
