"""Types of job are loaded at start, and whatever is wrong with one stops it."""

from types import SimpleNamespace

import testtools

from glance_mini.domain.errors import ConfigurationError
from glance_mini.workers.base import JobType
from glance_mini.workers.types import build_job_types


class Convert(JobType):
    kind = "convert"

    @classmethod
    def from_config(cls, conf, services, stack, jobs):
        built = cls()
        built.given = (conf, services, stack, jobs)
        return built


class Broken(JobType):
    kind = "broken"

    @classmethod
    def from_config(cls, conf, services, stack, jobs):
        raise ZeroDivisionError


def extension(name, plugin):
    """Return what stevedore says of an entry point."""
    return SimpleNamespace(name=name, plugin=plugin, entry_point_target=f"acme:{name}")


class TestTypes(testtools.TestCase):
    def build(self, *extensions):
        return build_job_types(extensions, "conf", "services", "stack", "jobs")

    def assert_refused(self, text, *extensions):
        error = self.assertRaises(ConfigurationError, self.build, *extensions)
        self.assertIn(text, str(error))

    def test_types_are_built_by_kind_from_what_they_need(self):
        types = self.build(extension("convert", Convert))
        self.assertEqual(("conf", "services", "stack", "jobs"), types["convert"].given)

    def test_something_else_than_a_job_type_is_refused(self):
        self.assert_refused("acme:convert) is no subclass", extension("convert", dict))

    def test_another_name_than_its_kind_is_refused(self):
        self.assert_refused("calls itself convert", extension("transform", Convert))

    def test_two_types_of_one_kind_are_refused(self):
        self.assert_refused("more than once", extension("convert", Convert), extension("convert", Convert))

    def test_type_that_cannot_be_built_is_refused(self):
        self.assert_refused("could not be built: ZeroDivisionError", extension("broken", Broken))
