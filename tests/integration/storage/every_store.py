"""One service with a store of each kind on real backends, three of them behind relays, which all can be slow."""

import contextlib
import subprocess
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import fixtures
import requests

from glance_mini_store.testing.content import pattern, pieces
from tests.integration.base import ServiceTestCase
from tests.integration.served import Served
from tests.integration.storage import s3_buckets
from tests.integration.storage.ceph import Pools, require_modules
from tests.integration.storage.relay import Relay
from tests.integration.storage.sheepdog.stand_in import install
from tests.integration.storage.swift_account import new_container, tempauth_account
from tests.integration.storage.vcenter import VcenterTestCase

MIB = 1024 * 1024
DATA = pattern(16 * MIB + 17)
HALF = 11 * MIB
STORES = ("images", "s3", "swift", "rbd", "vmware", "sheepdog")
OCTETS = {"Content-Type": "application/octet-stream"}
USERS = {"alice": ("demo", "member"), "bob": ("other", "member"), "admin": ("admin", "admin")}
SECONDS = 60
WRONG_SECRET = "a-mistaken-secret"
WRONG_KEY = "AQAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAA=="

_CONFIGURATION = """\
[DEFAULT]
enabled_backends = {backends}
show_multiple_locations = true
[glance_store]
default_backend = images
[transfers]
lease_seconds = 3
reaper_interval = 1
[oslo_messaging_notifications]
driver = log
[s3]
s3_store_host = http://127.0.0.1:{s3_port}
s3_store_access_key = {s3_key}
s3_store_secret_key = {s3_secret}
s3_store_bucket = {bucket}
s3_store_large_object_chunk_size = 5242880
[swift]
swift_store_config_file = {references}
swift_store_container = {container}
swift_store_endpoint = http://127.0.0.1:{swift_port}{swift_path}
swift_store_large_object_size = 1
swift_store_large_object_chunk_size = 1
[rbd]
rbd_store_pool = {pool}
rbd_store_user = {pool}
rbd_store_ceph_conf = {ceph_conf}
[vmware]
vmware_server_host = 127.0.0.1:{vcenter_port}
vmware_api_retry_count = 2
vmware_server_scheme = http
vmware_server_username = {vcenter_user}
vmware_server_password = {vcenter_password}
vmware_datastores = {datastore}
vmware_store_image_dir = /images/{folder}
vmware_task_poll_interval = 0.1
[sheepdog]
sheepdog_dog_path = {dog}
sheepdog_store_chunk_size = 2
"""


class Backends(fixtures.Fixture):
    """The backends of all stores; ``left`` tells what is in each."""

    def __init__(self, case):
        """``case``: a test case that knows the services."""
        super().__init__()
        self.s3_service = case.service("radosgw")
        self.swift_service = case.service("swift")
        self.ceph_conf = case.service("ceph")["TEST_RBD_CONF"]
        self.vcenter = case.service("vcsim")

    def _setUp(self):
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self._make_s3()
        self._make_swift()
        self.pools = self.useFixture(Pools(self.ceph_conf))
        self._make_vmware()
        self.dog = install(self.root)

    def _make_s3(self):
        self.s3_user = f"user-{uuid.uuid4().hex}"
        self.s3_secret = uuid.uuid4().hex
        keys = ["--access-key", f"{self.s3_user}key", "--secret-key", self.s3_secret]
        self.gateway_admin("user", "create", "--display-name", self.s3_user, *keys)
        self.addCleanup(self.gateway_admin, "user", "rm", "--purge-data")
        keys = {"TEST_S3_ACCESS_KEY": f"{self.s3_user}key", "TEST_S3_SECRET_KEY": self.s3_secret}
        self.s3 = s3_buckets.client_for({**self.s3_service, **keys})
        self.addCleanup(self.s3.close)
        self.bucket = s3_buckets.new_bucket_name()
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3_relay = self.useFixture(Relay(urlsplit(self.s3_service["TEST_S3_URL"]).port))

    def _make_swift(self):
        self.account, self.container = tempauth_account(self.swift_service), new_container()
        self.addCleanup(self.account.remove, self.container)
        self.account.request("PUT", self.container).raise_for_status()
        self.swift_relay = self.useFixture(Relay(urlsplit(self.account.url).port))

    def _make_vmware(self):
        self.vcenter_relay = self.useFixture(Relay(int(self.vcenter["TEST_VCENTER"].rpartition(":")[2])))
        self.datastore = VcenterTestCase("service")
        # Whatever server is behind the relay.
        self.datastore.vcenter = {**self.vcenter, "TEST_VCENTER": f"127.0.0.1:{self.vcenter_relay.port}"}
        self.datastore.folder = f"test-{uuid.uuid4().hex}"
        self.addCleanup(self.datastore.remove_folder)

    def slow_down(self, rate):
        """Let s3, vmware, sheepdog and images of rbd that are opened from now on move ``rate`` bytes a second."""
        self.s3_relay.rate = self.vcenter_relay.rate = rate
        (self.root / "fault").write_text(f"reading,writing {rate}")
        self.pools.limit(rate)

    def speed_up(self):
        """End what ``slow_down`` and others have slowed."""
        for relay in (self.s3_relay, self.swift_relay, self.vcenter_relay):
            relay.rate = None
        (self.root / "fault").unlink(missing_ok=True)
        self.pools.limit(None)

    def gateway_admin(self, what, action, *words):
        """Call the administrator's command of the gateway for the user of the store."""
        command = ["radosgw-admin", "--conf", self.ceph_conf, "--name", "client.rgw", what, action]
        subprocess.run([*command, "--uid", self.s3_user, *words], check=True, capture_output=True, timeout=SECONDS)

    def configuration(self, more=""):
        """Return what the service is told; ``more`` follows, and may replace options."""
        references = self.root / "swift.conf"
        references.write_text(self.references(self.swift_service["TEST_SWIFT_KEY"]))
        return more + _CONFIGURATION.format(
            backends=",".join(f"{store}:{store.replace('images', 'file')}" for store in STORES),
            s3_port=self.s3_relay.port,
            s3_key=f"{self.s3_user}key",
            s3_secret=self.s3_secret,
            bucket=self.bucket,
            references=references,
            container=self.container,
            swift_port=self.swift_relay.port,
            swift_path=urlsplit(self.account.url).path,
            pool=self.pools.name,
            ceph_conf=self.pools.user_conf,
            vcenter_port=self.vcenter_relay.port,
            vcenter_user=self.vcenter["TEST_VCENTER_USER"],
            vcenter_password=self.vcenter["TEST_VCENTER_PASSWORD"],
            datastore=f"{self.vcenter['TEST_VCENTER_DATACENTER']}:{self.vcenter['TEST_VCENTER_DATASTORE']}:1",
            folder=self.datastore.folder,
            dog=self.dog,
        )

    def references(self, key):
        """Return the file of references to the account of Swift, with this key."""
        return (
            f"[ref1]\nauth_address = {self.swift_service['TEST_SWIFT_AUTH']}\nauth_version = 1\n"
            f"user = {self.swift_service['TEST_SWIFT_USER']}\nkey = {key}\n"
        )

    def wrong_credentials(self, case):
        """Return, by driver, what the reason names and a section with a wrong secret."""
        swift, cinder = self.root / "wrong-swift.conf", case.service("cinder")
        swift.write_text(self.references(WRONG_SECRET))
        keyring = f"[client.{self.pools.name}]\nkey = {WRONG_KEY}\n".encode()
        ceph_conf = self.pools.new_user(self.pools.name, self.pools.may, keyring)
        account = f"cinder_store_auth_address = {cinder['TEST_KEYSTONE_URL']}\ncinder_store_user_name = glance\n"
        return {
            "s3": ("s3_store_access_key", f"[s3]\ns3_store_secret_key = {WRONG_SECRET}\n"),
            "swift": ("swift_store_config_file", f"[swift]\nswift_store_config_file = {swift}\n"),
            "rbd": ("Ceph refuses the user", f"[rbd]\nrbd_store_ceph_conf = {ceph_conf}\n"),
            "vmware": ("vmware_server_username", f"[vmware]\nvmware_server_password = {WRONG_SECRET}\n"),
            "cinder": (
                "cinder_store_password",
                f"[cinder]\n{account}cinder_store_project_name = service\ncinder_store_password = {WRONG_SECRET}\n",
            ),
        }

    def left(self, served):
        """Return what is in each store, readable or not: objects, parts, segments, images, snapshots, disks."""
        return {
            "images": [path.name for path in (served.root / "images").rglob("*") if path.is_file()],
            "s3": s3_buckets.keys_in(self.s3, self.bucket) + s3_buckets.uploads_in(self.s3, self.bucket),
            "swift": [path for path in self.account.everything(self.container) if "/" in path],
            "rbd": self.pools.images() + self.pools.data_objects(),
            "vmware": self.datastore.stored(),
            "sheepdog": [str(path) for path in self.root.glob("disks/*/*")],
        }

    def secrets(self):
        """Return what must be in no message, log and event."""
        return [self.s3_secret, self.swift_service["TEST_SWIFT_KEY"] + "\n", self.vcenter["TEST_VCENTER_PASSWORD"]]


class Upload:
    """An upload of ``DATA`` in a thread that waits after ``HALF`` until it may go on."""

    def __init__(self, case, image, store):
        self.status = None
        self.text = ""
        self.half, self._go_on = threading.Event(), threading.Event()
        self._arguments = (case.served.url, image, store, case.served.tokens["alice"])
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        url, image, store, token = self._arguments
        headers = {**OCTETS, "X-Image-Meta-Store": store, "X-Auth-Token": token}
        with contextlib.suppress(requests.RequestException):
            answer = requests.put(f"{url}/v2/images/{image}/file", data=self._body(), headers=headers, timeout=SECONDS)
            self.status, self.text = answer.status_code, answer.text

    def _body(self):
        yield from pieces(DATA[:HALF])
        self.half.set()
        self._go_on.wait(SECONDS)
        yield from pieces(DATA[HALF:])

    def go_on(self):
        """Let it send the rest."""
        self._go_on.set()

    def is_over(self):
        """Return whether it has ended."""
        return not self._thread.is_alive()

    def finish(self):
        """Let it go on and return the status of the answer, None without one."""
        self.go_on()
        self._thread.join(SECONDS)
        return self.status


class EveryStoreCase(ServiceTestCase):
    """All tests of a class share the backends and the service; each leaves nothing in them."""

    shared = None

    def setUp(self):
        require_modules(self)
        kind = type(self)
        if kind.shared is None:
            backends = Backends(self)
            backends.setUp()
            kind.addClassCleanup(backends.cleanUp)
            served = Served(backends.configuration(), users=USERS)
            served.setUp()
            kind.addClassCleanup(served.cleanUp)
            kind.shared = backends, served
        self.backends, self.served = kind.shared
        super().setUp()
        self.addCleanup(self.tidy)
        self._log_before = len(self.served.log.read_text())

    def tidy(self):
        """Delete the images, and see that nothing is left and that no secret was logged."""
        self.backends.speed_up()
        for image in self.ask("admin", "GET", "/v2/images?limit=100").json()["images"]:
            self.ask("admin", "DELETE", f"/v2/images/{image['id']}", 204)
        self.nothing_is_left()
        log = self.served.log.read_text()[self._log_before :]
        for secret in self.backends.secrets():
            self.assertNotIn(secret, log)

    def nothing_is_left(self):
        """Wait until nothing is left in any store."""
        self.wait_for(lambda: not any(self.backends.left(self.served).values()), self.whats_left)

    def whats_left(self):
        return f"{self.backends.left(self.served)}\n{self.served.log.read_text()[-4000:]}"

    def ask(self, user, method, path, status=200, **arguments):
        """Return the answer, which has that status."""
        headers = {"X-Auth-Token": self.served.tokens[user], **arguments.pop("headers", {})}
        answer = requests.request(method, self.served.url + path, headers=headers, timeout=SECONDS, **arguments)
        self.assertEqual(status, answer.status_code, answer.text[:500])
        return answer

    def create(self, user="alice"):
        """Return the id of a new image."""
        body = {"name": "disk", "disk_format": "raw", "container_format": "bare"}
        return self.ask(user, "POST", "/v2/images", 201, json=body).json()["id"]

    def stored(self, store, user="alice", data=DATA):
        """Return the id of an image with data in ``store``."""
        image = self.create(user)
        headers = {**OCTETS, "X-Image-Meta-Store": store}
        self.ask(user, "PUT", f"/v2/images/{image}/file", 204, data=pieces(data), headers=headers)
        return image

    def content(self, image):
        """Return the data of an image."""
        return self.ask("alice", "GET", f"/v2/images/{image}/file").content

    def status(self, image):
        """Return the status of an image."""
        return self.ask("alice", "GET", f"/v2/images/{image}").json()["status"]

    def begin_uploads(self, stores=STORES):
        """Return image and upload by store; each store has a part of the data."""
        uploads = {store: (image := self.create(), Upload(self, image, store)) for store in stores}
        for image, upload in uploads.values():
            self.assertTrue(upload.half.wait(SECONDS), image)
        self.wait_for(lambda: all(self.backends.left(self.served)[store] for store in stores), self.whats_left)
        return uploads

    def begin_download(self, image):
        """Return an answer of which 64 KiB have been read."""
        headers = {"X-Auth-Token": self.served.tokens["alice"]}
        answer = requests.get(
            f"{self.served.url}/v2/images/{image}/file", headers=headers, stream=True, timeout=SECONDS
        )
        self.addCleanup(answer.close)
        self.assertEqual(DATA[:65536], answer.raw.read(65536))
        return answer

    def begin_copy(self, image, store):
        """Ask for a copy of an image in another store."""
        body = {"method": {"name": "copy-image"}, "stores": [store]}
        self.ask("admin", "POST", f"/v2/images/{image}/import", 202, json=body)

    def stores_of(self, image):
        """Return the stores that an image is in."""
        return set(self.ask("alice", "GET", f"/v2/images/{image}").json().get("stores", "").split(","))

    def wait_for(self, condition, failure):
        """Wait until ``condition`` returns something true; ``failure`` returns what is wrong."""
        deadline = time.monotonic() + SECONDS
        while not condition():
            self.assertLess(time.monotonic(), deadline, failure() if callable(failure) else failure)
            time.sleep(0.1)
