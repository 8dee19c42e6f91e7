"""Records of jobs that ended long ago go."""

import testtools

from glance_mini.domain.errors import NotFound
from glance_mini.maintenance.expiry import Cleaner
from tests.unit.workers.support import Clock, Script, make_job, make_worker, open_jobs


class TestCleaner(testtools.TestCase):
    def test_only_records_that_have_expired_are_removed(self):
        clock, jobs = Clock(), open_jobs(self)
        ended = jobs.add_job(make_job())
        make_worker(jobs, Script(), clock=clock).run_one()
        waiting = jobs.add_job(make_job())
        cleaner = Cleaner(jobs, clock=clock)
        clock.move(48 * 3600)
        self.assertEqual(0, cleaner.clean())
        clock.move(1)
        self.assertEqual(1, cleaner.clean())
        self.assertRaises(NotFound, jobs.get_job, ended.id)
        self.assertEqual("pending", jobs.get_job(waiting.id).state)
