"""What the ``swift`` driver does when something goes wrong, on a real Swift."""

import logging
import time
from urllib.parse import quote, urlsplit

import fixtures

from glance_mini_store import errors
from glance_mini_store.drivers.swift.segments import MIB
from glance_mini_store.store import Store
from glance_mini_store.testing.content import new_name, pattern, pieces
from tests.integration.storage.memory import growth_of_transfers
from tests.integration.storage.relay import Relay, make_certificate
from tests.integration.storage.swift_account import keystone_account, make_driver, tempauth_account
from tests.integration.storage.swift_case import SwiftTestCase

SMALL = {"swift_store_large_object_size": 1, "swift_store_large_object_chunk_size": 1}
"""Segments of 1 MiB."""

DATA = pattern(3 * MIB + 17)


class TempAuthCase(SwiftTestCase):
    def setUp(self):
        super().setUp()
        self.account = tempauth_account(self.swift)
        self.addCleanup(self.account.remove, self.container)
        self.account.request("PUT", self.container)

    def left(self):
        return self.account.names(self.container)


class TestConfigurations(TempAuthCase):
    def refusal(self, driver):
        return str(self.assertRaises(errors.BadStoreConfiguration, driver.check))

    def test_wrong_keys_stop_the_start_and_are_not_shown(self):
        for reference in (self.tempauth_reference(), self.keystone_reference()):
            path = self.references(ref1={**reference, "key": "mistaken"})
            text = self.refusal(make_driver(swift_store_config_file=path))
            self.assertIn("refuses the credentials", text)
            self.assertNotIn("mistaken", text)

    def test_wrong_keys_of_a_running_store_make_it_unavailable(self):
        path = self.references(ref1={**self.tempauth_reference(), "key": "mistaken"})
        driver = make_driver(swift_store_config_file=path, swift_store_container=self.container)
        for call in (driver.probe, lambda: driver.write("x", [b"1"], 1), lambda: driver.discard("x")):
            text = str(self.assertRaises(errors.RemoteServiceUnavailable, call))
            self.assertNotIn("mistaken", text)

    def test_missing_container_stops_the_start_unless_it_is_to_be_created(self):
        absent = f"{self.container}absent"
        driver = self.single_tenant(swift_store_container=absent, swift_store_create_container_on_put=False)
        self.assertIn(f"there is no container {absent}", self.refusal(driver))
        self.assertRaises(errors.StorageWriteDenied, driver.write, new_name(), [b"1"], 1)
        self.single_tenant(swift_store_container=absent).check()
        self.assertEqual([self.container], self.account.containers(self.container))

    def test_a_service_that_does_not_answer_is_named_without_its_users(self):
        path = self.references(ref1={**self.tempauth_reference(), "auth_address": "http://127.0.0.1:9/auth/v1.0"})
        text = str(self.assertRaises(errors.RemoteServiceUnavailable, make_driver(swift_store_config_file=path).check))
        self.assertNotIn("tester", text)

    def test_objects_larger_than_those_of_swift_are_refused(self):
        driver = self.single_tenant(swift_store_large_object_size=6000)
        self.assertIn("swift_store_large_object_size", self.refusal(driver))

    def test_no_key_and_no_token_is_logged(self):
        log = self.useFixture(fixtures.FakeLogger(level=logging.DEBUG))
        driver = self.single_tenant()
        location = driver.write(new_name(), [b"1"], 1).location
        self.assertRaises(errors.NotFound, driver.size, f"{location}x")
        token = next(iter(driver._tenancy._accounts.values())).token()
        self.assertNotIn(token[:12], log.output)
        self.assertNotIn(self.swift["TEST_SWIFT_KEY"], log.output)


class TestQuotas(TempAuthCase):
    def setUp(self):
        super().setUp()
        self.limit(MIB)

    def limit(self, size):
        self.account.request("POST", self.container, headers={"X-Container-Meta-Quota-Bytes": str(size)})
        info = self.account.request("GET", "../../info")
        if "container_quotas" not in info.json():
            self.lacks("the proxy of Swift has no container_quotas")

    def test_a_full_container_is_reported_and_nothing_is_left(self):
        driver = self.single_tenant()
        self.assertRaises(errors.StorageFull, driver.write, new_name(), pieces(DATA), len(DATA))
        self.assertEqual([], self.left())

    def test_a_container_that_becomes_full_is_reported_and_nothing_is_left(self):
        self.limit(10 * MIB)
        driver = self.single_tenant(**SMALL)

        def chunks():
            yield DATA[: 2 * MIB]
            self.limit(MIB)
            yield DATA[2 * MIB :]

        self.assertRaises(errors.StorageFull, driver.write, new_name(), chunks(), len(DATA))
        self.assertEqual([], self.left())


class TestBrokenConnections(TempAuthCase):
    def setUp(self):
        super().setUp()
        url = urlsplit(self.account.url)
        self.relay = self.useFixture(Relay(url.port))
        self.behind = f"http://127.0.0.1:{self.relay.port}{url.path}"

    def relayed(self, **options):
        return self.single_tenant(swift_store_endpoint=self.behind, **options)

    def test_a_broken_read_goes_on_at_its_offset(self):
        for size in ({}, SMALL):
            location = self.single_tenant(**size).write(new_name(), pieces(DATA), len(DATA)).location
            driver = self.relayed(swift_store_retry_get_count=2)
            driver.size(location)
            for offset, length in ((0, None), (5, None), (7, 2 * MIB)):
                self.relay.break_down = MIB + MIB // 2
                end = None if length is None else offset + length
                self.assertEqual(DATA[offset:end], b"".join(driver.read(location, offset, length)))
        self.assertEqual(6, self.relay.breaks)

    def test_a_large_read_in_ranges_is_the_same_also_where_connections_break(self):
        data = pattern(30 * MIB + 5)
        driver = self.relayed(swift_store_read_ranges=3, swift_store_retry_get_count=2)
        location = driver.write(new_name(), pieces(data), len(data)).location
        for offset, length in ((0, None), (5, 20 * MIB), (0, 8 * MIB), (8 * MIB + 1, None), (len(data), None)):
            end = None if length is None else offset + length
            self.assertEqual(data[offset:end], b"".join(driver.read(location, offset, length)), (offset, length))
        self.relay.break_down = 9 * MIB + 3
        self.assertEqual(data, b"".join(driver.read(location)))
        self.assertLess(0, self.relay.breaks)
        self.assertRaises(errors.InvalidRange, driver.read, location, len(data) + 1)
        empty = driver.write(new_name(), [], 0).location
        self.assertEqual(b"", b"".join(driver.read(empty)))

    def test_a_broken_read_is_an_error_where_none_may_go_on(self):
        location = self.single_tenant().write(new_name(), pieces(DATA), len(DATA)).location
        driver = self.relayed()
        driver.size(location)
        self.relay.break_down = 2 * MIB
        reading = driver.read(location)
        self.assertRaises(errors.RemoteServiceUnavailable, list, reading)

    def test_a_read_does_not_go_on_with_other_data(self):
        location = self.single_tenant().write(name := new_name(), pieces(DATA), len(DATA)).location
        driver = self.relayed(swift_store_retry_get_count=3)
        driver.size(location)
        # Set before the read: a fast Swift has sent everything by the time of the first chunk.
        self.relay.break_down = MIB
        reading = driver.read(location)
        next(reading)
        self.account.request("PUT", f"{self.container}/{name}", data=DATA[::-1])
        self.assertRaises(errors.DataChanged, list, reading)

    def test_a_write_that_breaks_leaves_nothing(self):
        for options, size in (({}, len(DATA)), (SMALL, len(DATA)), (SMALL, None)):
            driver = self.relayed(**options)
            driver.probe()
            self.relay.break_up = 2 * MIB
            self.assertRaises(errors.RemoteServiceUnavailable, driver.write, new_name(), pieces(DATA), size)
            self.assertEqual([], self.left())
        self.assertEqual(3, self.relay.breaks)

    def test_after_a_write_to_a_swift_that_went_away_discard_leaves_nothing(self):
        driver = self.relayed(**SMALL)
        driver.probe()
        self.relay.stays_away = True
        self.relay.break_up = 2 * MIB
        self.assertRaises(errors.RemoteServiceUnavailable, driver.write, name := new_name(), pieces(DATA), None)
        self.assertIn(f"{name}/claim", self.left())
        self.assertNotIn(name, self.left())
        self.assertRaises(errors.RemoteServiceUnavailable, driver.discard, name)
        self.relay.is_away = False
        driver.discard(name)
        self.assertEqual([], self.left())

    def test_segments_that_could_not_be_removed_mark_the_error_of_the_source(self):
        driver, failure = self.relayed(**SMALL), ValueError("client gone")
        driver.probe()

        def source():
            yield from pieces(DATA)
            self.relay.is_away = True
            raise failure

        self.assertRaises(ValueError, driver.write, name := new_name(), source(), None)
        self.assertTrue(errors.has_leftovers(failure))
        self.relay.is_away = False
        self.assertIn(f"{name}/claim", self.left())
        driver.discard(name)
        self.assertEqual([], self.left())

    def test_a_request_that_broke_is_sent_again(self):
        driver = self.relayed()
        location = driver.write(new_name(), [b"data"], 4).location
        self.relay.break_up = 1
        self.assertEqual(4, driver.size(location))
        self.assertEqual(1, self.relay.breaks)

    def test_a_swift_that_is_silent_costs_one_time_out(self):
        driver = self.relayed(swift_store_read_timeout=3)
        location = driver.write(new_name(), [b"data"], 4).location
        silent = self.relayed(swift_store_read_timeout=3)
        silent.probe()
        self.relay.is_silent = True
        self.relay.break_all()
        for call in (silent.probe, lambda: silent.read(location), lambda: silent.size(location), silent.names):
            started = time.monotonic()
            self.assertRaises(errors.RemoteServiceUnavailable, call)
            self.assertLess(time.monotonic() - started, 6)

    def test_an_authentication_service_that_is_silent_costs_one_time_out(self):
        for reference, name in (
            (self.tempauth_reference(), "TEST_SWIFT_AUTH"),
            (self.keystone_reference(), "TEST_KEYSTONE_URL"),
        ):
            url = urlsplit(self.swift[name])
            relay = self.useFixture(Relay(url.port))
            relay.is_silent = True
            reference["auth_address"] = f"http://127.0.0.1:{relay.port}{url.path}"
            path = self.references(ref1=reference)
            driver = make_driver(swift_store_config_file=path, swift_store_read_timeout=3)
            started = time.monotonic()
            self.assertRaises(errors.RemoteServiceUnavailable, driver.probe)
            self.assertLess(time.monotonic() - started, 6)


class TestCertificates(TempAuthCase):
    def setUp(self):
        super().setUp()
        url = urlsplit(self.account.url)
        folder = self.useFixture(fixtures.TempDir()).path
        self.certificate = make_certificate(f"{folder}/own.pem")
        relay = self.useFixture(Relay(url.port, self.certificate))
        self.there = f"https://localhost:{relay.port}"
        self.endpoint = self.there + url.path

    def driver(self, **options):
        address = f"{self.there}{urlsplit(self.swift['TEST_SWIFT_AUTH']).path}"
        path = self.references(ref1={**self.tempauth_reference(), "auth_address": address})
        options = {"swift_store_container": self.container, "swift_store_endpoint": self.endpoint, **options}
        return make_driver(swift_store_config_file=path, **options)

    def test_certificates_are_checked_unless_that_is_switched_off(self):
        self.assertRaises(errors.RemoteServiceUnavailable, self.driver().check)
        for option in ({"swift_store_cacert": self.certificate}, {"swift_store_auth_insecure": True}):
            driver = self.driver(**option)
            driver.check()
            location = driver.write(new_name(), pieces(DATA), len(DATA)).location
            self.assertEqual(DATA, b"".join(driver.read(location)))


class TestOldLocations(TempAuthCase):
    def uri(self, name, key=None):
        url = urlsplit(self.swift["TEST_SWIFT_AUTH"])
        user, key = quote(self.swift["TEST_SWIFT_USER"], safe=""), key or self.swift["TEST_SWIFT_KEY"]
        return f"swift+http://{user}:{key}@{url.netloc}{url.path}/{self.container}/{name}"

    def put(self, name, data=b"", **headers):
        path = f"{self.container}/{name}"
        self.account.request("PUT", path, data=data, headers=headers).raise_for_status()

    def test_uris_with_credentials_are_read_and_deleted(self):
        self.put("old", b"0123456789")
        driver = self.single_tenant()
        self.assertEqual((10, b"345"), (driver.size(self.uri("old")), b"".join(driver.read(self.uri("old"), 3, 3))))
        error = self.assertRaises(errors.RemoteServiceUnavailable, driver.size, self.uri("old", "mistaken"))
        self.assertNotIn("mistaken", str(error))
        driver.delete(self.uri("old"))
        self.assertEqual([], self.left())

    def test_the_segments_of_a_dynamic_large_object_go_with_it_and_others_stay(self):
        for name in ("old-00001", "old-00002", "old-2-00001", "old-other", "older"):
            self.put(name, name.encode())
        self.put("old", **{"X-Object-Manifest": f"{self.container}/old-"})
        driver = self.single_tenant()
        location = f"swift+config://ref1/{self.container}/old"
        self.assertIn(b"old-00001old-00002", b"".join(driver.read(location)))
        driver.delete(location)
        self.assertEqual(["old-2-00001", "old-other", "older"], self.left())

    def test_a_manifest_that_names_data_of_others_does_not_delete_it(self):
        driver = self.single_tenant(**SMALL)
        other = driver.write("other", pieces(DATA), len(DATA)).location
        manifest = f"{self.container}/mine?multipart-manifest=put"
        body = [{"path": f"/{self.container}/other"}]
        self.account.request("PUT", manifest, json=body).raise_for_status()
        driver.delete(other.replace("/other", "/mine"))
        self.assertEqual(DATA, b"".join(driver.read(other)))
        driver.delete(other)
        self.assertEqual([], self.left())

    def test_locations_that_are_not_of_the_store_are_refused(self):
        driver = self.single_tenant()
        for location in (
            f"swift+config://ref2/{self.container}/x",
            f"swift+http://{urlsplit(self.account.url).netloc}/v1/TEMP_test/{self.container}/x",
            "swift://host/container",
        ):
            for call in (driver.size, driver.read, driver.delete):
                self.assertRaises(errors.BadStoreUri, call, location)


class TestWrites(TempAuthCase):
    def test_nothing_secret_is_in_a_location_and_segments_are_where_no_location_leads(self):
        driver = self.single_tenant(**SMALL)
        written = Store(driver, "images").write("name", pieces(DATA), size=len(DATA))
        self.assertEqual(f"swift+config://ref1/{self.container}/name", written.location)
        names = self.left()
        self.assertEqual("name", names[0])
        self.assertEqual(4, len(names) - 1)
        self.assertTrue(all(name.startswith("name/") for name in names[1:]), names)

    def test_the_account_of_a_reference_and_its_seed_choose_account_and_container(self):
        path = self.references(ref1=self.tempauth_reference(), ref2=self.keystone_reference())
        options = {
            "swift_store_config_file": path,
            "swift_store_container": self.container,
            "swift_store_create_container_on_put": True,
        }
        other = keystone_account(self.swift, "glance", "service")
        self.addCleanup(other.remove, self.container)
        driver = make_driver(default_swift_reference="ref2", swift_store_multiple_containers_seed=3, **options)
        location = driver.write("fdae39a1-bac5", [b"data"], 4).location
        self.assertEqual(f"swift+config://ref2/{self.container}_fda/fdae39a1-bac5", location)
        self.assertEqual(["fdae39a1-bac5"], other.names(f"{self.container}_fda"))
        self.assertEqual({"fdae39a1-bac5"}, driver.names())
        self.assertEqual(b"data", b"".join(make_driver(**options).read(location)))

    def test_a_transfer_holds_little_memory_whatever_its_size(self):
        driver = self.single_tenant()
        driver.check()
        self.assertLess(growth_of_transfers(driver, (new_name(), new_name())), 16 * MIB)

    def test_region_and_interface_choose_in_the_catalog(self):
        def driver(**options):
            return make_driver(swift_store_config_file=self.references(ref1=self.keystone_reference()), **options)

        self.assertIsNone(driver(swift_store_region="RegionOne", swift_store_endpoint_type="internalURL").probe())
        error = self.assertRaises(errors.RemoteServiceUnavailable, driver(swift_store_region="Nowhere").probe)
        self.assertIn("the catalog has no Swift with this type, region and interface", str(error))
        self.assertRaises(errors.RemoteServiceUnavailable, driver(swift_store_service_type="nothing").probe)

    def test_the_quota_of_the_account_tells_what_is_free(self):
        self.assertIsNone(self.single_tenant().probe())
        admin = keystone_account(self.swift, "glance", "service")
        alice = keystone_account(self.swift, "alice", "demo")
        admin.url = alice.url
        reference = self.keystone_reference("alice", "demo")
        driver = make_driver(swift_store_config_file=self.references(ref1=reference))
        quota = {"X-Account-Meta-Quota-Bytes": str(10**15)}
        self.addCleanup(admin.request, "POST", headers={"X-Remove-Account-Meta-Quota-Bytes": "x"})
        admin.request("POST", headers=quota).raise_for_status()
        self.assertTrue(0 < driver.probe() <= 10**15)
