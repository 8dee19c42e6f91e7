"""What a task says while data is on its way."""

import testtools

from glance_mini.workers.progress import Progress

MIB = 1024 * 1024


class Notes:
    """A control that keeps what is reported."""

    def __init__(self):
        self.checks = 0
        self.messages = []

    def check(self):
        self.checks += 1

    def report_progress(self, message):
        self.messages.append(message)


class TestProgress(testtools.TestCase):
    def reports(self, size, *seconds, verb="Copied", block=MIB):
        """Return what is reported of one block at each time of ``seconds``, on a clock that starts at 0."""
        notes, now = Notes(), 0.0
        progress = Progress(notes, verb, size, interval=3, clock=lambda: now)
        chunks = progress.watch(b"x" * block for _ in seconds)
        for time in seconds:
            now = time
            self.assertEqual(block, len(next(chunks)))
        self.assertEqual(len(seconds), notes.checks)
        return notes.messages

    def test_a_known_size_is_reported_in_percent(self):
        self.assertEqual(["Copied 25 %", "Copied 50 %"], self.reports(8 * MIB, 1, 3, 4, 6, 7))

    def test_an_unknown_size_is_reported_in_mebibytes(self):
        self.assertEqual(["Fetched 2 MiB"], self.reports(None, 1, 5, 6, verb="Fetched"))

    def test_more_data_than_there_should_be_is_no_more_than_all(self):
        self.assertEqual(["Copied 100 %"], self.reports(MIB, 1, 3))

    def test_what_takes_no_time_reports_nothing(self):
        self.assertEqual([], self.reports(8 * MIB, 0, 1, 2.9))

    def test_one_that_is_used_again_goes_on_counting(self):
        notes, now = Notes(), 0.0
        progress = Progress(notes, "Copied", 2 * MIB, interval=0, clock=lambda: now)
        for _ in range(2):
            list(progress.watch([b"x" * MIB]))
        self.assertEqual(["Copied 50 %", "Copied 100 %"], notes.messages)
