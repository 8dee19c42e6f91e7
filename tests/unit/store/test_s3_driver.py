"""The ``s3`` driver without a server: sizes of parts, addresses, options, and what failures become."""

import hashlib
import tempfile
import threading
from concurrent.futures import wait
from types import SimpleNamespace
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import fixtures
import testtools
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from glance_mini_store import errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.caller import Caller
from glance_mini_store.drivers.s3 import S3Driver
from glance_mini_store.drivers.s3.clients import Clients, Credentials, Settings
from glance_mini_store.drivers.s3.endpoint import Endpoint
from glance_mini_store.drivers.s3.exclusion import NamesInWork
from glance_mini_store.drivers.s3.failures import Failures
from glance_mini_store.drivers.s3.library import Library
from glance_mini_store.drivers.s3.parts import (
    GIB,
    LARGEST_OBJECT,
    LARGEST_PART,
    MEMORY,
    MIB,
    MOST_PARTS,
    held_parts,
    is_in_memory,
    part_size,
)
from glance_mini_store.drivers.s3.sending import Sending
from glance_mini_store.drivers.s3.source import Source, new_buffer
from glance_mini_store.drivers.s3.user_objects import UserObjects

SECRET = "a-very-secret-key"


def settings(**changed):
    """Return the options of a driver, all with their defaults but those of its address."""
    values = {option.dest: option.default for option in S3Driver.options}
    address = {
        "s3_store_host": "https://s3.example.com",
        "s3_store_access_key": "access",
        "s3_store_secret_key": SECRET,
        "s3_store_bucket": "images",
    }
    return SimpleNamespace(**{**values, **address, **changed})


class PresignedUrlTest(testtools.TestCase):
    def url(self, location, **changed):
        driver = S3Driver.from_config(settings(**changed), "s3")
        self.addCleanup(driver.close)
        return driver.presigned_url(location, 60)

    def test_url_is_for_one_object_and_a_time_and_holds_no_secret_key(self):
        url = urlsplit(self.url("s3+https://s3.example.com/images/x"))
        self.assertEqual("https://s3.example.com/images/x", f"{url.scheme}://{url.netloc}{url.path}")
        query = parse_qs(url.query)
        self.assertEqual(["60"], query["X-Amz-Expires"])
        self.assertEqual(["host"], query["X-Amz-SignedHeaders"])
        self.assertNotIn(SECRET, url.query)

    def test_clients_are_sent_to_the_address_for_them(self):
        url = self.url("s3+https://s3.example.com/images/x", s3_store_public_host="http://outside.example.com:8080")
        self.assertTrue(url.startswith("http://outside.example.com:8080/images/x?"), url)

    def test_address_for_clients_that_is_none_is_refused(self):
        for host in ("ftp://h", "https://u:p@h"):
            refused = settings(s3_store_public_host=host)
            error = self.assertRaises(errors.BadStoreConfiguration, S3Driver.from_config, refused, "s3")
            self.assertIn("s3_store_public_host", str(error))

    def test_only_objects_of_the_own_bucket_have_a_url(self):
        for location in (
            "s3+https://s3.example.com/other/x",
            "s3+https://key:secret@s3.example.com/other/x",
            "s3+https://key:secret@elsewhere.example.com/images/x",
        ):
            self.assertIsNone(self.url(location))


class UserObjectsTest(testtools.TestCase):
    def objects(self, template="stash/$(project_id)s/", host="https://s3.example.com"):
        return UserObjects.from_option(Endpoint.from_option(host), template, "images")

    def test_each_project_has_a_place_of_its_own(self):
        for template, place in (
            ("stash/$(project_id)s/", "stash/p1/"),
            ("stash/of/$(project_id)s/images", "stash/of/p1/images"),
            ("images-$(project_id)s/", "images-p1/"),
        ):
            self.assertEqual(place, self.objects(template).of_project("p1"))

    def test_project_that_could_lead_elsewhere_has_none(self):
        for project_id in (None, "", "..", ".", "a/b", "../other", "p 1", "$(project_id)s"):
            self.assertIsNone(self.objects().of_project(project_id))

    def test_object_is_found_in_its_bucket(self):
        objects = self.objects()
        for scheme in ("s3", "s3+https"):
            found = objects.find(f"{scheme}://s3.example.com/stash/p1/a/b.qcow2")
            self.assertEqual(("stash", "p1/a/b.qcow2"), found)
        for location in (
            "s3+http://s3.example.com/stash/p1/x",
            "s3://other.example.com/stash/p1/x",
            "s3://s3.example.com/other/p1/x",
            "s3://key:secret@s3.example.com/stash/p1/x",
            "s3://s3.example.com/stash/p1/../p2/x",
            "s3://s3.example.com/stash/p1//x",
            "s3://s3.example.com/stash/p1/",
        ):
            self.assertIsNone(objects.find(location), location)

    def test_template_that_gives_no_place_to_each_project_is_refused(self):
        for template in (
            "stash/",
            "$(project_id)s",
            "stash/$(project_id)s",
            "stash/$(project_id)s-x/",
            "$(project_id)s/",
            "stash/$(project_id)s/$(project_id)s/",
            "stash/../$(project_id)s/",
            "images/$(project_id)s/",
        ):
            error = self.assertRaises(errors.BadStoreConfiguration, self.objects, template)
            self.assertIn("s3_store_user_locations", str(error))

    def test_objects_of_users_have_no_url_and_are_not_deleted(self):
        driver = S3Driver.from_config(settings(s3_store_user_locations="stash/$(project_id)s/"), "s3")
        self.addCleanup(driver.close)
        location = "s3+https://s3.example.com/stash/p1/x"
        self.assertTrue(location.startswith(driver.prefixes))
        self.assertIsNone(driver.presigned_url(location, 60))
        self.assertRaises(errors.StoreDeleteNotSupported, driver.delete, location)

    def test_users_name_objects_of_their_project_only(self):
        driver = S3Driver.from_config(settings(s3_store_user_locations="stash/$(project_id)s/"), "s3")
        self.addCleanup(driver.close)
        for project in ("p2", "p", None):
            theirs = driver.for_caller(Caller(project))
            self.assertRaises(errors.Invalid, theirs.user_data, "s3+https://s3.example.com/stash/p1/x")
            self.assertIsNone(theirs.user_data("s3+https://s3.example.com/images/x"))


class PartsTest(testtools.TestCase):
    def parts_of(self, size, smallest, announced):
        """Return how many parts an object of ``size`` bytes has, and the largest."""
        offset = count = largest = 0
        while offset < size:
            part = part_size(offset, smallest, announced)
            offset, count, largest = offset + part, count + 1, max(largest, part)
        return count, largest

    def test_ten_thousand_parts_reach_the_largest_object(self):
        for smallest in (5 * MIB, 10 * MIB, 64 * MIB, 550 * MIB, 5 * GIB):
            for announced in (None, LARGEST_OBJECT):
                count, largest = self.parts_of(LARGEST_OBJECT, smallest, announced)
                self.assertLessEqual(count, MOST_PARTS, (smallest, announced))
                self.assertLessEqual(largest, LARGEST_PART, (smallest, announced))

    def test_every_size_fits_the_number_of_parts(self):
        for size in (1, 5 * MIB, 48 * GIB, 100 * GIB, 97 * GIB + 1, 1024 * GIB, LARGEST_OBJECT - 1):
            for announced in (None, size):
                self.assertLessEqual(self.parts_of(size, 5 * MIB, announced)[0], MOST_PARTS, (size, announced))

    def test_parts_have_the_configured_size_as_long_as_that_is_enough(self):
        self.assertEqual(10 * MIB, part_size(0, 10 * MIB, None))
        self.assertEqual(10 * MIB, part_size(39 * GIB, 10 * MIB, None))
        self.assertEqual(10 * MIB, part_size(0, 10 * MIB, 97 * GIB))
        self.assertEqual(11 * MIB, part_size(0, 10 * MIB, 98 * GIB))
        self.assertEqual((100, 10 * MIB), self.parts_of(1000 * MIB, 10 * MIB, None))

    def test_parts_in_memory_take_no_more_than_the_limit(self):
        for part in range(5 * MIB, 17 * MIB, MIB):
            for threads in (1, 2, 10, 1000):
                if is_in_memory(part):
                    self.assertLessEqual(part * held_parts(part, threads), MEMORY, (part, threads))
        self.assertFalse(is_in_memory(16 * MIB + 1))

    def test_one_part_is_filled_while_others_are_sent(self):
        self.assertEqual(2, held_parts(10 * MIB, 1))
        self.assertEqual(3, held_parts(10 * MIB, 10))
        self.assertEqual(6, held_parts(5 * MIB, 10))
        self.assertEqual(2, held_parts(GIB, 10))


class SourceTest(testtools.TestCase):
    def test_buffers_take_the_bytes_of_chunks_of_any_size_in_order(self):
        data = bytes(range(256)) * 40
        for step in (1, 7, 1000, 4096, len(data)):
            source = Source(memoryview(data)[start : start + step] for start in range(0, len(data), step))
            taken = []
            while True:
                buffer = new_buffer(4096, Buffers())
                buffer.fill(source)
                taken.append(bytes(buffer.data))
                if not buffer.is_full:
                    break
            self.assertEqual(data, b"".join(taken))
            self.assertEqual([4096, 4096, 2048], [len(part) for part in taken])

    def test_large_part_is_in_a_file(self):
        buffer = new_buffer(16 * MIB + 1, Buffers())
        self.addCleanup(buffer.close)
        for data in (b"first content", b"second"):
            buffer.fill(Source([data[:3], data[3:]]))
            self.assertEqual((len(data), data), (buffer.filled, buffer.data.read()))
            self.assertFalse(buffer.is_full)

    def test_error_of_the_source_passes_unchanged(self):
        failure = OSError("of the source")

        def chunks():
            yield b"data"
            raise failure

        for size in (10, 16 * MIB + 1):
            buffer = new_buffer(size, Buffers())
            self.addCleanup(buffer.close)
            error = self.assertRaises(OSError, buffer.fill, Source(chunks()))
            self.assertIs(failure, error)


class SendingTest(testtools.TestCase):
    """Parts are sent while the budget lends memory for them."""

    PART = 5 * MIB

    def setUp(self):
        super().setUp()
        self.gate = threading.Semaphore(0)
        self.sent = {}

    def send(self, number, buffer):
        """Send a part when the gate lets it pass."""
        self.gate.acquire()
        self.sent[number] = buffer.data.read() if hasattr(buffer.data, "read") else bytes(buffer.data)
        return f"etag {number}"

    def sending(self, budget):
        sending = Sending(self.send, 10, budget)
        self.addCleanup(sending.close)
        self.addCleanup(self.gate.release, 100)
        return sending

    def fill_and_send(self, sending, number):
        """Send a part of one byte that is its number, and return its buffer."""
        buffer = sending.buffer(self.PART)
        buffer.fill(Source([bytes([number])]))
        sending.send(buffer)
        return buffer

    def test_as_many_parts_are_held_as_the_budget_lends(self):
        budget = Buffers(30 * MIB, 0)
        sending = self.sending(budget)
        buffers = [self.fill_and_send(sending, number) for number in range(3)]
        self.assertFalse(budget.borrow(1))
        self.gate.release()
        # Nothing more is lent, so it waits for the part that passes the gate.
        self.assertIn(self.fill_and_send(sending, 3), buffers)
        self.gate.release(3)
        self.assertEqual([f"etag {number}" for number in (1, 2, 3, 4)], sending.finish())
        self.assertEqual({1: b"\0", 2: b"\1", 3: b"\2", 4: b"\3"}, self.sent)
        sending.close()
        self.assertTrue(budget.borrow(15 * MIB))

    def test_without_memory_one_part_at_a_time_goes_through_a_file(self):
        budget = Buffers(30 * MIB, 0)
        self.assertTrue(budget.borrow(15 * MIB))
        sending = self.sending(budget)
        self.gate.release(3)
        buffers = {id(self.fill_and_send(sending, number)) for number in range(3)}
        self.assertEqual(["etag 1", "etag 2", "etag 3"], sending.finish())
        self.assertEqual({1: b"\0", 2: b"\1", 3: b"\2"}, self.sent)
        self.assertEqual(1, len(buffers))

    def test_parts_that_were_sent_meanwhile_are_used_again(self):
        sending = self.sending(Buffers(1024 * MIB, 0))
        self.gate.release(100)
        first = self.fill_and_send(sending, 0)
        wait(list(sending._pending), 60)
        self.assertIs(first, self.fill_and_send(sending, 1))

    def test_failed_part_is_told_and_all_memory_is_given_back(self):
        budget, failure = Buffers(30 * MIB, 0), errors.StorageFull(reason="full")

        def fail(number, buffer):
            raise failure

        sending = Sending(fail, 10, budget)
        self.assertIs(failure, self.assertRaises(errors.StorageFull, self._send_until_it_fails, sending))
        sending.close()
        self.assertTrue(budget.borrow(15 * MIB))

    def _send_until_it_fails(self, sending):
        for number in range(100):
            self.fill_and_send(sending, number)


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


class NamesInWorkTest(testtools.TestCase):
    def test_name_is_held_once_and_free_afterwards(self):
        names = NamesInWork()
        with names.holding("a") as first, names.holding("a") as second, names.holding("b") as other:
            self.assertEqual((True, False, True), (first, second, other))
        with names.holding("a") as again:
            self.assertTrue(again)


def _text(value):
    return value.decode() if isinstance(value, bytes) else value
