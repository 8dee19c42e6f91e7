"""What a request may cost: statements that reach the database, and calls of the project's own functions.

The figures are the present ones, to the call. A request that costs more needs a reason, and one that costs less has its
figure lowered here.
"""

import json
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

import testtools
from webob import Request

from glance_mini.domain.image import Image, Location
from glance_mini.testing.application import ApplicationFixture
from glance_mini.testing.data_access.samples import creation
from glance_mini.testing.statements import count_statements
from tests.unit.own_calls import OwnCalls

IMAGES = 1000
LENGTHS = (1, 100, 1000)
PATCH_TYPE = "application/openstack-images-v2.1-json-patch"
OCTETS = "application/octet-stream"

STATEMENTS_OF_A_LIST = 1
STATEMENTS_OF_A_CHOICE = {("admin", "&tag=a"): 1, ("member", "&tag=a"): 2}
"""Further statements of a list by properties or tags, which find out where to begin; one more for common ones."""
STATEMENTS_OF_A_LIST_BEHIND_A_MARKER = 2
STATEMENTS_OF_A_LIST_OF_NAMESPACES = 2
STATEMENTS_OF_A_NAMESPACE = 2

CALLS_OF_A_SHOW, FILES_OF_A_SHOW = 31, 14
CALLS_OF_A_LIST_OF_100 = 252
"""Of the member's own images, each with properties, tags and a location; from the controller on."""


def seed(application):
    """Fill the database with images of the project p1, each with properties, tags and a location."""
    begin = datetime(2026, 1, 1)
    for number in range(IMAGES):
        time = begin + timedelta(seconds=number)
        image = Image(
            id=str(UUID(int=number + 1)),
            created_at=time,
            updated_at=time,
            status="active",
            name=f"image {number:04}",
            owner="p1",
            container_format="bare",
            disk_format="raw",
            size=number,
            tags=("a", "b", "c"),
            properties={f"key{key}": f"value {number}" for key in range(10)},
            locations=(Location(url=f"memory://fast/{number}", metadata={"store": "fast"}),),
        )
        application.backend.run(creation(image), time)


class CostCase(testtools.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # One place for all tests of a class; none changes the images that were seeded.
        cls.application = ApplicationFixture({"DEFAULT": {"user_storage_quota": "1TB"}}, listens=False)
        cls.application.setUp()
        cls.addClassCleanup(cls.application.cleanUp)
        seed(cls.application)

    def send(self, path, caller="member", method="GET", status=200, **arguments):
        """Return the answer to a request."""
        request = Request.blank(path, method=method, headers={"X-Auth-Token": caller}, **arguments)
        answer = request.get_response(self.application.app)
        self.assertEqual(status, answer.status_int, answer.text if answer.charset else "")
        return answer

    def statements(self, *arguments, **keywords):
        """Return how many statements a request takes when it is not the first of its kind."""
        self.send(*arguments, **keywords)
        return self.statements_of_the_next(*arguments, **keywords)

    def statements_of_the_next(self, *arguments, **keywords):
        """Return how many statements a request takes."""
        with count_statements(self.application.backend.engine) as found:
            self.send(*arguments, **keywords)
        return len(found)

    def own_calls(self, path):
        """Return the calls of a request of a member that is not the first of its kind.

        Once a second a request also looks whether the policy files have changed; it is not the cheapest one.
        """
        self.send(path)
        found = [OwnCalls().of(lambda: self.send(path)) for _ in range(3)]
        return min(found, key=lambda each: each.calls.total())

    def assert_calls(self, figure, found):
        """Fail unless so many calls were found: neither more, nor fewer without saying so here."""
        advice = "It costs more." if found.calls.total() > figure else "It costs less: write the new figure here."
        self.assertEqual(figure, found.calls.total(), f"{advice}\n{found}")


class ListCostTest(CostCase):
    queries = ("", "&name=image 0001", "&tag=a", "&key1=value 1", "&owner=p1", "&sort=name:asc,size:desc")

    def test_list_of_any_length_takes_the_same_statements(self):
        for caller in ("admin", "member"):
            for query in self.queries:
                taken = {self.statements(f"/v2/images?limit={length}{query}", caller) for length in LENGTHS}
                more = STATEMENTS_OF_A_CHOICE.get((caller, query), int("key1" in query))
                self.assertEqual({STATEMENTS_OF_A_LIST + more}, taken, (caller, query))

    def test_page_behind_a_marker_takes_the_same_statements_wherever_it_is(self):
        taken = {
            self.statements(f"/v2/images?limit={length}&marker={UUID(int=marker)}", caller)
            for caller in ("admin", "member")
            for length in LENGTHS
            for marker in (2, 500, 1000)
        }
        self.assertEqual({STATEMENTS_OF_A_LIST_BEHIND_A_MARKER}, taken)

    def test_all_is_listed_that_was_counted(self):
        images = {image["size"]: image for image in self.send("/v2/images?limit=1000").json["images"]}
        self.assertEqual(IMAGES, len(images))
        self.assertEqual(("value 1", ["a", "b", "c"]), (images[1]["key3"], sorted(images[1]["tags"])))

    def test_own_calls_of_a_list_of_100(self):
        self.assert_calls(CALLS_OF_A_LIST_OF_100, self.own_calls("/v2/images?limit=100"))


class RequestCostTest(CostCase):
    names = count()

    def test_show(self):
        for caller in ("admin", "member"):
            self.assertLessEqual(self.statements(f"/v2/images/{UUID(int=5)}", caller), 1)

    def test_own_calls_and_files_of_a_show(self):
        found = self.own_calls(f"/v2/images/{UUID(int=5)}")
        self.assert_calls(CALLS_OF_A_SHOW, found)
        self.assertEqual(FILES_OF_A_SHOW, len(found.files), f"Write the new figure here.\n{found}")

    def test_create(self):
        self.assertLessEqual(self.statements("/v2/images", method="POST", status=201, json=self._body()), 5)

    def test_patch(self):
        path = self._create()
        change = json.dumps([{"op": "add", "path": "/key", "value": "a"}]).encode()
        patch = {"method": "PATCH", "content_type": PATCH_TYPE}
        self.send(path, body=change, **patch)
        other = json.dumps([{"op": "replace", "path": "/key", "value": "b"}]).encode()
        self.assertLessEqual(self.statements_of_the_next(path, body=other, **patch), 5)

    def test_add_and_remove_a_tag(self):
        path = self._create()
        self.send(f"{path}/tags/warm", method="PUT", status=204)
        self.assertLessEqual(self.statements_of_the_next(f"{path}/tags/a", method="PUT", status=204), 4)
        self.assertLessEqual(self.statements_of_the_next(f"{path}/tags/a", method="DELETE", status=204), 4)

    def test_upload_and_download(self):
        self._upload(self._create())
        path = self._create()
        # One of them locks the rows that count together under the storage quota.
        self.assertLessEqual(self._upload(path), 18)
        self.assertLessEqual(self.statements_of_the_next(f"{path}/file"), 1)

    def test_members(self):
        path = self._create()
        arguments = {"method": "POST", "json": {"member": "p2"}}
        self.assertLessEqual(self.statements_of_the_next(f"{path}/members", **arguments), 5)
        self.assertLessEqual(self.statements_of_the_next(f"{path}/members"), 2)

    def test_delete(self):
        self.send(self._create(), method="DELETE", status=204)
        self.assertLessEqual(self.statements_of_the_next(self._create(), method="DELETE", status=204), 6)

    def _body(self):
        return {"name": "one", "disk_format": "raw", "container_format": "bare", "key": "a", "tags": ["b"]}

    def _create(self):
        body = {**self._body(), "id": str(UUID(int=10**6 + next(self.names)))}
        return self.send("/v2/images", method="POST", status=201, json=body).json["self"]

    def _upload(self, path):
        upload = {"method": "PUT", "status": 204, "body": b"x" * 1000, "content_type": OCTETS}
        return self.statements_of_the_next(f"{path}/file", **upload)


class MetadefCostTest(CostCase):
    NAMESPACES = "/v2/metadefs/namespaces"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        big = {f"p{number}": {"title": "P", "type": "string"} for number in range(200)}
        types = [{"name": "OS::Glance::Image"}, {"name": "OS::Nova::Flavor"}]
        for number in range(30):
            body = {"namespace": f"n{number}", "visibility": "public", "resource_type_associations": types}
            if not number:
                body |= {"properties": big, "objects": [{"name": "o"}], "tags": [{"name": "t"}]}
            request = Request.blank(cls.NAMESPACES, method="POST", headers={"X-Auth-Token": "admin"}, json=body)
            assert request.get_response(cls.application.app).status_int == 201

    def test_page_of_namespaces_with_resource_types(self):
        queries = (
            "",
            "limit=1",
            "limit=30",
            "limit=5&marker=n20",
            "resource_types=OS::Nova::Flavor",
            "visibility=public",
        )
        taken = {
            self.statements(f"{self.NAMESPACES}?{query}", caller) for caller in ("admin", "member") for query in queries
        }
        self.assertEqual({STATEMENTS_OF_A_LIST_OF_NAMESPACES}, taken)
        self.assertEqual(2, self.statements(f"{self.NAMESPACES}?marker=n0"))
        page = self.send(f"{self.NAMESPACES}?limit=30").json["namespaces"]
        self.assertEqual({2}, {len(each["resource_type_associations"]) for each in page})

    def test_namespace_with_200_properties(self):
        shown = self.send(f"{self.NAMESPACES}/n0?resource_type=OS::Glance::Image").json
        self.assertEqual(200, len(shown["properties"]))
        for name in ("n0", "n1"):
            self.assertEqual(STATEMENTS_OF_A_NAMESPACE, self.statements(f"{self.NAMESPACES}/{name}"))

    def test_lists_of_parts(self):
        for kind in ("properties", "objects", "tags", "resource_types"):
            self.assertLessEqual(self.statements(f"{self.NAMESPACES}/n0/{kind}"), 3)
