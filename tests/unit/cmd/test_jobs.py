"""``glance-mini-manage jobs`` as an operator types it."""

from datetime import timedelta

from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.operations.jobs import AddJob, ClaimJob, FinishJob, GetJob
from glance_mini.operations.outbox import TakeEvents
from glance_mini.testing.samples import TIME
from tests.unit.cmd.test_commands import CommandTestCase
from tests.unit.workers.support import make_job

HOUR = timedelta(hours=1)


class JobCommandsTest(CommandTestCase):
    def setUp(self):
        super().setUp()
        engine = make_engine(f"sqlite:///{self.state.path}/glance-mini.db")
        schema.sync(engine)
        self.data = SqlDataAccess(engine)
        self.addCleanup(self.data.close)

    def add(self, now=TIME, **values):
        """Return the id of a new job."""
        return self.data.run(AddJob(make_job(**values)), now).id

    def add_failed(self):
        """Return the id of a job that failed."""
        self.add()
        job = self.data.run(ClaimJob("w", ("script",), HOUR), TIME)
        return self.data.run(FinishJob(job, "failure", None, "It broke.", HOUR), TIME).id

    def listed(self, *words):
        """Return the ids that ``jobs list`` shows."""
        code, out, _ = self.manage("jobs", "list", *words)
        self.assertEqual(0, code)
        return [line.split()[0] for line in out.splitlines()[1:]]

    def test_list_shows_jobs_of_all_kinds_newest_first_and_filters_them(self):
        old = self.add(project_id="p1")
        new = self.add(now=TIME + HOUR, kind="other", project_id="p2")
        self.assertEqual([new, old], self.listed())
        self.assertEqual([new], self.listed("--limit", "1"))
        self.assertEqual([old], self.listed("--kind", "script"))
        self.assertEqual([new], self.listed("--project", "p2"))
        self.assertEqual([], self.listed("--status", "failure"))

    def test_list_goes_on_from_page_to_page(self):
        ids = {self.add() for _ in range(501)}
        self.assertEqual(ids, set(self.listed()))

    def test_show_prints_everything_but_what_may_be_secret(self):
        where = {"node_url": "http://node1:9292", "stores": ("fast", "cheap")}
        job_id = self.add(input={"url": "http://me:pass@x/"}, token="the-token", roles=("member", "reader"), **where)
        code, out, _ = self.manage("jobs", "show", job_id)
        self.assertEqual(0, code)
        shown = {line.split()[0]: line.split()[-1] for line in out.splitlines()}
        self.assertEqual("pending", shown["state"])
        self.assertEqual("member,reader", shown["roles"])
        self.assertEqual("http://node1:9292", shown["node_url"])
        self.assertEqual("fast,cheap", shown["stores"])
        self.assertNotIn("pass", out)
        self.assertNotIn("the-token", out)

    def test_failed_job_is_tried_again(self):
        job_id = self.add_failed()
        self.assertEqual((0, "pending\n"), self.manage("jobs", "retry", job_id)[:2])
        self.assertEqual("pending", self.data.run(GetJob(job_id)).state)

    def test_job_that_has_not_failed_is_not_tried_again(self):
        code, _, err = self.manage("jobs", "retry", self.add())
        self.assertEqual((1, 1), (code, err.count("\n")))

    def test_waiting_job_is_cancelled_and_one_that_has_ended_is_not(self):
        job_id = self.add()
        self.assertEqual((0, "failure\n"), self.manage("jobs", "cancel", job_id, "--yes")[:2])
        code, _, err = self.manage("jobs", "cancel", job_id, "--yes")
        self.assertEqual((1, 1), (code, err.count("\n")))

    def test_record_of_a_cancelled_job_stays_as_long_as_configured(self):
        with self.state.config_file.open("a") as file:
            file.write("[task]\ntask_time_to_live = 5\n")
        job_id = self.add()
        self.manage("jobs", "cancel", job_id, "--yes")
        job = self.data.run(GetJob(job_id))
        self.assertEqual(5 * HOUR, job.expires_at - job.updated_at)

    def test_the_failure_of_a_task_that_is_cancelled_is_an_event(self):
        with self.state.config_file.open("a") as file:
            file.write("[notifications]\ndelivery = outbox\n[oslo_messaging_notifications]\ndriver = log\n")
        task, other = self.add(kind="import"), self.add()
        for job_id in (task, other):
            self.assertEqual((0, "failure\n"), self.manage("jobs", "cancel", job_id, "--yes")[:2])
        [event] = self.data.run(TakeEvents("test", HOUR, 10))
        self.assertEqual(("task.failure", task), (event.type, event.payload["id"]))

    def test_unknown_job_is_one_line(self):
        code, out, err = self.manage("jobs", "show", "nothing")
        self.assertEqual((1, "", "glance-mini-manage: No job found with ID nothing\n"), (code, out, err))
