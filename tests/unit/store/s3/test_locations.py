"""Locations of s3 and the keys for them, and what the answers of a service mean."""

import testtools
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from glance_mini_store import errors
from glance_mini_store.drivers.s3 import S3Driver
from glance_mini_store.drivers.s3.failures import Failures
from glance_mini_store.drivers.s3.library import Library
from tests.unit.store.s3.options import SECRET, settings


class LocationTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.driver = S3Driver.from_config(settings(s3_store_host="http://127.0.0.1:9"), "store")
        self.addCleanup(self.driver.close)

    def keys_for(self, location):
        """Return the access key and the URL of the service that are used for a location, and its bucket and key."""
        bucket, key = self.driver._find(location)
        client = bucket.client
        access_key = client._request_signer._credentials.access_key
        return access_key, client.meta.endpoint_url, bucket.name, key

    def test_old_location_of_the_own_bucket_is_opened_with_the_keys_of_the_store(self):
        expected = ("access", "http://127.0.0.1:9", "images", "key")
        for location in (
            "s3+http://127.0.0.1:9/images/key",
            "s3+http://old:old/secret/with/slashes@127.0.0.1:9/images/key",
            "s3://old:secret@127.0.0.1:9/images/key",
        ):
            self.assertEqual(expected, self.keys_for(location))

    def test_keys_of_a_location_go_to_its_own_host_only(self):
        location = "s3+https://old:secret/of@s3.example.org/base/bucket/key"
        self.assertEqual(("old", "https://s3.example.org/base", "bucket", "key"), self.keys_for(location))

    def test_keys_of_the_store_go_to_its_own_host_only(self):
        self.assertRaises(errors.BadStoreUri, self.driver._find, "s3+https://s3.example.org/images/key")
        self.assertRaises(errors.BadStoreUri, self.driver._find, "s3+http://127.0.0.1:10/images/key")
        self.assertEqual("access", self.keys_for("s3+http://127.0.0.1:9/other/key")[0])

    def test_no_user_may_name_an_object(self):
        self.assertFalse(self.driver.is_for_users("s3+http://127.0.0.1:9/images/key"))

    def test_service_that_cannot_be_reached_is_unavailable(self):
        driver = S3Driver.from_config(settings(s3_store_host="http://127.0.0.1:9", s3_store_attempts=1), "store")
        self.addCleanup(driver.close)
        for call in (
            driver.check,
            driver.probe,
            driver.names,
            lambda: driver.size("s3+http://127.0.0.1:9/images/key"),
            lambda: driver.write("name", [b"data"], 4),
            lambda: driver.discard("name"),
        ):
            error = self.assertRaises(errors.RemoteServiceUnavailable, call)
            self.assertNotIn(SECRET, str(error))


class FailuresTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.failures = Failures(Library())

    def answer(self, status, code):
        """Return the exception of an answer, with a secret in its text."""
        answer = {"ResponseMetadata": {"HTTPStatusCode": status}, "Error": {"Code": code, "Message": SECRET}}
        return ClientError(answer, "PutObject")

    def read(self, error):
        with self.failures.reading("s3+https://host/bucket/key"):
            raise error

    def test_answers_become_the_errors_of_the_package(self):
        for status, code, of_read, of_write in (
            (404, "NoSuchKey", errors.NotFound, errors.RemoteServiceUnavailable),
            (404, "404", errors.NotFound, errors.RemoteServiceUnavailable),
            (404, "NoSuchBucket", errors.NotFound, errors.StorageWriteDenied),
            (403, "AccessDenied", errors.Forbidden, errors.StorageWriteDenied),
            (403, "SignatureDoesNotMatch", errors.Forbidden, errors.StorageWriteDenied),
            (403, "InvalidAccessKeyId", errors.Forbidden, errors.StorageWriteDenied),
            (403, "QuotaExceeded", errors.Forbidden, errors.StorageFull),
            (400, "EntityTooLarge", errors.RemoteServiceUnavailable, errors.StorageFull),
            (413, "EntityTooLarge", errors.RemoteServiceUnavailable, errors.StorageFull),
            (507, "InsufficientStorage", errors.RemoteServiceUnavailable, errors.StorageFull),
            (503, "SlowDown", errors.RemoteServiceUnavailable, errors.RemoteServiceUnavailable),
            (500, "InternalError", errors.RemoteServiceUnavailable, errors.RemoteServiceUnavailable),
        ):
            failure = self.answer(status, code)
            error = self.assertRaises(errors.StoreError, self.read, failure)
            self.assertIs(of_read, type(error), code)
            self.assertIs(of_write, type(self.failures.of_write(failure)), code)
            for text in (str(error), str(self.failures.of_write(failure))):
                self.assertNotIn(SECRET, text)

    def test_text_of_the_service_is_not_told(self):
        error = self.failures.of_write(self.answer(500, "<b>\n" + "x" * 1000))
        self.assertEqual("b" + "x" * 59, str(error).rpartition(" ")[2])

    def test_missing_answer_is_unavailability(self):
        for failure, words in (
            (ConnectTimeoutError(endpoint_url="http://host"), "did not answer in time"),
            (EndpointConnectionError(endpoint_url="http://host"), "no connection"),
            (ConnectionResetError(), "no connection"),
        ):
            error = self.assertRaises(errors.RemoteServiceUnavailable, self.read, failure)
            self.assertIn(words, str(error))
