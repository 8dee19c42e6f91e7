"""What the s3 driver tells boto3: address, bucket, keys, checksums, certificates and encryption."""

import hashlib
import tempfile
from unittest import mock

import fixtures
import testtools
from botocore.exceptions import ConnectTimeoutError

from glance_mini_store import errors
from glance_mini_store.drivers.s3 import S3Driver
from glance_mini_store.drivers.s3.clients import Clients, Credentials, Settings
from glance_mini_store.drivers.s3.endpoint import Endpoint
from glance_mini_store.drivers.s3.library import Library
from tests.unit.store.s3.options import SECRET, settings


class EndpointTest(testtools.TestCase):
    def test_address_of_the_service_with_and_without_scheme(self):
        for text, url, scheme in (
            ("s3.example.com", "https://s3.example.com", "s3+https"),
            ("https://s3.example.com/", "https://s3.example.com", "s3+https"),
            ("http://10.0.0.1:8080", "http://10.0.0.1:8080", "s3+http"),
            ("http://[fd00::1]:8080/base", "http://[fd00::1]:8080/base", "s3+http"),
        ):
            endpoint = Endpoint.from_option(text)
            self.assertEqual((url, scheme), (endpoint.url, endpoint.scheme))

    def test_bad_address_stops_the_start_and_is_not_told(self):
        for text in ("ftp://host", "https://", f"https://access:{SECRET}@host", "host:port", "https://s3://host"):
            error = self.assertRaises(errors.BadStoreConfiguration, Endpoint.from_option, text)
            self.assertIn("s3_store_host", str(error))
            self.assertNotIn(SECRET, str(error))


class UrlTest(testtools.TestCase):
    def url_of(self, address, style):
        """Return the URL of the object ``key`` in the bucket ``images``."""
        clients = Clients(Library(), Settings(url_format=style))
        self.addCleanup(clients.close)
        client = clients.get(Endpoint.from_option(address), Credentials("access", SECRET))
        return client.generate_presigned_url("get_object", {"Bucket": "images", "Key": "key"}).partition("?")[0]

    def test_bucket_stands_in_the_host_or_in_the_path(self):
        name = "https://s3.example.com"
        self.assertEqual("https://s3.example.com/images/key", self.url_of(name, "path"))
        self.assertEqual("https://images.s3.example.com/key", self.url_of(name, "virtual"))

    def test_bucket_stands_in_the_host_at_amazon_and_in_the_path_elsewhere_by_default(self):
        for address, expected in (
            ("https://s3.example.com", "https://s3.example.com/images/key"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/images/key"),
            ("s3.eu-west-1.amazonaws.com", "https://images.s3.eu-west-1.amazonaws.com/key"),
            ("https://s3.cn-north-1.amazonaws.com.cn:443", "https://images.s3.cn-north-1.amazonaws.com.cn:443/key"),
        ):
            self.assertEqual(expected, self.url_of(address, "auto"))

    def test_client_is_shared_and_others_are_made_for_other_keys(self):
        clients = Clients(Library(), Settings())
        self.addCleanup(clients.close)
        endpoint = Endpoint.from_option("s3.example.com")
        first = clients.get(endpoint, Credentials("access", SECRET))
        self.assertIs(first, clients.get(endpoint, Credentials("access", SECRET)))
        self.assertIsNot(first, clients.get(endpoint, Credentials("access", "other")))

    def test_keys_are_not_shown(self):
        self.assertNotIn(SECRET, repr(Credentials("access", SECRET)))


class OptionsTest(testtools.TestCase):
    def refused(self, option, **changed):
        error = self.assertRaises(errors.BadStoreConfiguration, S3Driver.from_config, settings(**changed), "store")
        self.assertIn(f"option {option}:", str(error))
        self.assertNotIn(SECRET, str(error))

    def test_address_keys_and_bucket_must_be_set(self):
        for option in ("s3_store_host", "s3_store_access_key", "s3_store_secret_key", "s3_store_bucket"):
            self.refused(option, **{option: None})
            self.refused(option, **{option: ""})

    def test_name_of_the_bucket_is_one(self):
        for name in ("a/b", "..", "with space", "a?b"):
            self.refused("s3_store_bucket", s3_store_bucket=name)

    def test_missing_certificate_file_stops_the_start(self):
        self.refused("s3_store_cacert", s3_store_cacert="/nowhere/ca.pem")

    def test_key_of_the_key_management_needs_its_encryption(self):
        self.refused("s3_store_sse_kms_key_id", s3_store_sse_kms_key_id="key")
        self.refused("s3_store_sse_kms_key_id", s3_store_sse_kms_key_id="key", s3_store_server_side_encryption="AES256")

    def test_properties_are_the_sizes_and_the_threads(self):
        expected = {
            "s3_store_large_object_size": 104857600,
            "s3_store_large_object_chunk_size": 10485760,
            "s3_store_thread_pools": 10,
        }
        self.assertEqual(expected, S3Driver.from_config(settings(), "store").properties())

    def config_of(self, **changed):
        """Return how the client of a driver is configured."""
        driver = S3Driver.from_config(settings(**changed), "store")
        self.addCleanup(driver.close)
        return driver._own_bucket().client.meta.config

    def test_checksums_are_those_that_every_service_understands_unless_protection_is_wanted(self):
        wanted = {
            "s3_store_request_checksum_calculation": "when_supported",
            "s3_store_response_checksum_validation": "when_supported",
        }
        for changed, expected in (
            ({}, "when_required"),
            (wanted, "when_required"),
            ({**wanted, "s3_store_enable_data_integrity_protection": True}, "when_supported"),
        ):
            config = self.config_of(**changed)
            self.assertEqual(expected, config.request_checksum_calculation)
            self.assertEqual(expected, config.response_checksum_validation)

    def test_every_call_has_time_outs_and_a_bounded_number_of_attempts(self):
        config = self.config_of()
        self.assertEqual((10.0, 60.0), (config.connect_timeout, config.read_timeout))
        self.assertEqual(("standard", 5), (config.retries["mode"], config.retries["total_max_attempts"]))

    def test_own_certificates_verify_the_service(self):
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            driver = S3Driver.from_config(settings(s3_store_cacert=file.name), "store")
            self.addCleanup(driver.close)
            session = driver._own_bucket().client._endpoint.http_session
            self.assertEqual(file.name, session._verify)

    def test_environment_and_files_of_the_library_change_nothing(self):
        for name, value in (
            ("AWS_PROFILE", "unknown"),
            ("AWS_CONFIG_FILE", __file__),
            ("AWS_ENDPOINT_URL", "http://elsewhere"),
            ("AWS_CA_BUNDLE", "/nowhere"),
            ("http_proxy", "http://proxy:1"),
            ("https_proxy", "http://proxy:1"),
        ):
            self.useFixture(fixtures.EnvironmentVariable(name, value))
        driver = S3Driver.from_config(settings(), "store")
        self.addCleanup(driver.close)
        client = driver._own_bucket().client
        session = client._endpoint.http_session
        self.assertEqual("https://s3.example.com", client.meta.endpoint_url)
        self.assertIs(True, session._verify)
        self.assertIsNone(session._proxy_config.proxy_url_for("https://s3.example.com/"))

    def test_encryption_is_asked_for_when_an_object_is_made(self):
        driver = S3Driver.from_config(
            settings(s3_store_server_side_encryption="aws:kms", s3_store_sse_kms_key_id="key"), "store"
        )
        self.addCleanup(driver.close)
        bucket = driver._own_bucket()
        for method, call in (
            ("PutObject", lambda: bucket.put("key", b"data", "mark")),
            ("CreateMultipartUpload", lambda: bucket.begin("key", "mark")),
        ):
            headers = self.headers_of(bucket.client, method, call)
            self.assertEqual("aws:kms", headers["x-amz-server-side-encryption"])
            self.assertEqual("key", headers["x-amz-server-side-encryption-aws-kms-key-id"])

    def headers_of_a_part(self, **changed):
        """Return the headers of a request that sends data."""
        driver = S3Driver.from_config(settings(**changed), "store")
        self.addCleanup(driver.close)
        bucket = driver._own_bucket()
        return self.headers_of(bucket.client, "UploadPart", lambda: bucket.send("key", "upload", 1, b"data"))

    def test_data_is_signed_where_tls_does_not_protect_it_unless_that_is_switched_off(self):
        digest = hashlib.sha256(b"data").hexdigest()
        for host, signs, expected in (
            ("http://s3.example.com", True, digest),
            ("http://s3.example.com", False, "UNSIGNED-PAYLOAD"),
            ("https://s3.example.com", True, "UNSIGNED-PAYLOAD"),
        ):
            headers = self.headers_of_a_part(s3_store_host=host, s3_store_sign_data=signs)
            self.assertEqual(expected, headers["x-amz-content-sha256"], (host, signs))

    def test_session_token_is_sent_and_not_shown(self):
        headers = self.headers_of_a_part(s3_store_session_token=SECRET)
        self.assertEqual(SECRET, headers["x-amz-security-token"])
        self.assertNotIn("x-amz-security-token", self.headers_of_a_part())
        self.assertNotIn(SECRET, repr(Credentials("access", "secret", SECRET)))

    def headers_of(self, client, method, call):
        """Return the headers of the first request of ``call``, which is not sent."""
        seen = []

        def stop(request, **_):
            seen.append({name.lower(): _text(value) for name, value in request.headers.items()})
            raise ConnectTimeoutError(endpoint_url="none")

        client.meta.events.register(f"before-send.s3.{method}", stop)
        with mock.patch("time.sleep"):
            self.assertRaises(ConnectTimeoutError, call)
        return seen[0]


def _text(value):
    return value.decode() if isinstance(value, bytes) else value
