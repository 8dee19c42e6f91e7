"""Connections of the VMware driver that break, are slow or are refused, and a server that is killed."""

import ssl
import threading
from pathlib import Path

from fixtures import FakeLogger, TempDir

from glance_mini_store import errors
from glance_mini_store.testing.content import SourceError, broken, pattern, pieces
from tests.integration.storage.vcenter import FaultCase, Simulator, VcenterTestCase
from tests.unit.store.test_http_driver import self_signed

MIB = 1024 * 1024


class TestConnections(FaultCase):
    def test_broken_connections_are_tried_again(self):
        gate = self.gate()
        driver = self.behind(gate)
        location = driver.write("name", [b"data"]).location
        gate.away = 2
        self.assertEqual(4, driver.size(location))
        self.assertEqual(0, gate.away)

    def test_server_that_stays_away_is_unavailable_after_the_retries(self):
        gate = self.gate()
        driver = self.behind(gate, vmware_api_retry_count=1)
        location = driver.write("name", [b"data"]).location
        gate.away = 1000
        error = self.assertRaises(errors.RemoteServiceUnavailable, driver.size, location)
        self.assertEqual(998, gate.away)
        self.no_credential_in(error)

    def test_server_that_does_not_answer_is_given_up(self):
        gate = self.gate()
        location = self.behind(gate).write("name", [b"data"]).location
        gate.is_silent = True
        driver = self.unchecked(vmware_server_host=gate.address, vmware_timeout=0.5)
        calls = {
            "read": lambda: list(driver.read(location)),
            "size": lambda: driver.size(location),
            "write": lambda: driver.write("other", [b"data"]),
            "delete": lambda: driver.delete(location),
            "discard": lambda: driver.discard("name"),
            "probe": driver.probe,
            "check": driver.check,
        }
        for call in calls.values():
            error = self.assertRaises(errors.RemoteServiceUnavailable, call)
            self.no_credential_in(error)
        gate.is_silent = False
        self.assertEqual(["name"], self.stored())

    def test_server_that_falls_silent_in_an_upload_is_given_up(self):
        gate = self.gate()
        driver = self.behind(gate, vmware_timeout=2.0)

        def source():
            yield pattern(MIB)
            self.stored_soon()
            gate.stalls = True
            yield from pieces(pattern(64 * MIB))

        self.assertRaises(errors.RemoteServiceUnavailable, driver.write, "name", source(), 65 * MIB)
        gate.stalls = False
        driver.discard("name")
        self.assertEqual([], self.stored())

    def test_server_that_drips_is_given_up(self):
        gate = self.gate()
        location = self.behind(gate).write("name", [pattern(MIB)]).location
        gate.drip = 0.02
        for name in ("read", "size", "probe"):
            driver = self.unchecked(vmware_server_host=gate.address, vmware_timeout=0.5)
            call = {"read": lambda: list(driver.read(location)), "size": lambda: driver.size(location)}  # noqa: B023
            self.assertRaises(errors.RemoteServiceUnavailable, call.get(name, driver.probe))
        gate.drip = 0

    def test_data_that_drips_is_given_up(self):
        gate = self.gate()
        driver = self.behind(gate, vmware_timeout=1.0)
        location = driver.write("name", [pattern(MIB)]).location
        gate.drip = 0.01
        self.assertRaises(errors.RemoteServiceUnavailable, lambda: list(driver.read(location)))
        gate.drip = 0

    def test_upload_that_is_cut_leaves_nothing(self):
        gate = self.gate()
        driver = self.behind(gate)
        for size in (8 * MIB, None):
            gate.cut_after = 2 * MIB
            error = self.assertRaises(
                errors.RemoteServiceUnavailable, driver.write, "name", pieces(pattern(8 * MIB)), size
            )
            gate.cut_after = None
            self.assertEqual([], self.stored())
            self.no_credential_in(error)

    def test_download_that_is_cut_is_an_error(self):
        gate = self.gate()
        driver = self.behind(gate)
        location = driver.write("name", [pattern(MIB)] * 4).location
        gate.cut_answers_after = 2 * MIB
        reader = driver.read(location)
        self.assertEqual(pattern(MIB), next(reader))
        self.assertRaises(errors.RemoteServiceUnavailable, lambda: list(reader))

    def test_answer_that_refuses_an_upload_tells_why(self):
        gate = self.gate()
        driver = self.behind(gate)
        expected = {
            403: errors.StorageWriteDenied,
            404: errors.StorageWriteDenied,
            500: errors.RemoteServiceUnavailable,
            507: errors.StorageFull,
        }
        for status, error in expected.items():
            gate.refusal = status
            for size in (8 * MIB, None):
                self.assertRaises(error, driver.write, "name", pieces(pattern(8 * MIB)), size)
        self.assertEqual([], self.stored())

    def test_slow_upload_does_not_hold_up_another(self):
        driver = self.new_driver()
        entered, go_on = threading.Event(), threading.Event()

        def slow():
            yield b"first"
            entered.set()
            go_on.wait(60)

        writer = threading.Thread(target=driver.write, args=("slow", slow()))
        writer.start()
        entered.wait(60)
        driver.write("fast", [b"data"])
        go_on.set()
        writer.join(60)
        self.assertEqual(["fast", "slow"], self.stored())

    def test_certificate_is_verified_by_the_ca_file_or_not_at_all(self):
        pem = Path(self.useFixture(TempDir()).path) / "pem"
        pem.write_bytes(self_signed("127.0.0.1"))
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(pem)
        gate = self.gate(tls=tls)
        for name, trust in (("first", {"vmware_ca_file": str(pem)}), ("second", {"vmware_insecure": True})):
            driver = self.behind(gate, vmware_server_scheme="https", **trust)
            location = driver.write(name, pieces(pattern(3 * MIB)), None).location
            self.assertEqual(pattern(3 * MIB), b"".join(driver.read(location)))
            source = broken(pattern(2 * MIB), SourceError())
            self.assertRaises(SourceError, driver.write, "broken", source, 10 * MIB)
            driver.delete(location)
            self.assertEqual([], self.stored())
        driver = self.unchecked(vmware_server_host=gate.address, vmware_server_scheme="https", vmware_api_retry_count=0)
        error = self.assertRaises(errors.RemoteServiceUnavailable, driver.check)
        self.assertIn("certificate", str(error))


class TestKilledServer(VcenterTestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(FakeLogger(level=0))
        self.service("vcsim")
        self.simulator = self.useFixture(Simulator())
        self.driver = self.new_driver(vmware_server_host=self.simulator.address, vmware_api_retry_count=1)

    def test_upload_fails_and_another_one_succeeds_when_the_server_is_back(self):
        def source():
            yield pattern(MIB)
            self.simulator.kill()
            yield from pieces(pattern(64 * MIB))

        for size in (65 * MIB, None):
            self.assertRaises(errors.RemoteServiceUnavailable, self.driver.write, "name", source(), size)
            self.assertRaises(errors.RemoteServiceUnavailable, self.driver.probe)
            self.simulator.start()
            written = self.driver.write("name", [b"data"])
            self.assertEqual(b"data", b"".join(self.driver.read(written.location)))
            self.assertEqual({"name"}, set(self.driver.names()))
            self.driver.delete(written.location)

    def test_draft_that_could_not_be_deleted_marks_the_error_of_the_source(self):
        failure = ValueError("client gone")

        def source():
            yield pattern(MIB)
            self.simulator.kill()
            raise failure

        self.assertRaises(ValueError, self.driver.write, "name", source(), None)
        self.assertTrue(errors.has_leftovers(failure))

    def test_download_fails(self):
        location = self.driver.write("name", [pattern(MIB)] * 64).location
        reader = self.driver.read(location)
        next(reader)
        self.simulator.kill()
        self.assertRaises(errors.RemoteServiceUnavailable, lambda: list(reader))
