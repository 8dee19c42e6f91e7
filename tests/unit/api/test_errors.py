"""Errors as HTTP: every class has its status, and bodies follow the Accept header."""

import fixtures
import requests
import testtools
from glanceclient.exc import from_response

from glance_mini.api import errors
from glance_mini.domain import errors as domain
from glance_mini_store import errors as store

STATUSES = {
    domain.NotFound(kind="image", id="x"): 404,
    domain.PolicyRefused(rule="get_image"): 403,
    domain.PropertyProtected(name="x"): 403,
    domain.StatusConflict(id="x", status="active", wanted="queued"): 409,
    domain.Duplicate(kind="image", id="x"): 409,
    domain.LimitExceeded(resource="x", limit=1, wanted=2): 413,
    domain.Gone(kind="image", id="x"): 410,
    domain.Unavailable(reason="x"): 503,
    domain.ClientGone(reason="x"): 400,
    domain.BodyTimeout(reason="x"): 408,
    domain.UnsafeContent(reason="x"): 415,
    domain.RangeNotSatisfiable(size=5): 416,
    domain.ConfigurationError(reason="x"): 500,
    store.SizeMismatch(expected=1, received=2): 400,
    store.SizeLimitExceeded(limit=1): 413,
    store.StorageFull(reason="x"): 413,
    store.StorageWriteDenied(reason="x"): 503,
    store.StoreAddDisabled(): 410,
    store.StoreGetNotSupported(): 400,
    store.StoreUnavailable(reason="x"): 503,
    store.UnknownStore(store_id="x"): 400,
    store.HasSnapshot(location="file:///x"): 409,
    store.Forbidden(location="file:///x"): 403,
    store.BadStoreUri(location="x", reason="y"): 400,
    ValueError("x"): 500,
}


class TestStatus(testtools.TestCase):
    def test_each_error_has_the_status_of_its_nearest_class(self) -> None:
        for error, status in STATUSES.items():
            with self.subTest(type(error).__name__):
                self.assertEqual(status, errors.status_of(error))


class TestAnswer(testtools.TestCase):
    def test_an_unexpected_error_is_logged_with_its_trace_and_keeps_its_text_inside(self) -> None:
        log = self.useFixture(fixtures.FakeLogger())
        try:
            raise KeyError("the password is hunter2")
        except KeyError as error:
            answer = errors.error_response(error, "application/json")
        self.assertEqual(500, answer.status_int)
        self.assertNotIn("hunter2", answer.text)
        self.assertIn("Traceback", log.output)

    def test_a_service_that_is_out_says_when_to_come_back_and_why_in_the_log(self) -> None:
        log = self.useFixture(fixtures.FakeLogger())
        answer = errors.error_response(store.StorageWriteDenied(reason="/srv/images"), "")
        self.assertEqual(503, answer.status_int)
        self.assertEqual(errors.RETRY_AFTER, answer.headers["Retry-After"])
        self.assertIn("/srv/images", log.output)

    def test_a_range_beyond_the_end_names_the_size(self) -> None:
        answer = errors.error_response(domain.RangeNotSatisfiable(size=10), "")
        self.assertEqual("bytes */10", answer.headers["Content-Range"])

    def test_markup_in_a_text_is_escaped_in_html_only(self) -> None:
        error = domain.Invalid(reason='<b> & "x"')
        self.assertIn("&lt;b&gt; &amp;", errors.error_response(error, "*/*").text)
        self.assertEqual('<b> & "x"', errors.error_response(error, "application/json").json["message"])

    def test_a_location_in_a_text_has_no_credentials(self) -> None:
        error = store.BadStoreUri(location="swift+https://user:hunter2@host/c/o", reason="no such store")
        self.assertNotIn("hunter2", errors.error_response(error, "").text)

    def test_glanceclient_prints_the_text(self) -> None:
        answer = errors.error_response(domain.NotFound(kind="image", id="x"), "*/*")
        reply = requests.Response()
        reply.status_code = answer.status_int
        reply.headers.update(answer.headers)
        reply._content = answer.body  # what requests itself sets
        self.assertIn("No image found with ID x", str(from_response(reply, answer.text)))
