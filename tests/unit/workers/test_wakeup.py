"""Who wakes idle workers, and that nobody has to."""

import os
import subprocess
import sys
import threading

import testtools

from glance_mini.operations.jobs import AddJob
from glance_mini.workers.wakeup import (
    PipeListener,
    PipeWaker,
    Silence,
    Sleeper,
    Wakeup,
    has_broker,
    open_listener,
    open_waker,
)
from tests.unit.layers.support import make_conf
from tests.unit.workers.support import WAIT, Script, make_job, make_worker, open_data


class TestWakeup(testtools.TestCase):
    def test_sleep_ends_at_a_wake_that_came_before_it(self):
        wakeup = Wakeup()
        sleepers = [Sleeper(wakeup), Sleeper(wakeup)]
        wakeup.wake()
        threads = [threading.Thread(target=each.sleep, args=(3600,), daemon=True) for each in sleepers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
            self.assertFalse(thread.is_alive())

    def test_idle_worker_that_is_woken_runs_a_new_job_long_before_it_would_look(self):
        data, done, wakeup = open_data(self), threading.Event(), Wakeup()
        script = Script(lambda job, control: done.set() or {})
        worker = make_worker(data, script, wakeup=wakeup, poll_interval=3600)
        worker.start()
        self.addCleanup(worker.join, WAIT)
        self.addCleanup(worker.stop)
        data.run(AddJob(make_job()))
        wakeup.wake()
        self.assertTrue(done.wait(WAIT))

    def test_worker_that_nobody_wakes_looks_by_itself(self):
        data, done = open_data(self), threading.Event()
        worker = make_worker(data, Script(lambda job, control: done.set() or {}))
        worker.start()
        self.addCleanup(worker.join, WAIT)
        self.addCleanup(worker.stop)
        data.run(AddJob(make_job()))
        self.assertTrue(done.wait(WAIT))


class TestPipe(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.writing, False)
        self.addCleanup(os.close, self.reading)

    def test_wakes_through_a_pipe_arrive(self):
        woken = threading.Event()
        listener = PipeListener(self.reading, woken.set)
        listener.start()
        PipeWaker(self.writing).wake()
        self.assertTrue(woken.wait(WAIT))
        os.close(self.writing)

    def test_pipe_that_nobody_reads_holds_nobody_up(self):
        waker = PipeWaker(self.writing)
        for _ in range(100_000):
            waker.wake()
        os.close(self.writing)


class TestChoice(testtools.TestCase):
    def test_broker_is_used_where_one_is_named_unless_the_option_says_otherwise(self):
        url = "[DEFAULT]\ntransport_url = rabbit://guest:guest@127.0.0.1:5672/\n"
        table = {
            "": False,
            url: True,
            f"{url}[workers]\nwakeup = poll\n": False,
            "[workers]\nwakeup = messaging\n": True,
        }
        for text, expected in table.items():
            self.assertEqual(expected, has_broker(make_conf(self, text)), text)

    def test_without_a_broker_the_pipe_is_taken_or_nothing(self):
        conf = make_conf(self)
        self.assertIsInstance(open_waker(conf), Silence)
        self.assertIsInstance(open_waker(conf, pipe=1), PipeWaker)
        self.assertIsInstance(open_listener(conf, lambda: None, pipe=0), PipeListener)

    def test_oslo_messaging_is_not_imported_where_no_broker_is_configured(self):
        code = (
            "import sys; from glance_mini import conf; from glance_mini.workers import loop, wakeup;"
            "c = conf.load(system_file=__import__('pathlib').Path('/nonexistent'));"
            "wakeup.open_waker(c); wakeup.open_listener(c, None);"
            "sys.exit('oslo_messaging' in sys.modules)"
        )
        self.assertEqual(0, subprocess.run([sys.executable, "-c", code], check=False).returncode)
