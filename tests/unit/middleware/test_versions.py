"""The versions that are listed, and their prefixes, by configuration (api-versions-minor)."""

import testtools
import webob

from glance_mini.api.middleware.versions import VersionNegotiation


def _application(environ, start_response):
    start_response("204 No Content", [])
    return [b""]


class TestVersions(testtools.TestCase):
    def service(self, *, multi_store=True, has_cache=True):
        return VersionNegotiation(
            _application, multi_store=multi_store, has_cache=has_cache, public_endpoint=None, has_identity=False
        )

    def listed(self, **configuration):
        """Return the id and the status of every version, in their order."""
        answer = webob.Request.blank("/versions").get_response(self.service(**configuration))
        return [(each["id"], each["status"]) for each in answer.json["versions"]]

    def assert_versions(self, minors, **configuration):
        wanted = [f"v2.{minor}" for minor in minors]
        self.assertEqual(
            [(wanted[0], "CURRENT"), *((each, "SUPPORTED") for each in wanted[1:])], self.listed(**configuration)
        )
        for minor in range(20):
            answer = webob.Request.blank(f"/v2.{minor}/images").get_response(self.service(**configuration))
            self.assertEqual(204 if minor in minors else 300, answer.status_int, minor)

    def test_stores_and_cache_bring_all_versions(self):
        self.assert_versions(range(18, -1, -1))

    def test_without_a_cache_its_versions_are_absent_and_2_17_is_current(self):
        self.assert_versions([17, 15, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0], has_cache=False)

    def test_with_one_store_the_versions_of_several_are_absent(self):
        self.assert_versions([18, 17, 16, 15, 14, 9, 7, 6, 5, 4, 3, 2, 1, 0], multi_store=False)

    def test_with_neither_the_others_stay(self):
        self.assert_versions([17, 15, 9, 7, 6, 5, 4, 3, 2, 1, 0], multi_store=False, has_cache=False)
