"""The files of the web page, who gets them, and the headers that protect it; a browser tests what it does."""

import re
from importlib import resources

from testtools.matchers import Contains, LessThan
from webob import Request

from tests.http.client import ApplicationTest

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class PageCase(ApplicationTest):
    def fetch(self, method, path, headers=None):
        """Return the answer to a request without credentials."""
        return Request.blank(path, method=method, headers=headers).get_response(self.service.app)


class TestPage(PageCase):
    def test_browser_is_sent_to_the_page_and_programs_get_the_versions(self):
        for accept, status in (
            (BROWSER, 302),
            ("*/*", 300),
            ("application/json", 300),
            (None, 300),
            ("text/html;q=0", 300),
        ):
            headers = {} if accept is None else {"Accept": accept}
            answer = self.fetch("GET", "/", headers=headers)
            self.assertEqual(status, answer.status_int, accept)
        answer = self.fetch("GET", "/ui")
        self.assertEqual((302, "/ui/"), (answer.status_int, answer.headers["Location"]))

    def test_page_needs_no_credentials_and_lets_the_browser_load_nothing_else(self):
        answer = self.fetch("GET", "/ui/")
        self.assertEqual((200, "text/html"), (answer.status_int, answer.content_type))
        policy = answer.headers["Content-Security-Policy"]
        self.assertThat(policy, Contains("default-src 'none'"))
        self.assertThat(policy, Contains("frame-ancestors 'none'"))
        self.assertNotIn("unsafe", policy)
        self.assertEqual(
            ("DENY", "nosniff"), tuple(answer.headers[n] for n in ("X-Frame-Options", "X-Content-Type-Options"))
        )

    def test_file_is_sent_again_only_if_it_has_changed(self):
        first = self.fetch("GET", "/ui/app.js")
        self.assertEqual("text/javascript", first.content_type)
        again = self.fetch("GET", "/ui/app.js", headers={"If-None-Match": first.headers["ETag"]})
        self.assertEqual((304, b""), (again.status_int, again.body))

    def test_other_files_and_methods_do_not_exist(self):
        for path in ("/ui/none.js", "/ui/../api/page.py", "/ui/%2e%2e/page.py", "/ui//etc/passwd"):
            self.assertEqual(404, self.fetch("GET", path).status_int, path)
        self.assertEqual(405, self.fetch("POST", "/ui/").status_int)

    def test_page_is_small(self):
        page = self.fetch("GET", "/ui/").body
        names = sorted(
            each.name for each in (resources.files("glance_mini") / "ui").iterdir() if each.name[-3:] != ".py"
        )
        self.assertThat(names, Contains("app.js"))
        files = [self.fetch("GET", f"/ui/{name}").body for name in names]
        self.assertThat(len(page) + sum(map(len, files)), LessThan(200 * 1024))
        self.assertEqual(
            [],
            [file for file in files if b"innerHTML" in file or re.search(rb"https?://(?!www.w3.org/2000/svg)\w", file)],
        )


class TestWithoutPage(PageCase):
    options = {"server": {"page": "false"}}

    def test_browser_gets_what_programs_get(self):
        self.assertEqual(300, self.fetch("GET", "/", headers={"Accept": BROWSER}).status_int)
        self.assertEqual(300, self.fetch("GET", "/ui/").status_int)
