"""Pages of other sites, which make a browser send its password along: no call of the API changes anything for them."""

import base64
import re
from dataclasses import replace

import bcrypt
import fixtures

from glance_mini.api.routes import ROUTES
from glance_mini.standalone.users import User, change_users
from tests.http.client import ApplicationTest

CHANGING = ("POST", "PUT", "PATCH", "DELETE")
PASSWORD = base64.b64encode(b"root:correct horse").decode()
FOREIGN = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site", "Origin": "https://images.evil.example"},
)
NAME = "<script>alert(1)</script>"


class TestOtherSites(ApplicationTest):
    options = {"paste_deploy": {"flavor": "basic"}}

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.FakeLogger())
        secret = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
        user = replace(User("root").with_role("p1", ("admin", "member")), password=secret)
        change_users(self.service.folder / "users.json", lambda users: users.add(user))
        self.password = {"Authorization": f"Basic {PASSWORD}", "Content_Type": "application/json"}
        created = self.send("POST", "/v2/images", {"name": NAME}, "", **self.password)
        self.assertEqual(201, created.status_int, created.text)
        self.image = created.json

    def test_no_changing_call_is_made_for_another_site(self) -> None:
        calls = {(method, route.path) for route in ROUTES for method in route.actions if method in CHANGING}
        self.assertGreater(len(calls), 50)
        for method, path in sorted(calls):
            where = re.sub(r"\{[^}]*\}", self.image["id"], path)
            for headers in FOREIGN:
                answer = self.send(method, where, b"{}", "", **self.password, **headers)
                self.assertEqual(403, answer.status_int, (method, path, headers))
        for path in ("/v3/auth/tokens", "/identity/v3/auth/tokens"):
            for method in ("POST", "DELETE"):
                answer = self.send(method, path, b"{}", "", **self.password, **FOREIGN[0])
                self.assertEqual(403, answer.status_int, (method, path))
        shown = self.send("GET", f"/v2/images/{self.image['id']}", caller="", **self.password)
        self.assertEqual(self.image, shown.json)
        images = self.send("GET", "/v2/images", caller="", **self.password).json["images"]
        self.assertEqual([self.image["id"]], [image["id"] for image in images])

    def test_script_in_a_name_is_never_sent_as_a_page(self) -> None:
        for path in ("/v2/images", f"/v2/images/{self.image['id']}"):
            answer = self.send("GET", path, caller="", Accept="text/html", **self.password)
            self.assertEqual(("application/json", True), (answer.content_type, NAME in answer.text))
        for path in (f"/v2/images/{NAME}", f"/v2/images?marker={NAME}", f"/v2/images?sort_key={NAME}"):
            answer = self.send("GET", path, caller="", Accept="text/html", **self.password)
            self.assertNotIn("<script", answer.text, path)
