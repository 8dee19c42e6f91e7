"""The log-in that the service itself offers, without Keystone (operator/identity)."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import bcrypt
import fixtures
from testtools.matchers import ContainsDict, Equals
from webob import Response

from glance_mini.api.identity.routes import ROUTES
from glance_mini.operations.identity import PurgeTokens
from glance_mini.standalone.users import User, change_users, hash_token
from glance_mini.testing.application import ApplicationFixture
from tests.http.client import ApplicationTest

PASSWORD = "correct: horse"
REFUSED = "The request you have made requires authentication."
DOMAIN = {"id": "default", "name": "Default"}


def with_password(user: User, password: str) -> User:
    """Return the user with a password that is cheap to check."""
    return replace(user, password=bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode())


class IdentityTest(ApplicationTest):
    """Log-ins of ``ann``: a member of ``lab`` and a reader of ``home``, with a password."""

    def setUp(self) -> None:
        super().setUp()
        self.change(with_password(User("ann").with_role("lab", ("member",)).with_role("home", ("reader",)), PASSWORD))

    def change(self, user: User) -> None:
        """Write one user to the users file."""
        change_users(self.service.folder / "users.json", lambda users: users.add(user))

    def user(self, name: str = "ann") -> User:
        """Return one user as the users file says."""
        found: list[User] = []
        change_users(self.service.folder / "users.json", lambda users: found.append(users.get(name)) or users)
        return found[0]

    def send(self, method: str, path: str, body: Any = None, caller: str = "member", **headers: object) -> Response:
        return super().send(method, path, body, caller, **{"Content_Type": "application/json", **headers})

    def log_in(
        self, name: str = "ann", password: str = PASSWORD, scope: Any = None, path: str = "/v3", **headers: object
    ) -> Response:
        """Return the answer to a log-in by password; names are in the domain by its name."""
        user = {"name": name, "password": password, "domain": {"name": "Default"}}
        return self.ask(path, {"methods": ["password"], "password": {"user": user}}, scope, **headers)

    def exchange(self, token: str, scope: Any = None) -> Response:
        """Return the answer to a log-in by a token."""
        return self.ask("/v3", {"methods": ["token"], "token": {"id": token}}, scope)

    def ask(self, path: str, identity: Any, scope: Any, **headers: object) -> Response:
        auth = {"identity": identity} | ({} if scope is None else {"scope": scope})
        return self.send("POST", f"{path}/auth/tokens", {"auth": auth}, caller="", **headers)

    def token(self, *arguments: Any, **named: Any) -> str:
        """Return the token of a log-in, which must succeed."""
        answer = self.log_in(*arguments, **named)
        self.assertEqual(201, answer.status_int, answer.text)
        return str(answer.headers["X-Subject-Token"])

    def get(self, path: str, token: str, **headers: object) -> Response:
        return self.send("GET", path, caller=token, **headers)

    def names(self, path: str, token: str) -> list[str]:
        """Return the names in a list."""
        answer = self.get(path, token)
        self.assertEqual(200, answer.status_int, answer.text)
        return [each["name"] for each in answer.json[path.partition("?")[0].rpartition("/")[2]]]

    def assert_refused(self, answer: Response, status: int = 401, message: str = REFUSED) -> None:
        """Assert that an error has the form of the Identity API."""
        expected = {"code": status, "message": message, "title": answer.status.partition(" ")[2]}
        self.assertEqual((status, {"error": expected}), (answer.status_int, answer.json))


class DiscoveryTest(IdentityTest):
    def test_versions_are_found_at_both_places(self):
        for path, base in (("/identity", "/identity/v3/"), ("/identity/v3", "/identity/v3/"), ("/v3", "/v3/")):
            for end in ("", "/"):
                answer = self.send("GET", path + end, caller="")
                body = answer.json
                found = body["version"] if "version" in body else body["versions"]["values"][0]
                self.assertEqual("stable", found["status"])
                self.assertEqual(f"http://localhost{base}", found["links"][0]["href"])
                self.assertEqual(200 if "v3" in path else 300, answer.status_int)

    def test_root_lists_the_versions_of_the_images(self):
        self.assertEqual("v2.0", self.send("GET", "/", caller="").json["versions"][-1]["id"])

    def test_rest_of_the_api_is_unknown_or_forbidden(self):
        admin = self.token("admin", "admin")
        for method, path, status in (
            ("GET", "/v3/groups", 404),
            ("GET", "/v3/auth", 404),
            ("GET", "/v3/users/ann/extra/more", 404),
            ("GET", "/identity/v2.0", 404),
            ("POST", "/v3/users", 403),
            ("PATCH", "/v3/projects/lab", 403),
            ("PUT", "/v3/auth/tokens", 403),
            ("DELETE", "/v3/domains/default", 403),
            ("POST", "/v3/OS-TRUST/trusts", 403),
        ):
            answer = self.send(method, path, caller=admin)
            self.assertEqual(status, answer.status_int, path)
            self.assertEqual(status, answer.json["error"]["code"])

    def test_request_id_is_answered_and_nothing_is_cached(self):
        headers = self.log_in().headers
        self.assertEqual("req-", headers["x-openstack-request-id"][:4])
        self.assertEqual(("no-store", "X-Auth-Token"), (headers["Cache-Control"], headers["Vary"]))


class LoginTest(IdentityTest):
    def test_password_gives_a_token_with_project_roles_and_catalogue(self):
        answer = self.log_in(scope={"project": {"name": "lab", "domain": {"name": "Default"}}})
        token = answer.json["token"]
        self.assertEqual(["password"], token["methods"])
        self.assertThat(token["user"], ContainsDict({"name": Equals("ann"), "domain": Equals(DOMAIN)}))
        self.assertEqual({"id": "lab", "name": "lab", "domain": DOMAIN}, token["project"])
        self.assertEqual(["member", "reader"], [role["name"] for role in token["roles"]])
        urls = {each["type"]: {end["url"] for end in each["endpoints"]} for each in token["catalog"]}
        self.assertEqual({"image": {"http://localhost"}, "identity": {"http://localhost/identity/v3"}}, urls)

    def test_token_is_accepted_by_the_image_api(self):
        token = self.token(scope={"project": {"id": "lab"}})
        created = self.send("POST", "/v2/images", {"name": "disk"}, caller=token)
        self.assertEqual((201, "lab"), (created.status_int, created.json["owner"]))
        elsewhere = self.token(scope={"project": {"id": "home"}})
        self.assertEqual(403, self.send("POST", "/v2/images", {"name": "disk"}, caller=elsewhere).status_int)

    def test_ids_and_names_mean_the_same(self):
        for user in ({"id": "ann"}, {"name": "ann", "domain": {"id": "default"}}, {"name": "ann"}):
            for project in ({"id": "lab"}, {"name": "lab", "domain": {"id": "default"}}, {"name": "lab"}):
                identity = {"methods": ["password"], "password": {"user": {**user, "password": PASSWORD}}}
                answer = self.ask("/identity/v3", identity, {"project": project})
                self.assertEqual((201, "lab"), (answer.status_int, answer.json["token"]["project"]["id"]))

    def test_nobody_gets_in_with_wrong_credentials(self):
        elsewhere = {"name": "ann", "password": PASSWORD, "domain": {"name": "other"}}
        for answer in (
            self.log_in(password="wrong"),
            self.log_in("nobody"),
            self.log_in("member", PASSWORD),
            self.log_in("other", "member"),
            self.exchange("unknown"),
            self.exchange("gmi-" + "x" * 43),
            self.ask("/v3", {"methods": ["password"], "password": {"user": elsewhere}}, None),
            self.log_in(scope={"project": {"id": "p1"}}),
            self.log_in(scope={"project": {"name": "lab", "domain": {"id": "other"}}}),
            self.log_in(scope={"domain": {"id": "default"}}),
            self.log_in(scope={"domain": {"name": "other"}}),
            self.log_in(scope={"system": {"all": True}}),
        ):
            self.assert_refused(answer)
            self.assertIn("WWW-Authenticate", answer.headers)
            self.assertNotIn("X-Subject-Token", answer.headers)

    def test_malformed_requests_are_named_and_leave_nothing(self):
        user = {"name": "ann", "password": PASSWORD}
        password = {"methods": ["password"], "password": {"user": user}}
        for body in (
            b"",
            b"{",
            b"[]",
            {},
            {"auth": []},
            {"auth": {"identity": {}}},
            {"auth": {"identity": {"methods": []}}},
            {"auth": {"identity": {"methods": [1]}}},
            {"auth": {"identity": {"methods": ["password", "token"]}}},
            {"auth": {"identity": {"methods": ["oauth1"]}}},
            {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "ann"}}}}},
            {"auth": {"identity": {"methods": ["password"], "password": {"user": {**user, "password": 1}}}}},
            {"auth": {"identity": {"methods": ["password"], "password": {"user": {**user, "name": "a" * 256}}}}},
            {"auth": {"identity": {"methods": ["token"], "token": {"id": ""}}}},
            {"auth": {"identity": password, "scope": 5}},
            {"auth": {"identity": password, "scope": {"project": "lab"}}},
        ):
            answer = self.send("POST", "/v3/auth/tokens", body, caller="")
            self.assertEqual((400, 400), (answer.status_int, answer.json["error"]["code"]), body)
        self.assertEqual(413, self.send("POST", "/v3/auth/tokens", b" " * 20_000, caller="").status_int)
        self.assertEqual(0, self.services_tokens())

    def services_tokens(self) -> int:
        """Return how many tokens there are, and remove them."""
        now = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=400)
        return self.service.services.data.run(PurgeTokens(1000), now)

    def test_without_a_scope_the_token_is_for_the_first_project(self):
        self.assertEqual("lab", self.log_in().json["token"]["project"]["id"])

    def test_unscoped_token_reaches_projects_but_no_image(self):
        for scope in ("unscoped", {"unscoped": {}}):
            answer = self.log_in(scope=scope)
            self.assertEqual(set(), {"project", "roles", "catalog"} & set(answer.json["token"]))
            token = answer.headers["X-Subject-Token"]
            self.assertEqual(["lab", "home"], self.names("/v3/auth/projects", token))
            self.assertEqual(403, self.get("/v2/images", token).status_int)

    def test_token_is_exchanged_for_one_of_another_project_and_lives_no_longer(self):
        first = self.log_in(scope="unscoped")
        second = self.exchange(first.headers["X-Subject-Token"], {"project": {"id": "home"}})
        tokens = [first.json["token"], second.json["token"]]
        self.assertEqual(1, len({token["expires_at"] for token in tokens}))
        self.assertEqual(["token", "password"], tokens[1]["methods"])
        self.assertEqual(["reader"], [role["name"] for role in tokens[1]["roles"]])

    def test_administrators_alone_have_the_domain(self):
        answer = self.log_in("admin", "admin", scope={"domain": {"name": "default"}})
        self.assertEqual((201, DOMAIN), (answer.status_int, answer.json["token"]["domain"]))
        self.assertEqual(["Default"], self.names("/v3/auth/domains", answer.headers["X-Subject-Token"]))

    def test_catalogue_names_the_public_address_and_may_be_left_out(self):
        identity = {"methods": ["password"], "password": {"user": {"id": "ann", "password": PASSWORD}}}
        answer = self.send("POST", "/v3/auth/tokens?nocatalog", {"auth": {"identity": identity}}, caller="")
        self.assertNotIn("catalog", answer.json["token"])


class FileTokenTest(IdentityTest):
    def test_token_of_the_users_file_is_a_password_and_a_token(self):
        for answer in (self.log_in("member", "member"), self.exchange("member")):
            self.assertEqual((201, "p1"), (answer.status_int, answer.json["token"]["project"]["id"]))
            self.assertEqual(200, self.get("/v2/images", answer.headers["X-Subject-Token"]).status_int)

    def test_its_log_in_reaches_no_other_project(self):
        self.change(self.user("member").with_role("lab", ("admin",)))
        self.assert_refused(self.log_in("member", "member", scope={"project": {"id": "lab"}}))
        self.assert_refused(self.log_in("member", "member", scope={"domain": {"id": "default"}}))
        token = self.token("member", "member", scope="unscoped")
        self.assertEqual(["p1"], self.names("/v3/auth/projects", token))
        self.assert_refused(self.exchange(token, {"project": {"id": "lab"}}))

    def test_its_log_in_ends_with_it(self):
        token = self.token("member", "member")
        self.change(self.user("member").without_tokens().with_token("another", "p1"))
        self.assertEqual(401, self.get("/v2/images", token).status_int)

    def test_its_log_in_ends_at_its_time(self):
        expires = datetime.now(UTC).replace(microsecond=0, tzinfo=None) + timedelta(minutes=5)
        self.change(self.user("ann").with_token("short", "lab", expires=expires))
        answer = self.log_in(password="short")
        self.assertEqual(f"{expires.isoformat()}.000000Z", answer.json["token"]["expires_at"])

    def test_it_asks_the_identity_api_itself(self):
        self.assertEqual(["p1"], self.names("/v3/auth/projects", "member"))
        self.assertEqual("member", self.get("/v3/users/member", "member").json["user"]["name"])


class EndTest(IdentityTest):
    def test_token_is_shown_to_its_user_and_to_administrators(self):
        token = self.token()
        admin, other = self.token("admin", "admin"), self.token("other", "other")
        for caller, status in ((token, 200), (admin, 200), (other, 403)):
            for method in ("GET", "HEAD"):
                answer = self.send(method, "/v3/auth/tokens", caller=caller, X_Subject_Token=token)
                self.assertEqual(status, answer.status_int)
        shown = self.get("/v3/auth/tokens", admin, X_Subject_Token=token)
        self.assertEqual(("ann", token), (shown.json["token"]["user"]["id"], shown.headers["X-Subject-Token"]))
        self.assertEqual(404, self.get("/v3/auth/tokens", admin, X_Subject_Token="gmi-" + "x" * 43).status_int)
        self.assertEqual(404, self.get("/v3/auth/tokens", admin).status_int)
        self.assert_refused(self.get("/v3/auth/tokens", "", X_Subject_Token=token))

    def test_revoked_token_is_refused_everywhere(self):
        token, other = self.token(), self.token()
        self.assertEqual(403, self.send("DELETE", "/v3/auth/tokens", caller="other", X_Subject_Token=token).status_int)
        self.assertEqual(200, self.get("/v2/images", token).status_int)
        self.assertEqual(204, self.send("DELETE", "/v3/auth/tokens", caller=token, X_Subject_Token=token).status_int)
        self.assertEqual(401, self.get("/v2/images", token).status_int)
        self.assert_refused(self.get("/v3/auth/projects", token))
        self.assert_refused(self.exchange(token))
        self.assertEqual(200, self.get("/v2/images", other).status_int)

    def test_token_of_a_removed_user_is_refused(self):
        token = self.token()
        change_users(self.service.folder / "users.json", lambda users: users.remove("ann"))
        self.assertEqual(401, self.get("/v2/images", token).status_int)

    def test_token_ends_with_the_password_that_it_was_issued_for(self):
        token = self.token()
        self.change(with_password(self.user(), "another password"))
        self.assertEqual(401, self.get("/v2/images", token).status_int)
        self.change(self.user().without_password())
        self.assertEqual(401, self.get("/v2/images", token).status_int)

    def test_roles_are_those_of_now(self):
        token = self.token(scope={"project": {"id": "lab"}})
        self.change(self.user().with_role("lab", ("reader",)))
        self.assertEqual(403, self.send("POST", "/v2/images", {"name": "disk"}, caller=token).status_int)
        self.change(self.user().without_project("lab"))
        self.assertEqual(401, self.get("/v2/images", token).status_int)
        self.assertEqual(401, self.send("GET", "/v3/auth/projects", caller=token).status_int)

    def test_unreadable_users_file_changes_nothing(self):
        path = self.service.folder / "users.json"
        token, content = self.token(), path.read_text()
        path.write_text("{")
        self.assertEqual(200, self.get("/v2/images", token).status_int)
        path.write_text(content)
        self.assertEqual(200, self.get("/v2/images", token).status_int)


class NodesTest(IdentityTest):
    def settings(self) -> dict[str, dict[str, object]]:
        folder = self.useFixture(fixtures.TempDir()).path
        self.database = {"database": {"connection": f"sqlite:///{folder}/shared.db"}}
        return self.database

    def test_token_of_one_node_is_accepted_and_revoked_at_another(self):
        users = {"authentication": {"users_file": str(self.service.folder / "users.json")}}
        other = self.useFixture(ApplicationFixture(self.database | users))
        token, first = self.token(), self.service
        self.service = other
        self.assertEqual(200, self.get("/v2/images", token).status_int)
        self.assertEqual(204, self.send("DELETE", "/v3/auth/tokens", caller=token, X_Subject_Token=token).status_int)
        self.service = first
        self.assertEqual(401, self.get("/v2/images", token).status_int)


class LimitTest(IdentityTest):
    options = {
        "identity": {"token_seconds": 60, "tokens_per_user": 2, "region": "north"},
        "authentication": {"password_failures": 3},
        "DEFAULT": {"public_endpoint": "https://images.example/x/"},
    }

    def test_oldest_token_of_a_user_ends_with_one_too_many(self):
        tokens = [self.token() for _ in range(3)]
        other = self.token("member", "member")
        statuses = [self.get("/v2/images", token).status_int for token in (*tokens, other)]
        self.assertEqual([401, 200, 200, 200], statuses)

    def test_times_of_a_token_are_those_of_the_database(self):
        token = self.log_in().json["token"]
        issued, expires = (datetime.fromisoformat(token[name]) for name in ("issued_at", "expires_at"))
        self.assertEqual(timedelta(seconds=60), expires - issued)

    def test_node_whose_clock_is_wrong_judges_no_token(self):
        token = self.token()
        later = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=400)
        for module in ("glance_mini.domain.clock", "glance_mini.standalone.users"):
            self.useFixture(fixtures.MonkeyPatch(f"{module}.utcnow", lambda: later))
        self.assertEqual(200, self.get("/v2/images", token).status_int)

    def test_log_in_storm_is_stopped_in_the_form_of_the_identity_api(self):
        statuses = [self.log_in(password="wrong").status_int for _ in range(3)]
        answer = self.log_in()
        self.assertEqual([401] * 3 + [429], [*statuses, answer.status_int])
        self.assertEqual(429, answer.json["error"]["code"])
        self.assertTrue(0 < int(answer.headers["Retry-After"]) <= 60)

    def test_catalogue_names_the_public_address(self):
        answer = self.get("/v3/auth/catalog", self.token())
        ends = {
            (each["type"], end["url"], end["region"]) for each in answer.json["catalog"] for end in each["endpoints"]
        }
        base = "https://images.example/x"
        self.assertEqual({("image", base, "north"), ("identity", f"{base}/identity/v3", "north")}, ends)


class NamesTest(IdentityTest):
    def test_administrators_look_up_all_names(self):
        admin = self.token("admin", "admin")
        self.assertEqual({"p0", "p1", "p2", "p3", "p9", "lab", "home"}, set(self.names("/v3/projects", admin)))
        for path, expected in (
            ("/v3/projects?name=lab", ["lab"]),
            ("/v3/projects?name=lab&domain_id=default&enabled=True", ["lab"]),
            ("/v3/projects?name=none", []),
            ("/v3/projects?domain_id=other", []),
            ("/v3/projects?is_domain=true", []),
            ("/v3/projects?enabled=false", []),
            ("/v3/users?name=ann", ["ann"]),
            ("/v3/users?name=none", []),
            ("/v3/users/ann/projects", ["lab", "home"]),
            ("/v3/domains?name=default", ["Default"]),
            ("/v3/domains?name=other", []),
        ):
            self.assertEqual(expected, self.names(path, admin), path)
        self.assertEqual("lab", self.get("/v3/projects/lab", admin).json["project"]["name"])
        self.assertEqual("ann", self.get("/identity/v3/users/ann", admin).json["user"]["name"])
        for path in ("/v3/projects/none", "/v3/users/none", "/v3/users/none/projects", "/v3/domains/none"):
            self.assertEqual(404, self.get(path, admin).json["error"]["code"], path)

    def test_others_see_themselves_and_their_projects_only(self):
        token = self.token()
        for path, status in (
            ("/v3/users/ann", 200),
            ("/v3/projects/lab", 200),
            ("/v3/domains", 200),
            ("/v3/domains/default", 200),
            ("/v3/role_assignments?user.id=ann", 200),
            ("/v3/auth/domains", 200),
            ("/v3/users", 403),
            ("/v3/users/admin", 403),
            ("/v3/users/none", 403),
            ("/v3/projects", 403),
            ("/v3/projects/p1", 403),
            ("/v3/projects/none", 403),
            ("/v3/role_assignments", 403),
        ):
            self.assertEqual(status, self.get(path, token).status_int, path)
            self.assertEqual(401, self.get(path, "").status_int, path)
        self.assertEqual([], self.names("/v3/auth/domains", token))

    def test_role_assignments_name_users_projects_and_roles(self):
        admin = self.token("admin", "admin")
        answer = self.get("/v3/role_assignments?user.id=ann&scope.project.id=lab&include_names", admin)
        (found,) = answer.json["role_assignments"]
        names = (found["user"]["name"], found["scope"]["project"]["name"], found["role"]["name"])
        self.assertEqual(("ann", "lab", "member"), names)
        effective = self.get("/v3/role_assignments?user.id=ann&scope.project.id=lab&effective", admin)
        roles = [each["role"] for each in effective.json["role_assignments"]]
        self.assertEqual([{"id": "member"}, {"id": "reader"}], roles)
        self.assertEqual([], self.get("/v3/role_assignments?group.id=g", admin).json["role_assignments"])

    def test_long_list_says_that_it_is_not_complete(self):
        def add_many(users):
            for number in range(1001):
                users = users.add(User(f"u{number}").with_role("lab", ("reader",)))
            return users

        admin = self.token("admin", "admin")
        change_users(self.service.folder / "users.json", add_many)
        answer = self.get("/v3/users", admin).json
        self.assertEqual((1000, True), (len(answer["users"]), answer["truncated"]))


class BasicTest(IdentityTest):
    options = {"paste_deploy": {"flavor": "basic"}}

    def test_token_of_a_log_in_and_a_password_both_let_in(self):
        self.assertEqual(200, self.get("/v2/images", self.token()).status_int)
        self.assertEqual(401, self.get("/v2/images", "member").status_int)

    def test_password_in_the_header_asks_the_identity_api(self):
        request = {"Authorization": "Basic YW5uOmNvcnJlY3Q6IGhvcnNl"}
        self.assertEqual(200, self.get("/v3/users/ann", "", **request).status_int)

    def test_pages_of_other_sites_cannot_log_in(self):
        self.assert_refused(
            self.log_in(Origin="https://evil.example"),
            403,
            "Requests of other web sites are refused; [cors] allowed_origin may name them.",
        )


class NoneTest(IdentityTest):
    options = {"paste_deploy": {"flavor": "none"}}

    def test_anybody_logs_in_as_the_administrator(self):
        answer = self.log_in("whoever", "whatever", scope={"project": {"name": "any"}})
        self.assertEqual((201, "admin", "any"), self.summary(answer))
        self.assertEqual((201, "admin", "admin"), self.summary(self.exchange("whatever")))
        token = answer.headers["X-Subject-Token"]
        self.assertEqual(201, self.send("POST", "/v2/images", {"name": "disk"}, caller=token).status_int)
        self.assertEqual(200, self.get("/v3/auth/tokens", token, X_Subject_Token=token).status_int)
        self.assertEqual(["admin"], self.names("/v3/projects", token))

    def summary(self, answer: Response) -> tuple[int, str, str]:
        token = answer.json["token"]
        return answer.status_int, token["user"]["name"], token["project"]["name"]

    def test_foreign_name_that_leads_here_is_refused(self):
        self.assertEqual(403, self.log_in(Host="evil.example").status_int)


class SwitchedOffTest(IdentityTest):
    options = {"identity": {"enabled": False}}

    def test_nothing_is_there(self):
        for path in ("/v3", "/v3/auth/tokens", "/v3/projects"):
            answer = self.send("POST", path, {}, caller="member")
            self.assertEqual((403, False), (answer.status_int, "X-Subject-Token" in answer.headers))
        self.assertEqual(300, self.send("GET", "/identity", caller="").status_int)
        self.assertEqual(401, self.get("/v2/images", "gmi-" + "x" * 43).status_int)


class SecretTest(IdentityTest):
    def test_no_secret_stands_in_logs_and_answers_of_others(self):
        log = self.useFixture(fixtures.FakeLogger(level=logging.DEBUG))
        token = self.token()
        answers = [
            self.log_in(password="a wrong secret"),
            self.exchange("another-secret"),
            self.get("/v2/images", token),
            self.get("/v3/auth/tokens", "other", X_Subject_Token=token),
            self.get("/v3/users", self.token("admin", "admin")),
            self.send("DELETE", "/v3/auth/tokens", caller=token, X_Subject_Token=token),
            self.get("/v2/images", token),
        ]
        texts = [log.output, *(answer.text for answer in answers)]
        hashed = self.user().password
        for secret in (token, PASSWORD, "a wrong secret", "another-secret", hash_token("member"), hashed):
            self.assertFalse([text for text in texts if secret in text], secret)
        self.assertIn("A login as user 'ann' from", log.output)

    def test_operations_are_counted(self):
        self.log_in()
        self.log_in(password="wrong")
        text = self.service.services.metrics.export().decode()
        for status in (201, 401):
            self.assertIn(f'glance_mini_requests_total{{operation="identity_issue_token",status="{status}"}} 1.0', text)


class DescriptionTest(IdentityTest):
    def test_every_call_answers_as_the_openapi_document_says(self) -> None:
        document = self.send("GET", "/openapi.json", caller="").json
        ours = {path: calls for path, calls in document["paths"].items() if path.startswith(("/v3", "/identity"))}
        self.assertEqual({path or "/identity" for path in ROUTES}, set(ours))
        token = self.token()
        ids = {"projects": "lab", "users": "ann", "domains": "default"}
        body = {"auth": {"identity": {"methods": ["token"], "token": {"id": token}}}}
        for path, calls in ours.items():
            # The last call of a token ends it.
            for method, call in sorted(calls.items(), key=lambda item: item[0] == "delete"):
                place = path.replace("{id}", ids.get(path.split("/")[2] if path.count("/") > 2 else "", ""))
                is_own = path.startswith("/v3/auth") or "{id}" in path
                caller = token if is_own and method != "delete" else "admin"
                sent = body if method == "post" else None
                subject = self.token() if method == "delete" else token
                answer = self.send(method.upper(), place, sent, caller, X_Subject_Token=subject)
                [status] = [int(each) for each in call["responses"] if each != "default"]
                self.assertEqual(status, answer.status_int, f"{method} {path}: {answer.text}")
                for content in call["responses"][str(status)].get("content", {}).values():
                    self.assertEqual([], [name for name in content["schema"]["required"] if name not in answer.json])
