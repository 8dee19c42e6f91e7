"""Records of jobs that ended long ago go."""

import testtools

from glance_mini.domain.errors import NotFound
from glance_mini.maintenance.expiry import Cleaner
from glance_mini.operations.jobs import AddJob, GetJob
from tests.unit.workers.support import Clock, Script, make_job, make_worker, open_data


class TestCleaner(testtools.TestCase):
    def test_only_records_that_have_expired_are_removed(self):
        clock = Clock()
        data = open_data(self, clock)
        ended = data.run(AddJob(make_job()))
        make_worker(data, Script(), clock=clock).run_one()
        waiting = data.run(AddJob(make_job()))
        cleaner = Cleaner(data)
        clock.move(48 * 3600)
        self.assertEqual(0, cleaner.clean())
        clock.move(1)
        self.assertEqual(1, cleaner.clean())
        self.assertRaises(NotFound, data.run, GetJob(ended.id))
        self.assertEqual("pending", data.run(GetJob(waiting.id)).state)
