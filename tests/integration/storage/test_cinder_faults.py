"""What the ``cinder`` driver does when something goes wrong, on a real Cinder, and what it leaves to others."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import fixtures
import requests

from glance_mini_store import errors
from glance_mini_store.caller import Caller
from glance_mini_store.drivers.cinder.draft import Draft
from glance_mini_store.testing.content import MIB, new_name, pattern, pieces
from tests.integration.storage.cinder_volumes import CinderTestCase, Project, VolumeType
from tests.integration.storage.tcp_proxy import TcpProxy
from tests.ports import free_port

GIB = 1024 * MIB
DATA = pattern(3 * MIB + 17)
STEPS = {
    "make": re.compile(rb"POST /v3/[^/]+/volumes HTTP"),
    "wait": re.compile(rb"GET /v3/[^/]+/volumes/[0-9a-f-]{36} HTTP"),
    "claim": re.compile(rb"POST /v3/[^/]+/volumes/[^/]+/metadata HTTP"),
    "attach": re.compile(rb"POST /v3/[^/]+/attachments HTTP"),
    "complete": re.compile(rb"POST /v3/[^/]+/attachments/[^/]+/action HTTP"),
    "grow": re.compile(rb"POST /v3/[^/]+/volumes/[^/]+/action HTTP"),
    "detach": re.compile(rb"DELETE /v3/[^/]+/attachments/"),
    "publish": re.compile(rb"POST /v3/[^/]+/volumes/[^/]+/metadata HTTP"),
}
"""The requests of a write by what they are for."""

NO_USER = {f"cinder_store_{name}": None for name in ("user_name", "password", "project_name")}


class FaultCase(CinderTestCase):
    def content(self, driver, location, offset=0, length=None):
        return b"".join(driver.read(location, offset, length))

    def write(self, driver):
        """Return the location of new data."""
        return driver.write(new_name(), pieces(DATA), len(DATA)).location

    def volume_id(self, location):
        return location.rpartition("/")[2]


class TestConfigurations(FaultCase):
    def refusal(self, **options):
        text = str(self.assertRaises(errors.BadStoreConfiguration, self.new_driver(**options).check))
        self.assertNotIn("mistaken", text)
        return text

    def test_wrong_password_stops_the_start_and_is_not_shown(self):
        text = self.refusal(cinder_store_password="mistaken")
        self.assertIn("cinder_store_password: the authentication service refuses", text)

    def test_wrong_password_of_a_running_store_makes_it_unavailable(self):
        driver = self.new_driver(cinder_store_password="mistaken")
        for call in (driver.probe, driver.names, lambda: driver.write("x", [b"1"]), lambda: driver.discard("x")):
            text = str(self.assertRaises(errors.RemoteServiceUnavailable, call))
            self.assertNotIn("mistaken", text)

    def test_missing_volume_type_stops_the_start_and_fails_uploads(self):
        self.assertIn("there is no volume type 'absent'", self.refusal(cinder_volume_type="absent"))
        driver = self.new_driver(cinder_volume_type="absent")
        self.assertRaises(errors.StoreError, driver.write, new_name(), [b"1"])
        self.assertEqual([], self.volume_names())

    def test_missing_entry_in_the_catalog_is_named(self):
        driver = self.new_driver(cinder_catalog_info="volumev9::publicURL")
        text = str(self.assertRaises(errors.RemoteServiceUnavailable, driver.check))
        self.assertIn("the catalog has no Cinder", text)

    def test_missing_key_of_ceph_is_named_and_leaves_nothing(self):
        driver = self.new_driver(cinder_rbd_keyring="/nowhere/keyring")
        text = str(self.assertRaises(errors.RemoteServiceUnavailable, driver.write, new_name(), [b"1"]))
        self.assertIn("the Ceph key /nowhere/keyring cannot be read: No such file", text)
        self.assertEqual([], self.volume_names())

    def test_wrong_key_of_ceph_is_not_shown_and_leaves_nothing(self):
        key = "AQAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAA=="
        path = Path(self.useFixture(fixtures.TempDir()).path) / "keyring"
        path.write_text(f"[client.{self.ceph['TEST_RBD_USER']}]\nkey = {key}\n")
        log = self.useFixture(fixtures.FakeLogger())
        driver = self.new_driver(cinder_rbd_keyring=str(path))
        error = self.assertRaises(errors.RemoteServiceUnavailable, driver.write, new_name(), [b"1"])
        self.assertNotIn(key, f"{error}{log.output}")
        self.assertEqual([], self.volume_names())

    def test_application_credential_takes_the_place_of_user_and_project(self):
        glance = Project(self.cinder, "glance", "service")
        access = glance.session.auth.get_access(glance.session)
        url = f"{self.cinder['TEST_KEYSTONE_URL']}/users/{access.user_id}/application_credentials"
        body = {"application_credential": {"name": new_name()}}
        made = glance.session.post(url, json=body).json()["application_credential"]
        self.addCleanup(glance.session.delete, f"{url}/{made['id']}")
        driver = self.new_driver(
            **NO_USER,
            cinder_store_application_credential_id=made["id"],
            cinder_store_application_credential_secret=made["secret"],
        )
        driver.check()
        location = self.write(driver)
        self.assertEqual(DATA, self.content(self.new_driver(), location))


class TestSecrets(FaultCase):
    def test_no_key_and_no_token_is_logged_or_left_in_a_file(self):
        folder = self.useFixture(fixtures.TempDir()).path
        self.useFixture(fixtures.MonkeyPatch("tempfile.tempdir", folder))
        self.assertEqual(folder, tempfile.gettempdir())
        log = self.useFixture(fixtures.FakeLogger(level=0))
        driver = self.new_driver()
        left = []

        def source():
            yield DATA
            left.extend(os.listdir(folder))

        location = driver.write(new_name(), source()).location
        self.content(driver, location)
        driver.close()
        key = Path(self.ceph["TEST_RBD_KEYRING"]).read_text().partition("key = ")[2].strip()
        token = driver._own._plugin.get_access(Project(self.cinder, "glance", "service").session).auth_token
        for secret in (key, token[:12]):
            self.assertTrue(secret)
            self.assertNotIn(secret, log.output)
        self.assertEqual(([], []), (left, os.listdir(folder)))


class TestProjects(FaultCase):
    def test_volume_of_another_project_is_not_found_and_refused_to_an_administrator(self):
        alice = Project(self.cinder, "alice", "demo")
        volume = alice.client.volumes.create(1, metadata={"image_size": "5"})
        self.addCleanup(alice.begin_to_remove, volume.id)
        admin = self.new_driver(cinder_store_user_name="cinder")
        for driver, expected in ((self.new_driver(), errors.NotFound), (admin, errors.Forbidden)):
            for call in (driver.read, driver.size, driver.delete):
                self.assertRaises(expected, call, f"cinder://{volume.id}")
        self.assertEqual(volume.id, alice.client.volumes.get(volume.id).id)

    def test_without_credentials_volumes_belong_to_the_project_of_the_user(self):
        driver = self.new_driver(**NO_USER)
        driver.check()
        alice, bob = Project(self.cinder, "alice", "demo"), Project(self.cinder, "bob", "other")
        for_alice = driver.for_caller(Caller(alice.id, None, (), alice.token))
        name = new_name()
        location = for_alice.write(name, [DATA]).location
        self.addCleanup(alice.begin_to_remove, self.volume_id(location))
        self.assertEqual(
            ([f"image-{name}"], []), ([each.name for each in alice.volumes(self.store_id)], self.volumes())
        )
        self.assertEqual(alice.id, alice.client.volumes.get(self.volume_id(location)).metadata["image_owner"])
        self.assertEqual(DATA, self.content(for_alice, location))
        self.assertRaises(errors.StorageWriteDenied, driver.size, location)
        for_bob = driver.for_caller(Caller(bob.id, None, (), bob.token))
        self.assertRaises(errors.NotFound, for_bob.size, location)
        mistaken = driver.for_caller(Caller(alice.id, None, (), "mistaken"))
        error = self.assertRaises(errors.StoreError, mistaken.size, location)
        self.assertNotIn("mistaken", str(error))
        driver.close()
        for_alice.delete(location)
        self.assertEqual([], alice.volumes(self.store_id))

    def test_full_quota_is_told_and_leaves_nothing(self):
        kind = self.volume_type.name
        project = self.admin.id
        admin = Project(self.cinder, "cinder", "service").client

        def allow(gib):
            admin.quotas.update(project, **{f"gigabytes_{kind}": gib})

        self.addCleanup(allow, -1)
        allow(2)
        driver = self.new_driver()
        error = self.assertRaises(errors.StorageFull, driver.write, new_name(), [DATA], 3 * GIB)
        self.assertIn("quota", str(error).lower())
        with grown_to(2 * GIB):
            self.assertRaises(errors.StorageFull, driver.write, new_name(), [DATA])
        self.assertEqual([], self.volume_names())


@contextlib.contextmanager
def grown_to(size, name=None):
    """Let drafts (of ``name``) behave as if so many bytes had been written before the first chunk; volumes are thin."""

    def append(draft, chunk):
        if name in (None, draft._marks.name):
            draft.received = max(draft.received, size)
        original(draft, chunk)

    original = Draft.append
    with mock.patch.object(Draft, "append", append):
        yield


class TestVolumes(FaultCase):
    """What others see of volumes, and do with them."""

    def test_volume_tells_the_image(self):
        driver = self.new_driver().for_caller(Caller("owner"))
        name = new_name()
        location = driver.write(name, [DATA]).location
        (volume,) = self.volumes()
        self.assertEqual(f"cinder://{self.store_id}/{volume.id}", location)
        self.assertEqual((f"image-{name}", 1, "available"), (volume.name, volume.size, volume.status))
        self.assertEqual(("owner", str(len(DATA))), (volume.metadata["image_owner"], volume.metadata["image_size"]))
        self.assertEqual(self.volume_type.name, volume.volume_type)

    def test_draft_cannot_be_used_by_either_form(self):
        driver = self.new_driver()
        seen = []

        def source():
            yield DATA
            (volume,) = self.volumes()
            for location in (f"cinder://{volume.id}", f"cinder://{self.store_id}/{volume.id}"):
                calls = (driver.read, driver.size, driver.delete)
                seen.extend(self.assertRaises(errors.NotFound, call, location) for call in calls)

        driver.write(new_name(), source())
        self.assertEqual(6, len(seen))

    def test_volume_of_unknown_size_grows_where_it_is_attached_and_where_it_is_not(self):
        for attached in (False, True):
            driver = self.new_driver(cinder_do_extend_attached=attached)
            with grown_to(2 * GIB - 1):
                written = driver.write(new_name(), pieces(DATA))
            self.assertEqual(2 * GIB - 1 + len(DATA), written.size)
            self.assertEqual(b"\0" + DATA, self.content(driver, written.location, 2 * GIB - 2))
            self.assertEqual(3, self.admin.client.volumes.get(self.volume_id(written.location)).size)

    def test_volume_with_a_snapshot_is_not_deleted(self):
        driver = self.new_driver()
        location = self.write(driver)
        self.admin.client.volume_snapshots.create(self.volume_id(location))
        self.assertRaises(errors.HasSnapshot, driver.delete, location)
        self.assertEqual(DATA, self.content(driver, location))

    def test_volume_that_others_have_attached_is_not_deleted(self):
        driver = self.new_driver()
        location = self.write(driver)
        connector = {"host": "elsewhere", "ip": "192.0.2.1", "mountpoint": "/dev/vdb"}
        attachment = self.admin.client.attachments.create(self.volume_id(location), connector, mode="ro")
        self.admin.client.attachments.complete(attachment["id"])
        self.assertRaises(errors.InUseByStore, driver.delete, location)
        # It can be read all the same.
        self.assertEqual(DATA, self.content(driver, location))

    def test_volume_that_cinder_made_is_read_by_its_size(self):
        volume = self.admin.client.volumes.create(1, metadata={"image_size": "5", "glance_mini.store": self.store_id})
        driver = self.new_driver()
        driver._cinder().available(volume.id, "")
        self.assertEqual(bytes(5), self.content(driver, f"cinder://{volume.id}"))
        driver.delete(f"cinder://{volume.id}")
        self.assertEqual([], self.volumes())

    def test_reader_that_was_killed_is_not_in_the_way(self):
        single = self.useFixture(VolumeType(self.admin, multiattach=False))
        driver = self.new_driver(cinder_volume_type=single.name)
        location = self.write(driver)
        ready, told = os.pipe()
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                reader = driver.read(location, 0, 4 * MIB)
                os.write(told, b"x")
                time.sleep(60)
                reader.close()
            os._exit(1)
        self.assertEqual(b"x", os.read(ready, 1))
        hasty = self.new_driver(cinder_attachment_retry_attempts=2)
        error = self.assertRaises(errors.RemoteServiceUnavailable, hasty.read, location)
        self.assertIn("Cinder refuses", str(error))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        self.assertEqual(DATA, self.content(driver, location))


class OwnApi(fixtures.Fixture):
    """Another process of the API of the real Cinder, on a port of its own; ``template`` is its URL."""

    def __init__(self, home):
        super().__init__()
        self._home = Path(home)
        self._port = free_port()
        self.template = f"http://127.0.0.1:{self._port}/v3/%(project_id)s"

    def _setUp(self):
        folder = Path(self.useFixture(fixtures.TempDir()).path)
        lines = ['wsgi_app = "cinder.wsgi.api:application"', f'bind = "127.0.0.1:{self._port}"', "workers = 1"]
        (folder / "gunicorn.conf.py").write_text("\n".join(lines))
        with open(folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                [self._home / "venv" / "bin" / "gunicorn"],
                cwd=folder,
                env={**os.environ, "HOME": str(self._home)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.addCleanup(self.kill)
        deadline = time.monotonic() + 60
        while True:
            try:
                requests.get(f"http://127.0.0.1:{self._port}/healthcheck", timeout=30).raise_for_status()
                return
            except requests.RequestException as error:
                if time.monotonic() > deadline:
                    raise AssertionError((folder / "log").read_text()) from error
                time.sleep(0.2)

    def kill(self):
        """Kill it."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class TestConnections(FaultCase):
    def proxied(self, **options):
        """Return a proxy to the API, and a driver behind it."""
        host = self.cinder["TEST_CINDER_URL"].partition("://")[2].partition("/")[0]
        proxy = self.useFixture(TcpProxy(host))
        template = f"http://{proxy.address}/v3/%(project_id)s"
        return proxy, self.new_driver(cinder_endpoint_template=template, cinder_http_retries=1, **options)

    def test_api_that_is_killed_in_the_middle_of_an_upload_leaves_nothing_readable(self):
        home = self.cinder.get("TEST_CINDER_HOME", "")
        if not Path(home, "venv").is_dir():
            self.lacks("this Cinder was not started by the script")
        api = self.useFixture(OwnApi(home))
        driver = self.new_driver(cinder_endpoint_template=api.template, cinder_http_retries=1)
        name = new_name()

        def source():
            yield DATA
            api.kill()
            yield DATA

        error = self.assertRaises(errors.RemoteServiceUnavailable, driver.write, name, source())
        self.assertIn("does not answer", str(error))
        (volume,) = self.volumes()
        whole = self.new_driver()
        self.assertRaises(errors.NotFound, whole.size, f"cinder://{volume.id}")
        self.assertRaises(errors.Duplicate, whole.write, name, [DATA])
        whole.discard(name)
        self.assertEqual([], self.volumes())

    def test_api_that_is_away_for_a_moment_is_asked_again(self):
        proxy, driver = self.proxied()

        def source():
            yield DATA
            # Connections that are kept open break; new ones are made.
            proxy.go_down()
            proxy.come_back()

        location = driver.write(new_name(), source()).location
        self.assertEqual(DATA, self.content(self.new_driver(), location))

    def test_every_step_of_a_write_that_fails_leaves_no_volume(self):
        cases = {step: (new_name(), *self.proxied()) for step in STEPS}

        def failed(step):
            name, proxy, driver = cases[step]
            if step in ("grow", "publish"):
                # The first change of the metadata takes the volume, the second publishes it.
                source = self.refusing_later(proxy, STEPS[step])
            else:
                proxy.refuse, source = STEPS[step], iter([DATA])
            error = self.assertRaises(errors.StoreError, driver.write, name, source)
            return proxy.refused, errors.has_leftovers(error)

        with grown_to(GIB, cases["grow"][0]), ThreadPoolExecutor(len(cases)) as pool:
            found = dict(zip(cases, pool.map(failed, cases), strict=True))
        self.assertEqual(dict.fromkeys(STEPS, (1, False)), found)
        self.assertEqual([], self.volumes())

    def refusing_later(self, proxy, pattern):
        proxy.refuse = pattern
        yield DATA

    def test_volume_is_found_whose_answer_was_lost(self):
        proxy, driver = self.proxied()
        driver.check()
        proxy.lose_answer_to = f"POST /v3/{self.admin.id}/volumes HTTP".encode()
        location = driver.write(new_name(), [DATA]).location
        self.assertEqual((1, 1), (proxy.lost, len(self.volumes())))
        self.assertEqual(DATA, self.content(driver, location))

    def test_api_that_says_nothing_is_given_up_in_time(self):
        proxy, driver = self.proxied(cinder_http_timeout=1)
        # Keystone has given a token already: it may take longer than that.
        known = self.new_driver()
        known.check()
        driver._own._plugin = known._own._plugin
        proxy.hold()
        self.addCleanup(proxy.release)
        began = time.monotonic()
        self.assertRaises(errors.RemoteServiceUnavailable, driver.size, f"cinder://{uuid.uuid4()}")
        self.assertTrue(proxy.held.is_set())
        self.assertLess(time.monotonic() - began, 10)
