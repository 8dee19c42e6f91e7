"""Requests that pages of other web sites send through a user's browser."""

import base64

import webob

from glance_mini.api.middleware.basic import BasicFilter
from glance_mini.api.middleware.none import NoAuthenticationFilter
from glance_mini.api.middleware.token import TokenFilter
from tests.unit.middleware.harness import FilterTestCase

FOREIGN = "https://evil.example"
FORM = "application/x-www-form-urlencoded"


class PagesTestCase(FilterTestCase):
    def setUp(self):
        super().setUp()
        self.add_user(password="correct horse", token="t")

    def apps(self):
        """Yield both flavours in which a page needs to know no secret."""
        yield self.build(BasicFilter)
        yield self.build(NoAuthenticationFilter)

    def send(self, app, method="POST", body=b"{}", content_type="application/json", **headers):
        """Return the status of the answer to a request with the password and with ``headers``."""
        request = webob.Request.blank("/v2/images", method=method, base_url="http://localhost:9292")
        request.headers["Authorization"] = "Basic " + base64.b64encode(b"ann:correct horse").decode()
        request.headers["X-Auth-Token"] = "t"
        request.body = body
        request.headers.pop("Content-Type", None)
        if content_type is not None:
            request.headers["Content-Type"] = content_type
        for name, value in headers.items():
            request.headers[name.replace("_", "-")] = value
        return request.get_response(app).status_int

    def allow(self, *origins):
        """Write the origins that ``[cors] allowed_origin`` names."""
        from oslo_middleware import cors

        self.conf.register_opts(cors.OPTS, "cors")
        self.conf.set_override("allowed_origin", list(origins), "cors")


class OriginTest(PagesTestCase):
    def test_other_sites_are_refused_with_every_method(self):
        for app in self.apps():
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                for origin in (FOREIGN, "null", "http://localhost:3000", "https://localhost", "file://", "http://["):
                    self.assertEqual(403, self.send(app, method, Origin=origin), (method, origin))
                self.assertEqual(403, self.send(app, method, Sec_Fetch_Site="cross-site"), method)
        self.assertEqual([], self.seen)

    def test_own_pages_and_clients_that_are_no_browser_get_in(self):
        for app in self.apps():
            for headers in (
                {},
                {"Origin": "http://localhost:9292"},
                {"Origin": "http://LOCALHOST:9292", "Sec_Fetch_Site": "same-origin"},
                {"Sec_Fetch_Site": "none"},
                {"Sec_Fetch_Site": "same-origin"},
            ):
                self.assertEqual(200, self.send(app, **headers), headers)

    def test_own_page_behind_tls_of_a_proxy_gets_in(self):
        app = self.build(BasicFilter)
        self.assertEqual(200, self.send(app, Host="images.example", Origin="https://images.example"))
        self.assertEqual(200, self.send(app, Host="images.example:443", Origin="https://images.example"))
        self.assertEqual(403, self.send(app, Host="images.example", Origin="https://images.example:444"))

    def test_origins_that_the_operator_names_get_in_and_no_others(self):
        self.allow("https://dashboard.example")
        for app in self.apps():
            named = {"Origin": "https://dashboard.example", "Sec_Fetch_Site": "cross-site"}
            self.assertEqual(200, self.send(app, **named))
            self.assertEqual(403, self.send(app, Origin=FOREIGN))
            self.assertEqual(403, self.send(app, Sec_Fetch_Site="cross-site"))

    def test_a_star_lets_all_in(self):
        self.allow("*")
        for app in self.apps():
            self.assertEqual([200, 200], [self.send(app, Origin=FOREIGN), self.send(app, Sec_Fetch_Site="cross-site")])

    def test_a_token_needs_no_such_check(self):
        self.assertEqual(200, self.send(self.build(TokenFilter), Origin=FOREIGN, Sec_Fetch_Site="cross-site"))


class MediaTypeTest(PagesTestCase):
    def test_body_that_a_form_could_send_is_refused(self):
        for app in self.apps():
            texts = ("text/plain", "text/plain;charset=UTF-8")
            for content_type in (FORM, *texts, "Multipart/Form-Data; boundary=x", None):
                self.assertEqual(415, self.send(app, content_type=content_type), content_type)
        self.assertEqual([], self.seen)

    def test_json_gets_in_and_so_does_a_request_without_a_body(self):
        for app in self.apps():
            for content_type in ("application/json", "application/json; charset=utf-8", "application/merge+json"):
                self.assertEqual(200, self.send(app, content_type=content_type), content_type)
            for content_type in (FORM, None):
                self.assertEqual(200, self.send(app, body=b"", content_type=content_type), content_type)

    def test_a_token_may_send_anything(self):
        self.assertEqual(200, self.send(self.build(TokenFilter), content_type=FORM))


class HostTest(PagesTestCase):
    def test_names_that_lead_to_this_machine_are_refused_without_authentication(self):
        app = self.build(NoAuthenticationFilter, public_endpoint="https://images.example/image")
        foreign = ("evil.example", "evil.example:9292", "localhost.evil.example", "192.0.2.1:9292")
        for host in (*foreign, "[::2]:80", "[", "@"):
            self.assertEqual(403, self.send(app, Host=host), host)
            self.assertEqual(403, self.send(app, Host=host, Origin=f"http://{host}"), host)
        local = ("localhost", "LOCALHOST:9292", "127.0.0.1:9292", "127.1.2.3", "[::1]:9292", "dev.localhost:80")
        for host in (*local, "images.example", "images.example:443"):
            self.assertEqual(200, self.send(app, Host=host), host)

    def test_with_a_password_the_name_does_not_matter(self):
        self.assertEqual(200, self.send(self.build(BasicFilter), Host="images.example"))
