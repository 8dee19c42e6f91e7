"""Work in a child process: its memory stays there, its failure does not."""

import os

import testtools

from glance_mini.cmd.child import run_in_child
from glance_mini.domain.errors import ConfigurationError, Unavailable


class RunInChildTest(testtools.TestCase):
    def _fail(self, error):
        def work():
            raise error

        return str(self.assertRaises(ConfigurationError, run_in_child, work))

    def test_work_is_done_in_another_process(self):
        done = []
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        run_in_child(lambda: (done.append(1), os.write(writing, b"%d" % os.getpid())))
        os.close(writing)
        self.assertEqual([], done)
        self.assertNotEqual(os.getpid(), int(os.read(reading, 20)))

    def test_error_that_was_foreseen_keeps_its_text(self):
        self.assertEqual("no database", self._fail(Unavailable(reason="no database")))

    def test_long_text_does_not_hang(self):
        self.assertEqual(64 * 1024, len(self._fail(Unavailable(reason="x" * 10**6))))

    def test_child_that_was_killed_is_a_failure(self):
        error = self.assertRaises(ConfigurationError, run_in_child, lambda: os.kill(os.getpid(), 9))
        self.assertIn("ended", str(error))
