"""Types of job are loaded at start by the kind of their jobs; the rules for all plugins are tested with ``plugins``."""

import testtools

from glance_mini.domain.errors import ConfigurationError
from glance_mini.workers.base import NAMESPACE, JobType, load_job_types
from tests.unit.entry_points import installed


class Convert(JobType):
    kind = "convert"

    @classmethod
    def from_config(cls, conf, services, stack):
        built = cls()
        built.given = (conf, services, stack)
        return built


class TestTypes(testtools.TestCase):
    def load(self, *names):
        with installed(NAMESPACE, *((name, f"{__name__}:Convert") for name in names)):
            return load_job_types("conf", "services", "stack")

    def test_types_are_built_by_kind_from_what_they_need(self):
        self.assertEqual(("conf", "services", "stack"), self.load("convert")["convert"].given)

    def test_another_name_than_its_kind_is_refused(self):
        error = self.assertRaises(ConfigurationError, self.load, "transform")
        self.assertIn("Job type transform", str(error))

    def test_a_worker_that_knows_no_type_of_job_does_not_start(self):
        self.assertIn(NAMESPACE, str(self.assertRaises(ConfigurationError, self.load)))
