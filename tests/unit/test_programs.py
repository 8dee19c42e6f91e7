"""A copy of a program behaves as a process that was started by its command line."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import fixtures
import testtools

from tests import programs

PROGRAM = """
import os, signal, socket, sys
print(os.getcwd(), os.environ["WORD"], *sys.argv[1:])
print("sid", os.getsid(0) == os.getpid(), file=sys.stderr)
if sys.argv[1] == "fd":
    print(socket.socket(fileno=int(sys.argv[2])).getsockname()[1])
if sys.argv[1] == "wait":
    sys.stdout.flush()
    signal.pause()
sys.exit(7)
"""


class CopyTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        (self.folder / "program_of_a_test.py").write_text(PROGRAM)
        self.environ = {**os.environ, "PYTHONPATH": str(self.folder), "WORD": "hello"}

    def both(self, *words, **arguments):
        """Yield a copy and a real process, with their output not yet read."""
        for start in (programs.start, programs.start_fresh):
            process = start(
                "program_of_a_test", *words, stdout=subprocess.PIPE, env=self.environ, cwd=self.folder, **arguments
            )
            self.addCleanup(process.stdout.close)
            yield process

    def test_words_directory_environment_and_exit_code_are_the_same(self):
        copy, real = (
            (each.communicate(timeout=60)[0], each.wait(60), each.poll(), type(each)) for each in self.both("a", "b c")
        )
        self.assertEqual((f"{self.folder} hello a b c\n".encode(), 7, 7), copy[:3])
        self.assertEqual(real[:3], copy[:3])
        self.assertEqual([programs.Copy, subprocess.Popen], [copy[3], real[3]])

    def test_signal_ends_it_and_is_its_exit_code(self):
        for process in self.both("wait"):
            process.stdout.readline()
            self.assertIsNone(process.poll())
            self.assertRaises(subprocess.TimeoutExpired, process.wait, 0.01)
            process.terminate()
            self.assertEqual(-signal.SIGTERM, process.wait(60))
            process.kill()

    def test_inherited_descriptor_has_its_number(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            number = listener.fileno()
            for process in self.both("fd", str(number), pass_fds=[number]):
                lines = process.communicate(timeout=60)[0].decode().splitlines()
                self.assertEqual(str(listener.getsockname()[1]), lines[-1])

    def test_output_and_errors_are_apart_and_a_session_can_be_its_own(self):
        done = programs.run("program_of_a_test", "a", env=self.environ)
        self.assertEqual((7, "sid False\n"), (done.returncode, done.stderr))
        with open(self.folder / "errors", "w+b") as errors:
            for process in self.both("a", stderr=errors, start_new_session=True):
                process.communicate(timeout=60)
            errors.seek(0)
            self.assertEqual(b"sid True\n" * 2, errors.read())

    def test_other_words_to_python_start_a_real_process(self):
        process = programs.start("this", stdout=subprocess.PIPE, env={**os.environ, "PYTHONOPTIMIZE": "2"})
        process.communicate(timeout=60)
        self.assertIsInstance(process, subprocess.Popen)
        self.assertEqual(sys.executable, process.args[0])
