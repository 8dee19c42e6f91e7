"""The VMware driver with the vCenter simulator: the contract, several datastores, and faults of the server."""

import contextlib
import hashlib
import html
import http.client
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import unquote

import requests
from fixtures import FakeLogger, Fixture, TempDir
from oslo_config import cfg

from glance_mini_store import errors
from glance_mini_store.drivers.vmware import VmwareDriver
from glance_mini_store.drivers.vmware.session import Login
from glance_mini_store.settings import resolve
from glance_mini_store.testing.contract import (
    DriverContract,
    SourceError,
    broken,
    in_killed_process,
    pattern,
    pieces,
)
from tests.integration.base import SERVICES, ServiceTestCase
from tests.integration.served import Served
from tests.integration.storage.gate import Gate
from tests.integration.storage.memory import growth_of_transfers
from tests.ports import free_port
from tests.unit.store.test_http_driver import self_signed

MIB = 1024 * 1024
PASSWORD = "secret-of-this-test"


class VcenterTestCase(ServiceTestCase):
    """Makes drivers whose folder is new and is removed after the test."""

    def new_driver(self, **values):
        """Return a driver that has been checked."""
        driver = self.unchecked(**values)
        driver.check()
        return driver

    def unchecked(self, **values):
        self.vcenter = self.service("vcsim")
        if not hasattr(self, "folder"):
            self.folder = f"test-{uuid.uuid4().hex}"
            self.addCleanup(self.remove_folder)
        datastore = f"{self.vcenter['TEST_VCENTER_DATACENTER']}:{self.vcenter['TEST_VCENTER_DATASTORE']}:10"
        conf = cfg.ConfigOpts()
        conf([])
        resolve(conf, "group", VmwareDriver.options)
        settings = {
            "vmware_server_host": self.vcenter["TEST_VCENTER"],
            "vmware_server_scheme": "http",
            "vmware_server_username": self.vcenter["TEST_VCENTER_USER"],
            "vmware_server_password": self.vcenter["TEST_VCENTER_PASSWORD"],
            "vmware_datastores": [datastore],
            "vmware_store_image_dir": f"/images/{self.folder}",
            "vmware_task_poll_interval": 0.1,
            "vmware_api_retry_count": 3,
            "vmware_timeout": 30.0,
        }
        for name, value in {**settings, **values}.items():
            conf.set_override(name, value, group="group")
        driver = VmwareDriver.from_config(resolve(conf, "group", VmwareDriver.options), "group")
        self.addCleanup(driver.close)
        return driver

    def remove_folder(self):
        """Delete the folder in all datastores, by pyVmomi itself."""
        from pyVmomi import SoapAdapter, vim

        host, _, port = self.vcenter["TEST_VCENTER"].rpartition(":")
        stub = SoapAdapter.SoapStubAdapter(host=host, port=-int(port), httpConnectionTimeout=30)
        content = vim.ServiceInstance("ServiceInstance", stub).RetrieveContent()
        content.sessionManager.Login(self.vcenter["TEST_VCENTER_USER"], self.vcenter["TEST_VCENTER_PASSWORD"], None)
        datacenter = content.searchIndex.FindByInventoryPath(self.vcenter["TEST_VCENTER_DATACENTER"])
        for datastore in datacenter.datastore:
            path = f"[{datastore.summary.name}] images/{self.folder}"
            content.fileManager.DeleteDatastoreFile_Task(path, datacenter)
        content.sessionManager.Logout()

    def stored(self, datastore=None):
        """Return the files in the folder, as the simulator lists them over HTTP."""
        connection = http.client.HTTPConnection(self.vcenter["TEST_VCENTER"], timeout=30)
        name = datastore or self.vcenter["TEST_VCENTER_DATASTORE"]
        query = f"dcPath={self.vcenter['TEST_VCENTER_DATACENTER']}&dsName={name}"
        connection.request("GET", f"/folder/images/{self.folder}/?{query}")
        with connection.getresponse() as response:
            listing = response.read().decode()
        connection.close()
        return sorted(unquote(html.unescape(name)) for name in re.findall(r'href="([^"]+)"', listing))

    def stored_soon(self):
        """Return the files in the folder once there are any; the simulator makes one after it got the first bytes."""
        deadline = time.monotonic() + 30
        while not (found := self.stored()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def gate(self, **settings):
        """Return a gate before the simulator."""
        return self.useFixture(Gate(self.service("vcsim")["TEST_VCENTER"], **settings))


class TestVmwareContract(DriverContract, VcenterTestCase):
    def make_driver(self):
        return self.new_driver()

    def leftovers(self):
        return self.stored()


class TestVmware(VcenterTestCase):
    def setUp(self):
        super().setUp()
        self.log = self.useFixture(FakeLogger(level=0))
        self.driver = self.new_driver()

    def test_location_names_server_folder_datacenter_and_datastore(self):
        written = self.driver.write("name", [b"data"], 4)
        expected = (
            f"vsphere://{self.vcenter['TEST_VCENTER']}/folder/images/{self.folder}/name?dcPath=DC0&dsName=LocalDS_0"
        )
        self.assertEqual(expected, written.location)

    def test_data_is_under_a_hidden_name_until_the_last_chunk(self):
        seen = []

        def source():
            yield pattern(MIB)
            seen.append(self.stored_soon())
            yield b"end"

        self.driver.write("name", source(), None)
        self.assertRegex(seen[0][0], r"^\.name\.[0-9a-f]{16}\.part$")
        self.assertEqual([1, ["name"]], [len(seen[0]), self.stored()])

    def test_draft_cannot_be_read_by_its_location(self):
        location = self.driver.write("name", [b"data"]).location
        draft = location.replace("/name?", "/.name.0123456789abcdef.part?")
        self.assertRaises(errors.BadStoreUri, self.driver.read, draft)

    def test_writer_whose_draft_was_discarded_publishes_nothing(self):
        def source():
            yield pattern(MIB)
            yield pattern(MIB)
            self.driver.discard("name")

        self.assertRaises(errors.StorageWriteDenied, self.driver.write, "name", source())
        self.assertEqual([], self.stored())

    def test_discard_leaves_other_files_alone(self):
        for name in ("name-2", "other"):
            self.driver.write(name, [b"data"])
        self.driver.discard("name")
        self.assertEqual(["name-2", "other"], self.stored())

    def test_folders_and_climbing_paths_are_no_images(self):
        location = self.driver.write("name", [b"data"]).location
        folder = location.replace("/name?", "?")
        self.assertRaises(errors.NotFound, self.driver.delete, folder)
        self.assertRaises(errors.NotFound, self.driver.size, folder)
        for path in ("/../name?", "/%2e%2e/name?", "//name?", "/na%0ame?"):
            self.assertRaises(errors.BadStoreUri, self.driver.delete, location.replace("/name?", path))
        self.assertEqual(["name"], self.stored())

    def test_location_on_another_server_is_refused_before_the_cookie_is_sent(self):
        location = self.driver.write("name", [b"data"]).location
        other = location.replace(self.vcenter["TEST_VCENTER"], "192.0.2.1")
        for call in (self.driver.read, self.driver.size, self.driver.delete):
            self.assertRaises(errors.BadStoreUri, call, other)

    def test_probe_returns_the_free_bytes_of_the_datastores(self):
        self.assertGreater(self.driver.probe(), 0)

    def test_properties_name_the_datastores_and_no_credential(self):
        shown = dict(self.driver.properties())
        self.assertEqual(["DC0:LocalDS_0:10"], shown["datastores"])
        self.assertNotIn(self.vcenter["TEST_VCENTER_PASSWORD"], str(shown))

    def test_source_that_fails_in_the_middle_leaves_nothing_with_a_known_size(self):
        for size in (10 * MIB, None):
            source = broken(pattern(2 * MIB), SourceError())
            self.assertRaises(SourceError, self.driver.write, "name", source, size)
            self.assertEqual([], self.stored())

    def test_fewer_bytes_than_announced_leave_nothing(self):
        self.assertRaises(errors.SizeMismatch, self.driver.write, "name", [b"data"], 5)
        self.assertEqual([], self.stored())

    def test_killed_upload_can_be_discarded(self):
        in_killed_process(lambda source: self.driver.write("name", source, 3 * MIB))
        self.assertEqual({"name"}, set(self.driver.names()))
        self.assertRegex(self.stored()[0], r"^\.name\.")
        self.driver.discard("name")
        self.assertEqual([], self.stored())

    def test_two_writes_under_one_name_leave_one(self):
        inside = threading.Barrier(2)

        def source(data):
            yield data
            inside.wait(60)

        locations = []

        def write(data):
            with contextlib.suppress(errors.Duplicate):
                locations.append((self.driver.write("name", source(data)).location, data))

        threads = [threading.Thread(target=write, args=(data,)) for data in (b"first", b"second")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual([1, ["name"]], [len(locations), self.stored()])
        self.assertEqual(locations[0][1], b"".join(self.driver.read(locations[0][0])))


SERVICE = """
[DEFAULT]
enabled_backends = images:file,vm:vmware
[glance_store]
default_backend = vm
[vm]
vmware_server_host = {TEST_VCENTER}
vmware_server_scheme = http
vmware_server_username = {TEST_VCENTER_USER}
vmware_server_password = {TEST_VCENTER_PASSWORD}
vmware_datastores = {TEST_VCENTER_DATACENTER}:{TEST_VCENTER_DATASTORE}:10
vmware_store_image_dir = /images/{folder}
vmware_task_poll_interval = 0.1
"""


class TestService(VcenterTestCase):
    """The whole service with a store of this driver."""

    def setUp(self):
        super().setUp()
        self.unchecked()
        users = {"alice": ("lab", "member"), "root": ("lab", "admin")}
        self.served = self.useFixture(Served(SERVICE.format(folder=self.folder, **self.vcenter), users=users))

    def request(self, method, path, user="alice", **more):
        headers = {"X-Auth-Token": self.served.tokens[user], **more.pop("headers", {})}
        return requests.request(method, self.served.url + path, headers=headers, timeout=60, **more)

    def upload(self, data):
        settings = {"name": "n", "disk_format": "raw", "container_format": "bare"}
        image = self.request("POST", "/v2/images", json=settings).json()["id"]
        content = {"Content-Type": "application/octet-stream"}
        self.assertEqual(204, self.request("PUT", f"/v2/images/{image}/file", data=data, headers=content).status_code)
        return image

    def test_image_is_uploaded_read_by_range_and_deleted(self):
        data = pattern(5 * MIB + 3)
        for body in (data, pieces(data)):
            image = self.upload(body)
            self.assertEqual([image], [name[:36] for name in self.stored()])
            shown = self.request("GET", f"/v2/images/{image}").json()
            self.assertEqual(
                ("active", len(data), "vm", hashlib.sha512(data).hexdigest()),
                (shown["status"], shown["size"], shown["stores"], shown["os_hash_value"]),
            )
            self.assertEqual(data, self.request("GET", f"/v2/images/{image}/file").content)
            for value, part in (("bytes=7-9", data[7:10]), ("bytes=-5", data[-5:]), (f"bytes={MIB}-", data[MIB:])):
                answer = self.request("GET", f"/v2/images/{image}/file", headers={"Range": value})
                self.assertEqual((206, part), (answer.status_code, answer.content))
            self.assertEqual(204, self.request("DELETE", f"/v2/images/{image}").status_code)
            self.assertEqual([], self.stored())

    def test_detailed_list_names_the_store_without_credentials(self):
        answer = self.request("GET", "/v2/info/stores/detail", "root")
        (store,) = [store for store in answer.json()["stores"] if store["id"] == "vm"]
        self.assertEqual(("vmware", ["DC0:LocalDS_0:10"]), (store["type"], store["properties"]["datastores"]))
        self.assertNotIn(self.vcenter["TEST_VCENTER_PASSWORD"], answer.text)
        self.assertNotIn(self.vcenter["TEST_VCENTER_PASSWORD"], self.served.log.read_text())


class TestDatastores(VcenterTestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(FakeLogger(level=0))

    def second(self):
        """Return the name of a second datastore of the simulator, which the test needs."""
        self.unchecked()
        if not self.has("LocalDS_1"):
            self.skipTest("this simulator has one datastore")
        return "LocalDS_1"

    def has(self, name):
        try:
            self.new_driver(vmware_datastores=[f"DC0:{name}:1"])
        except errors.BadStoreConfiguration:
            return False
        return True

    def test_data_goes_to_the_datastore_with_the_highest_weight(self):
        second = self.second()
        driver = self.new_driver(vmware_datastores=["DC0:LocalDS_0:5", f"DC0:{second}:50"])
        location = driver.write("name", [b"data"]).location
        self.assertIn(f"dsName={second}", location)
        self.assertEqual([[], ["name"]], [self.stored(), self.stored(second)])

    def test_name_that_is_taken_in_another_datastore_is_a_duplicate(self):
        second = self.second()
        self.new_driver(vmware_datastores=["DC0:LocalDS_0"]).write("name", [b"data"])
        driver = self.new_driver(vmware_datastores=["DC0:LocalDS_0:5", f"DC0:{second}:50"])
        self.assertRaises(errors.Duplicate, driver.write, "name", [b"data"])

    def test_names_and_discard_look_into_every_datastore(self):
        second = self.second()
        both = self.new_driver(vmware_datastores=["DC0:LocalDS_0:5", f"DC0:{second}:50"])
        self.new_driver(vmware_datastores=["DC0:LocalDS_0"]).write("first", [b"data"])
        both.write("second", [b"data"])
        self.assertEqual({"first", "second"}, set(both.names()))
        both.discard("first")
        both.discard("second")
        self.assertEqual([[], []], [self.stored(), self.stored(second)])

    def test_datastore_that_is_no_longer_configured_is_still_read(self):
        second = self.second()
        location = self.new_driver(vmware_datastores=[f"DC0:{second}"]).write("name", [b"data"]).location
        driver = self.new_driver()
        self.assertEqual(b"data", b"".join(driver.read(location)))
        driver.delete(location)
        self.assertEqual([], self.stored(second))

    def test_size_that_fits_nowhere_is_storage_full(self):
        driver = self.new_driver()
        self.assertRaises(errors.StorageFull, driver.write, "name", [b"data"], 2**60)
        self.assertEqual([], self.stored())

    def test_missing_datastore_or_datacenter_stops_the_start(self):
        for missing in ("DC0:nowhere:1", "DC9:LocalDS_0:1"):
            driver = self.unchecked(vmware_datastores=[missing])
            error = self.assertRaises(errors.BadStoreConfiguration, driver.check)
            self.assertIn(missing.rpartition(":")[0], str(error))


class Simulator(Fixture):
    """A simulator of the test's own, which it may kill."""

    def _setUp(self):
        home = Path(self.useFixture(TempDir()).path)
        shared = Path(os.environ.get("SERVICES_HOME", f"{tempfile.gettempdir()}/glance-mini-services"))
        if (shared / "vcsim" / "vcsim").exists():
            (home / "vcsim").mkdir()
            shutil.copy2(shared / "vcsim" / "vcsim", home / "vcsim" / "vcsim")
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self._environment = {**os.environ, "SERVICES_HOME": str(home), "VCSIM_PORT": str(port)}
        self._home = home
        self.start()
        self.addCleanup(self._run, "stop")

    def start(self):
        self._run("start")

    def kill(self):
        """End it at once, in the middle of whatever it does."""
        process = int(next(self._home.glob("**/vcsim.pid")).read_text().split()[0])
        os.kill(process, signal.SIGKILL)
        while is_running(process):
            time.sleep(0.01)

    def _run(self, action):
        command = ["bash", SERVICES / "vcsim", action]
        subprocess.run(command, check=True, capture_output=True, timeout=300, env=self._environment)


def is_running(process):
    """Return whether a process runs; one that ended and was not asked for its code does not."""
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False


class TestMemory(VcenterTestCase):
    def test_transfer_holds_little_memory_whatever_its_size(self):
        self.assertLess(growth_of_transfers(self.new_driver(), ("known", "unknown")), 16 * MIB)


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


class TestFaults(VcenterTestCase):
    def setUp(self):
        super().setUp()
        self.log = self.useFixture(FakeLogger(level=0))

    def behind(self, gate, **values):
        return self.new_driver(vmware_server_host=gate.address, **values)

    def no_credential_in(self, *texts):
        for text in (*texts, self.log.output):
            self.assertNotIn(self.vcenter["TEST_VCENTER_PASSWORD"], str(text))
            self.assertNotIn(PASSWORD, str(text))
            self.assertNotIn("vmware_soap_session", str(text))

    def test_wrong_password_stops_the_start_and_is_not_shown(self):
        driver = self.unchecked(vmware_server_password=PASSWORD)
        error = self.assertRaises(errors.BadStoreConfiguration, driver.check)
        self.assertIn("InvalidLogin", str(error))
        self.no_credential_in(error, repr(error))

    def test_session_that_ended_on_the_server_is_renewed(self):
        driver = self.new_driver()
        location = driver.write("name", [b"data"]).location
        self.end_session(driver)
        driver.delete(location)
        self.end_session(driver)
        self.assertGreater(driver.probe(), 0)
        self.no_credential_in()

    def test_session_that_ends_under_many_threads_is_renewed_once(self):
        gate = self.gate()
        driver = self.behind(gate)
        location = driver.write("name", [b"data"]).location
        self.end_session(driver)
        gate.ended = {gate.seen[-1]}
        gate.seen.clear()
        found = []
        threads = [threading.Thread(target=lambda: found.append(driver.size(location))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual([4] * 8, found)
        self.assertEqual(1, len(set(gate.seen) - gate.ended))

    def test_session_that_ends_in_the_middle_of_an_upload_does_not_end_it(self):
        driver = self.new_driver()

        def source():
            yield pattern(MIB)
            self.end_session(driver)
            yield b"end"

        written = driver.write("name", source())
        self.assertEqual(pattern(MIB) + b"end", b"".join(driver.read(written.location)))
        self.assertEqual(["name"], self.stored())

    def test_password_that_changes_in_the_middle_of_an_upload_fails_it(self):
        driver = self.new_driver()
        login = driver._session._login

        def source():
            yield pattern(MIB)
            self.end_session(driver)
            driver._session._login = Login(login.username, PASSWORD)
            yield b"end"

        error = self.assertRaises(errors.RemoteServiceUnavailable, driver.write, "name", source())
        self.assertIn("InvalidLogin", str(error))
        self.no_credential_in(error)
        driver._session._login = login
        driver.discard("name")
        self.assertEqual([], self.stored())

    def test_folder_request_with_an_ended_session_is_made_with_a_new_one(self):
        gate = self.gate()
        driver = self.behind(gate)
        location = driver.write("name", [b"data"]).location
        gate.ended = {gate.seen[-1]}
        self.assertEqual(b"data", b"".join(driver.read(location)))
        self.assertEqual(2, len(set(gate.seen)))

    def test_server_that_refuses_every_session_is_forbidden(self):
        gate = self.gate()
        driver = self.behind(gate)
        location = driver.write("name", [b"data"]).location

        class Everything:
            def __contains__(self, _):
                return True

        gate.ended = Everything()
        self.assertRaises(errors.Forbidden, driver.size, location)

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

    def end_session(self, driver):
        """Let the server end the session of ``driver``, as an administrator would."""
        content = driver._session._open().content
        key = content.sessionManager.currentSession.key
        other = self.unchecked()
        other._session.call(lambda open_: open_.content.sessionManager.TerminateSession([key]))
