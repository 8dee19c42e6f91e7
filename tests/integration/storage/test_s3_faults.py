"""Faults of S3 services, of the network and of this service; nothing half-written stays, and no secret is told."""

import contextlib
import os
import subprocess
import threading
import time
import uuid

from glance_mini_store import errors
from glance_mini_store.testing.content import SourceError, pattern, pieces
from tests.integration.storage import s3_buckets
from tests.integration.storage.s3_buckets import MIB, S3TestCase
from tests.integration.storage.tcp_proxy import TcpProxy

PART = 5 * MIB


class FaultTestCase(S3TestCase):
    """Small parts, few attempts, short time-outs."""

    def driver_for(self, **options):
        short = {"s3_store_attempts": 2, "s3_store_connect_timeout": 5.0, "s3_store_read_timeout": 20.0}
        return super().driver_for(**{"s3_store_large_object_chunk_size": PART, **short, **options})

    def proxied(self, **options):
        """Return a proxy before the service, and a driver that goes through it."""
        proxy = self.useFixture(TcpProxy(self.variables["TEST_S3_URL"].removeprefix("http://")))
        return proxy, self.driver_for(s3_store_host=f"http://{proxy.address}", **options)

    def location_of(self, name):
        """Return the location that the service itself has for a name."""
        return f"s3+http://{self.variables['TEST_S3_URL'].removeprefix('http://')}/{self.bucket}/{name}"

    def assert_no_secret(self, error):
        """Fail if the text of an error holds one of the keys."""
        for key in ("TEST_S3_ACCESS_KEY", "TEST_S3_SECRET_KEY"):
            self.assertNotIn(self.variables[key], str(error))
        self.assertNotIn("wrong-secret", str(error))

    def refused(self, error_class, call):
        """Return the error of ``call``, which must be of this class and tell no secret."""
        with self.assertRaises(error_class) as caught:
            call()
        self.assert_no_secret(caught.exception)
        return caught.exception


class Faults:
    """The faults that every service must stand."""

    def test_source_that_fails_after_many_parts_leaves_nothing(self):
        driver, failure = self.driver_for(), SourceError("broken off")

        def source():
            yield from pieces(pattern(4 * PART + MIB))
            raise failure

        with self.assertRaises(SourceError) as caught:
            driver.write(new_name(), source(), None)
        self.assertIs(failure, caught.exception)
        self.assertEqual([], self.left_in_bucket())

    def test_object_of_many_parts_comes_back(self):
        data = pattern(4 * PART + 12345)
        for size in (None, len(data)):
            written = self.driver_for().write(new_name(), pieces(data), size)
            self.assertEqual(len(data), written.size)
            self.assertEqual(data, b"".join(self.driver_for().read(written.location)))
            self.assertEqual(data[PART - 3 : PART + 4], b"".join(self.driver_for().read(written.location, PART - 3, 7)))

    def test_data_that_is_not_signed_comes_back(self):
        data = pattern(2 * PART + 1)
        for size in (100, len(data)):
            written = self.driver_for(s3_store_sign_data=False).write(new_name(), pieces(data[:size]), size)
            self.assertEqual(data[:size], b"".join(self.driver_for().read(written.location)))

    def test_object_of_whole_parts_comes_back(self):
        data = pattern(2 * PART)
        written = self.driver_for().write(new_name(), pieces(data), None)
        self.assertEqual(data, b"".join(self.driver_for().read(written.location)))

    def test_parts_too_large_for_memory_come_back(self):
        data = pattern(25 * MIB)
        written = self.driver_for(s3_store_large_object_chunk_size=17 * MIB).write(new_name(), pieces(data), None)
        self.assertEqual(data, b"".join(self.driver_for().read(written.location)))

    def test_wrong_keys_stop_the_start_and_are_told_in_every_call(self):
        location = self.driver_for().write(new_name(), [b"data"], 4).location
        driver = self.driver_for(s3_store_secret_key="wrong-secret")
        self.refused(errors.BadStoreConfiguration, driver.check)
        self.refused(errors.RemoteServiceUnavailable, driver.probe)
        self.refused(errors.StorageWriteDenied, lambda: driver.write(new_name(), [b"data"], 4))
        self.refused(errors.Forbidden, lambda: driver.read(location))
        self.refused(errors.Forbidden, lambda: driver.size(location))
        self.refused(errors.Forbidden, lambda: driver.delete(location))
        self.assertEqual(b"data", b"".join(self.driver_for().read(location)))

    def test_missing_bucket_stops_the_start_and_takes_no_data(self):
        driver = self.driver_for(s3_store_bucket=s3_buckets.new_bucket_name())
        self.refused(errors.BadStoreConfiguration, driver.check)
        self.refused(errors.RemoteServiceUnavailable, driver.probe)
        for size in (4, 2 * PART):
            self.refused(
                errors.StorageWriteDenied, lambda size=size: driver.write(new_name(), pieces(bytes(size)), size)
            )
        location = driver.prefixes[2] + new_name()
        self.refused(errors.NotFound, lambda: driver.read(location))
        self.refused(errors.NotFound, lambda: driver.size(location))
        self.assertEqual(set(), driver.names())
        driver.discard(new_name())

    def test_bucket_is_created_by_the_first_write_where_that_is_wanted(self):
        for data in (b"data", pattern(PART + 1)):
            bucket = s3_buckets.new_bucket_name()
            self.addCleanup(s3_buckets.remove_bucket, self.client, bucket)
            driver = self.driver_for(s3_store_bucket=bucket, s3_store_create_bucket_on_put=True)
            driver.check()
            self.assertIsNone(driver.probe())
            location = driver.write(new_name(), pieces(data), len(data)).location
            self.assertEqual(data, b"".join(driver.read(location)))

    def test_parts_of_a_killed_process_are_found_and_discarded(self):
        name = new_name()
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                self.driver_for().write(name, self._until_a_part_is_there(name), None)
            os._exit(1)
        self.assertEqual(-9, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        driver = self.driver_for()
        self.assertEqual([f"upload {name}"], self.left_in_bucket())
        self.assertEqual({name}, driver.names())
        self.refused(errors.NotFound, lambda: driver.read(self.location_of(name)))
        driver.discard(f"{name[:-1]}")
        self.assertEqual([f"upload {name}"], self.left_in_bucket())
        driver.discard(name)
        self.assertEqual([], self.left_in_bucket())

    def _until_a_part_is_there(self, name):
        """Yield three parts, wait until the service has one, and kill the process."""
        yield from pieces(pattern(3 * PART))
        client = s3_buckets.client_for(self.variables)
        while True:
            for upload in client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", []):
                upload_id = upload["UploadId"]
                if client.list_parts(Bucket=self.bucket, Key=name, UploadId=upload_id).get("Parts"):
                    os.kill(os.getpid(), 9)
            time.sleep(0.1)

    def test_names_of_all_pages_are_listed(self):
        for number in range(1005):
            self.client.put_object(Bucket=self.bucket, Key=f"name-{number}")
        self.client.put_object(Bucket=self.bucket, Key="a/folder")
        self.assertEqual({f"name-{number}" for number in range(1005)}, self.driver_for().names())

    def test_broken_read_goes_on_where_it_broke(self):
        data = pattern(8 * MIB)
        proxy, driver = self.proxied()
        location = driver.write(new_name(), pieces(data), len(data)).location
        proxy.break_answer_after = [MIB + 17, 2 * MIB + 3, MIB]
        self.assertEqual(data[5:-5], b"".join(driver.read(location, 5, len(data) - 10)))
        self.assertEqual(3, proxy.broken)

    def test_read_does_not_go_on_in_another_object(self):
        name, first, second = new_name(), pattern(8 * MIB), bytes(8 * MIB)
        proxy, driver = self.proxied()
        location = driver.write(name, pieces(first), len(first)).location
        proxy.break_answer_after = [MIB + 17]
        blocks = driver.read(location)
        received = next(blocks)
        self.client.put_object(Bucket=self.bucket, Key=name, Body=second)
        with self.assertRaises(errors.DataChanged):
            for block in blocks:
                received += block
        self.assertEqual(first[: len(received)], received)

    def test_large_read_in_ranges_is_the_same_also_where_connections_break(self):
        data = pattern(30 * MIB + 5)
        proxy, driver = self.proxied(s3_store_read_ranges=3)
        location = driver.write(new_name(), pieces(data), len(data)).location
        for offset, length in ((0, None), (5, 20 * MIB), (0, 8 * MIB), (8 * MIB + 1, None), (len(data), None)):
            end = None if length is None else offset + length
            self.assertEqual(data[offset:end], b"".join(driver.read(location, offset, length)), (offset, length))
        proxy.break_answer_after = [MIB + 17, 2 * MIB + 3, MIB]
        self.assertEqual(data, b"".join(driver.read(location)))
        self.assertEqual(3, proxy.broken)
        self.assertRaises(errors.InvalidRange, driver.read, location, len(data) + 1)
        empty = driver.write(new_name(), [], 0).location
        self.assertEqual(b"", b"".join(driver.read(empty)))
        self.assertRaises(errors.NotFound, driver.read, f"{location}x")

    def test_ranges_of_another_object_are_an_error(self):
        name, first = new_name(), pattern(30 * MIB)
        driver = self.driver_for(s3_store_read_ranges=2)
        location = driver.write(name, pieces(first), len(first)).location
        blocks = driver.read(location)
        received = next(blocks)
        # Two ranges are asked for at once, those behind them when they were read.
        self.client.put_object(Bucket=self.bucket, Key=name, Body=bytes(len(first)))
        with self.assertRaises(errors.DataChanged):
            for block in blocks:
                received += block
        self.assertEqual(first[: len(received)], received)

    def test_service_that_goes_away_in_an_upload_fails_it_and_leaves_nothing_readable(self):
        name = new_name()
        proxy, driver = self.proxied()

        def source():
            yield from pieces(pattern(2 * PART))
            proxy.go_down()
            yield from pieces(pattern(20 * PART))

        self.refused(errors.RemoteServiceUnavailable, lambda: driver.write(name, source(), None))
        self.refused(errors.RemoteServiceUnavailable, driver.probe)
        proxy.come_back()
        self.refused(errors.NotFound, lambda: self.driver_for().size(self.location_of(name)))
        driver.discard(name)
        self.assertEqual([], self.left_in_bucket())

    def test_parts_that_could_not_be_removed_mark_the_error_of_the_source(self):
        name, failure = new_name(), ValueError("client gone")
        proxy, driver = self.proxied()

        def source():
            yield from pieces(pattern(2 * PART))
            proxy.go_down()
            raise failure

        self.refused(ValueError, lambda: driver.write(name, source(), None))
        self.assertTrue(errors.has_leftovers(failure))
        proxy.come_back()
        self.assertNotEqual([], self.left_in_bucket())
        driver.discard(name)
        self.assertEqual([], self.left_in_bucket())

    def test_service_that_comes_back_in_time_does_not_fail_an_upload(self):
        data = pattern(6 * PART)
        proxy, driver = self.proxied(s3_store_attempts=8)

        def source():
            yield from pieces(data[: 2 * PART])
            proxy.go_down()
            threading.Timer(0.5, proxy.come_back).start()
            yield from pieces(data[2 * PART :])

        location = driver.write(new_name(), source(), None).location
        self.assertEqual(data, b"".join(driver.read(location)))

    def test_service_that_goes_away_in_a_read_breaks_it_with_an_error(self):
        proxy, driver = self.proxied()
        location = driver.write(new_name(), pieces(pattern(16 * MIB)), None).location
        blocks = driver.read(location)
        next(blocks)
        proxy.go_down()
        self.refused(errors.RemoteServiceUnavailable, lambda: list(blocks))

    def test_object_is_there_once_when_the_answer_to_its_last_request_is_lost(self):
        for request, data in ((b"PUT ", b"data"), (b"POST ", pattern(PART + 1))):
            name = new_name()
            proxy, driver = self.proxied(s3_store_large_object_chunk_size=PART)

            def source(data=data, proxy=proxy, request=request):
                yield from pieces(data)
                # Parts are begun before the last bytes are read, so the next such request is the last one.
                proxy.lose_answer_to = request

            location = driver.write(name, source(), len(data)).location
            self.assertEqual(1, proxy.lost)
            self.assertEqual(data, b"".join(driver.read(location)))
            driver.delete(location)
        self.assertEqual([], self.left_in_bucket())

    def test_silent_service_does_not_hold_up_another_store(self):
        proxy, slow = self.proxied()
        fast = self.driver_for()
        name, data = new_name(), pattern(3 * PART)
        proxy.hold()
        outcome = []
        thread = threading.Thread(target=lambda: outcome.append(slow.write(name, pieces(data), None)), daemon=True)
        thread.start()
        self.assertTrue(proxy.held.wait(20))
        location = fast.write(new_name(), pieces(data), None).location
        self.assertEqual(data, b"".join(fast.read(location)))
        self.assertEqual([], outcome)
        proxy.release()
        thread.join(60)
        self.assertEqual(len(data), outcome[0].size)

    def test_silent_service_times_out(self):
        proxy, driver = self.proxied(s3_store_read_timeout=0.5)
        proxy.hold()
        error = self.refused(errors.RemoteServiceUnavailable, driver.probe)
        self.assertIn("did not answer in time", str(error))

    def test_old_location_with_keys_is_read_with_the_keys_of_the_store(self):
        location = self.driver_for().write(new_name(), [b"data"], 4).location
        for keys in ("replaced:since", "old:key/with/slashes"):
            old = location.replace("s3+http://", f"s3+http://{keys}@")
            self.assertEqual(b"data", b"".join(self.driver_for().read(old)))
            self.assertEqual(4, self.driver_for().size(old))


class TestFaultsOnCephGateway(Faults, FaultTestCase):
    service_name = "radosgw"

    def test_keys_in_a_location_open_another_bucket_of_their_host(self):
        # Those of Swift have a colon and cannot stand in a location.
        location = self.driver_for().write(new_name(), [b"data"], 4).location
        keys = f"{self.variables['TEST_S3_ACCESS_KEY']}:{self.variables['TEST_S3_SECRET_KEY']}"
        other = self.driver_for(s3_store_bucket="another", s3_store_host="http://127.0.0.1:9")
        self.assertEqual(b"data", b"".join(other.read(location.replace("s3+http://", f"s3+http://{keys}@"))))
        self.refused(errors.BadStoreUri, lambda: other.read(location))
        wrong = location.replace("s3+http://", "s3+http://wrong:wrong-secret@")
        self.refused(errors.Forbidden, lambda: other.read(wrong))

    def new_user(self):
        """Return the name of a new user of the gateway; its bucket and its keys are those of the test from now on."""
        user = f"user-{uuid.uuid4().hex}"
        self.variables = {**self.variables, "TEST_S3_ACCESS_KEY": f"{user}key", "TEST_S3_SECRET_KEY": "a-secret-key"}
        self.gateway_admin(
            "user", "create", user, "--display-name", user, "--access-key", f"{user}key", "--secret-key", "a-secret-key"
        )
        self.addCleanup(self.gateway_admin, "user", "rm", user, "--purge-data")
        self.bucket = s3_buckets.new_bucket_name()
        client = s3_buckets.client_for(self.variables)
        self.addCleanup(client.close)
        client.create_bucket(Bucket=self.bucket)
        return user

    def gateway_admin(self, what, action, user, *words):
        """Call the administrator's command of the gateway."""
        command = ["radosgw-admin", "--conf", self.service("ceph")["CEPH_CONF"], "--name", "client.rgw", what, action]
        subprocess.run([*command, "--uid", user, *words], check=True, capture_output=True, timeout=60)

    def test_keys_that_end_in_an_upload_fail_it(self):
        user = self.new_user()
        driver, name = self.driver_for(), new_name()

        def source():
            yield from pieces(pattern(2 * PART))
            self.gateway_admin("user", "suspend", user)
            yield from pieces(pattern(10 * PART))

        with self.assertLogs("glance_mini_store", "WARNING") as logs:
            self.refused(errors.StorageWriteDenied, lambda: driver.write(name, source(), None))
        self.assert_no_secret("\n".join(logs.output))
        self.gateway_admin("user", "enable", user)
        self.refused(errors.NotFound, lambda: driver.size(driver.prefixes[2] + name))
        self.assertEqual({name}, driver.names())
        driver.discard(name)
        self.assertEqual(set(), driver.names())

    def test_keys_that_end_in_a_read_do_not_lose_bytes(self):
        user = self.new_user()
        data = pattern(16 * MIB)
        proxy, driver = self.proxied()
        location = driver.write(new_name(), pieces(data), None).location
        proxy.break_answer_after = [MIB + 17]
        blocks = driver.read(location)
        self.gateway_admin("user", "suspend", user)
        self.refused(errors.Forbidden, lambda: list(blocks))

    def test_full_bucket_takes_no_more(self):
        user = self.new_user()
        self.gateway_admin("quota", "set", user, "--quota-scope", "bucket", "--max-size", str(MIB))
        self.gateway_admin("quota", "enable", user, "--quota-scope", "bucket")
        driver = self.driver_for()
        for size in (2 * MIB, 3 * PART):
            self.refused(errors.StorageFull, lambda size=size: driver.write(new_name(), pieces(bytes(size)), size))
        self.assertEqual(set(), driver.names())
        driver.write(new_name(), [b"data"], 4)


class TestFaultsOnSwift(Faults, FaultTestCase):
    service_name = "swift"


def new_name():
    """Return a new name."""
    return str(uuid.uuid4())
