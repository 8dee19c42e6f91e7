"""Every call of the Images API v2 is in the route table; the calls stand here as clients know them."""

import re

from glance_mini.api.routes import ROUTES
from tests.http.client import ApplicationTest

VERSIONS = """
GET /
GET /versions
"""
IMAGES = """
GET,POST            /v2/images
GET,PATCH,DELETE    /v2/images/{image}
GET                 /v2/images/{image}/tasks
GET                 /v2/images/{image}/blocks
POST                /v2/images/{image}/import
PUT,GET             /v2/images/{image}/file
PUT                 /v2/images/{image}/stage
POST                /v2/images/{image}/actions/deactivate
POST                /v2/images/{image}/actions/reactivate
POST                /v2/images/{image}/actions/coalesce
POST                /v2/images/{image}/actions/rebase
POST                /v2/images/{image}/actions/convert
GET,POST            /v2/images/{image}/locations
PUT,DELETE          /v2/images/{image}/tags/{tag}
GET,POST            /v2/images/{image}/members
GET,PUT,DELETE      /v2/images/{image}/members/{member}
DELETE              /v2/stores/{store}/{image}
"""
LINKS = """
GET,POST            /v2/images/{image}/links
DELETE              /v2/images/{image}/links/{link}
POST                /v2/images/{image}/links/{link}/complete
GET                 /v2/links/{token}
"""
EVENTS = """
GET                 /v2/events
"""
UPLOADS = """
OPTIONS,GET,POST    /v2/images/{image}/upload
OPTIONS,PATCH       /v2/images/{image}/upload/{session}
HEAD,POST,DELETE    /v2/images/{image}/upload/{session}
"""
INFO = """
GET                 /v2/info/import
GET                 /v2/info/stores
GET                 /v2/info/stores/detail
GET                 /v2/info/usage
"""
TASKS = """
GET,POST            /v2/tasks
GET,DELETE          /v2/tasks/{task}
"""
CACHE = """
GET,DELETE          /v2/cache
PUT,DELETE          /v2/cache/{image}
GET                 /v2/cache/nodes/{image}
POST                /v2/cache/clean
POST                /v2/cache/prune
"""
SCHEMAS = """
GET                 /v2/schemas/image
GET                 /v2/schemas/images
GET                 /v2/schemas/member
GET                 /v2/schemas/members
GET                 /v2/schemas/task
GET                 /v2/schemas/tasks
GET                 /v2/schemas/metadefs/namespace
GET                 /v2/schemas/metadefs/namespaces
GET                 /v2/schemas/metadefs/resource_type
GET                 /v2/schemas/metadefs/resource_types
GET                 /v2/schemas/metadefs/property
GET                 /v2/schemas/metadefs/properties
GET                 /v2/schemas/metadefs/object
GET                 /v2/schemas/metadefs/objects
GET                 /v2/schemas/metadefs/tag
GET                 /v2/schemas/metadefs/tags
"""
METADEFS = """
GET,POST            /v2/metadefs/namespaces
GET,PUT,DELETE      /v2/metadefs/namespaces/{namespace}
GET                 /v2/metadefs/resource_types
GET,POST            /v2/metadefs/namespaces/{namespace}/resource_types
DELETE              /v2/metadefs/namespaces/{namespace}/resource_types/{type}
GET,POST,DELETE     /v2/metadefs/namespaces/{namespace}/properties
GET,PUT,DELETE      /v2/metadefs/namespaces/{namespace}/properties/{property}
GET,POST,DELETE     /v2/metadefs/namespaces/{namespace}/objects
GET,PUT,DELETE      /v2/metadefs/namespaces/{namespace}/objects/{object}
GET,POST,DELETE     /v2/metadefs/namespaces/{namespace}/tags
POST,GET,PUT,DELETE /v2/metadefs/namespaces/{namespace}/tags/{tag}
"""
OLDER_CACHE = """
GET,DELETE          /v2/cached_images
DELETE              /v2/cached_images/{image}
GET,DELETE          /v2/queued_images
PUT,DELETE          /v2/queued_images/{image}
"""


def calls(table):
    """Return method and path of each call of a table; variables of a path lose their names."""
    rows = [line.split() for line in table.strip().splitlines()]
    return [(method, _nameless(path)) for methods, path in rows for method in methods.split(",")]


def _nameless(path):
    return re.sub(r"{\w+}", "{}", path)


NUMBERS = {
    VERSIONS: 2,
    IMAGES: 26,
    LINKS: 5,
    UPLOADS: 8,
    EVENTS: 1,
    INFO: 4,
    TASKS: 4,
    CACHE: 7,
    SCHEMAS: 16,
    METADEFS: 28,
    OLDER_CACHE: 7,
}
ALL = [call for table in NUMBERS for call in calls(table)]

REFUSED = {("DELETE", "/v2/tasks/{}")}
"""Calls that exist and always answer 405."""


class TestEndpoints(ApplicationTest):
    def routes(self):
        return {(method, _nameless(route.path)) for route in ROUTES for method in route.actions}

    def test_the_tables_have_all_calls(self):
        self.assertEqual(list(NUMBERS.values()), [len(calls(table)) for table in NUMBERS])
        self.assertEqual(87 + 5 + 8 + 1 + 7, len(set(ALL)))

    def test_every_call_has_a_route(self):
        wanted = set(ALL) - set(calls(VERSIONS)) - REFUSED
        self.assertEqual(set(), wanted - self.routes())

    def test_versions_are_listed_before_the_routes(self):
        self.assertEqual([300, 200], [self.send(*call).status_int for call in calls(VERSIONS)])

    def test_calls_that_are_refused_are_known(self):
        for method, path in REFUSED:
            answer = self.send(method, path.format("t1"), caller="admin")
            self.assertEqual((405, "GET"), (answer.status_int, answer.headers["Allow"]))
