"""What a claim costs: statements of which each is led by the index of the queue, however many jobs have ended."""

from testtools import TestCase
from testtools.matchers import Contains, HasLength, LessThan, MatchesAll, Not

from glance_mini.domain.job import JobLimits
from glance_mini.operations.jobs import AddJob, ClaimJob, FinishJob
from glance_mini.testing.data_access.job_samples import KINDS, job
from glance_mini.testing.data_access.samples import LATER, LEASE, NOW
from glance_mini.testing.statements import count_statements
from tests.unit.db.test_sqlite import open_on

PROJECTS = 3


class TestClaimStatements(TestCase):
    def setUp(self):
        super().setUp()
        self.data = open_on("sqlite://")
        self.addCleanup(self.data.close)
        self.engine = self.data.engine
        for number in range(60):
            self.data.run(AddJob(job(project_id=f"p{number % PROJECTS}", stores=("fast", "cheap"))), NOW)
        for _ in range(30):
            self.data.run(FinishJob(self.claim(), "success", {}, "", LATER - NOW), NOW)

    def test_claim_is_few_statements_however_many_jobs_there_are(self):
        for _ in range(10):
            with count_statements(self.engine) as statements:
                self.assertIsNotNone(self.claim())
            # Whether any is due, what runs, the oldest, the first of projects with fewer running ones, the taking.
            self.assertThat(len(statements), LessThan(5 + PROJECTS))

    def test_claim_for_a_project_that_runs_nothing_is_five_statements(self):
        with count_statements(self.engine) as statements:
            self.assertIsNotNone(self.data.run(ClaimJob("w", KINDS, LEASE, JobLimits()), NOW))
        # Whether any is due; then, in the transaction, what runs, the oldest, the taking and its event.
        self.assertThat(statements, HasLength(5))

    def test_worker_without_work_asks_once_and_writes_nothing(self):
        with count_statements(self.engine) as statements:
            self.assertIsNone(self.data.run(ClaimJob("w", ("other",), LEASE, JobLimits()), NOW))
        self.assertThat(statements, HasLength(1))
        self.assertEqual([], [one for one in statements if not one.startswith("SELECT")])

    def test_no_statement_of_a_claim_reads_the_table_or_sorts_the_queue(self):
        self.claim()
        found = []
        with count_statements(self.engine, found.append):
            self.claim()
        for statement, values in found:
            if statement.startswith("INSERT INTO event_log"):
                continue
            plan = self.plan(statement, values)
            self.assertThat(plan, Contains("SEARCH jobs USING"))
            self.assertThat(plan, MatchesAll(Not(Contains("SCAN jobs")), Not(Contains("FOR ORDER BY"))))

    def plan(self, statement, values):
        """Return how SQLite would answer a statement."""
        with self.engine.connect() as connection:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            return "\n".join(row[3] for row in rows)

    def claim(self):
        return self.data.run(ClaimJob("w", KINDS, LEASE, JobLimits(per_project=50, per_store=50)), NOW)
