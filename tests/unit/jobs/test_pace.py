"""A verification reads no faster than it may."""

import testtools

from glance_mini.verification.pace import LONGEST_SLEEP, Pace


class TestPace(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.now, self.checks, self.longest = 0.0, 0, 0.0

    def pass_(self, rate, count):
        """Return the seconds that ``count`` blocks of 1000 bytes take."""
        pace = Pace(rate, self.check, lambda: self.now, self.sleep)
        self.assertEqual(1000 * count, sum(len(block) for block in pace.watch([b"x" * 1000] * count)))
        self.assertEqual(1000 * count, pace.passed)
        list(pace.watch([b""]))
        return self.now

    def check(self):
        self.checks += 1

    def sleep(self, seconds):
        self.longest = max(self.longest, seconds)
        self.now += seconds

    def test_rate_holds_over_all_blocks(self):
        self.assertAlmostEqual(10.0, self.pass_(500, 5))
        self.assertLessEqual(self.longest, LONGEST_SLEEP)
        self.assertGreater(self.checks, 20)

    def test_no_rate_means_no_pause(self):
        self.assertEqual(0.0, self.pass_(0, 5))
        self.assertEqual(6, self.checks)
