"""Drivers on the vCenter simulator, each with a folder of its own, and a simulator that a test may kill."""

import html
import http.client
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from urllib.parse import unquote

from fixtures import FakeLogger, Fixture, TempDir
from oslo_config import cfg

from glance_mini_store.drivers.vmware import VmwareDriver
from glance_mini_store.settings import resolve
from tests.integration.base import SERVICES, ServiceTestCase
from tests.integration.storage.gate import Gate
from tests.ports import free_port

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


class Simulator(Fixture):
    """A simulator of the test's own, which it may kill."""

    def _setUp(self):
        home = Path(self.useFixture(TempDir()).path)
        shared = Path(os.environ.get("SERVICES_HOME", f"{tempfile.gettempdir()}/glance-mini-services"))
        if (shared / "vcsim" / "vcsim").exists():
            (home / "vcsim").mkdir()
            # A new time: it is not built again where the checkout is younger.
            shutil.copy(shared / "vcsim" / "vcsim", home / "vcsim" / "vcsim")
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


class FaultCase(VcenterTestCase):
    """A test of faults: what is logged is kept, and holds no credential."""

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
