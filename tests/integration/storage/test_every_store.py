"""What happens to transfers of all kinds of stores when the service or a backend is killed, stopped, slow or full."""

import contextlib
import os
import signal
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
import urllib3

from glance_mini.bootstrap import open_stores
from glance_mini.conf import load
from glance_mini_store.errors import StoreError
from tests.integration.served import Served
from tests.integration.storage.every_store import (
    DATA,
    MIB,
    OCTETS,
    SECONDS,
    STORES,
    USERS,
    WRONG_KEY,
    WRONG_SECRET,
    EveryStoreCase,
)
from tests.integration.storage.own_servers import object_gateway, swift_proxy
from tests.integration.storage.vcenter import Simulator

BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
SLOW = 10 * 1024
PATIENCE = 300
RELAYED = ("s3", "swift")


class TestKilledService(EveryStoreCase):
    def test_uploads_leave_nothing(self):
        uploads = self.begin_uploads()
        self.served.kill()
        for _, upload in uploads.values():
            self.assertIsNone(upload.finish())
        self.served.start()
        self.nothing_is_left()
        for image, _ in uploads.values():
            self.wait_for(lambda image=image: self.status(image) == "queued", image)

    def test_downloads_break_and_work_after_the_next_start(self):
        images = {store: self.stored(store) for store in STORES}
        answers = {store: self.begin_download(image) for store, image in images.items()}
        self.served.kill()
        for store, answer in answers.items():
            try:
                rest = answer.raw.read()
            except BROKEN:
                continue
            self.fail(f"{store}: {len(rest)} bytes and no error")
        self.served.start()
        for store, image in images.items():
            self.assertEqual(DATA, self.content(image), store)


class TestChanges(EveryStoreCase):
    def test_stop_lets_transfers_end_and_hands_jobs_back(self):
        images = {store: self.stored(store) for store in STORES}
        uploads = self.begin_uploads()
        answers = {store: self.begin_download(image) for store, image in images.items()}
        self.backends.s3_relay.rate = MIB
        self.begin_copy(images["images"], "s3")
        self.served.process.send_signal(signal.SIGTERM)
        self.wait_for(self.refuses, "new connections are refused")
        self.backends.s3_relay.rate = None
        for store, (_, upload) in uploads.items():
            self.assertEqual(204, upload.finish(), f"{store}: {upload.text}")
        for store, answer in answers.items():
            self.assertEqual(DATA[65536:], answer.raw.read(), store)
        self.assertEqual(0, self.served.process.wait(SECONDS))
        self.served.start()
        for store, (image, _) in uploads.items():
            self.assertEqual(DATA, self.content(image), store)
        self.wait_for(lambda: "s3" in self.stores_of(images["images"]), self.whats_left)

    def refuses(self):
        try:
            requests.get(self.served.url, timeout=5)
        except requests.ConnectionError:
            return True
        return False

    def test_removed_stores_finish_what_they_have_begun(self):
        removed = ("s3", "swift", "rbd")
        images = {store: self.stored(store) for store in removed}
        uploads = self.begin_uploads(removed)
        answers = {store: self.begin_download(image) for store, image in images.items()}
        before = self.served.config_file.read_text()
        self.addCleanup(self.hang_up, before, STORES)
        kept = ("images", "vmware", "sheepdog")
        self.hang_up(f"{before}\n[DEFAULT]\nenabled_backends = images:file,vmware:vmware,sheepdog:sheepdog\n", kept)
        for store, (_, upload) in uploads.items():
            self.assertEqual(204, upload.finish(), f"{store}: {upload.text}")
            self.assertEqual(DATA[65536:], answers[store].raw.read(), store)
        self.hang_up(before, STORES)
        for store, (image, _) in uploads.items():
            self.assertEqual(DATA, self.content(image), store)

    def hang_up(self, text, stores):
        """Let the service read ``text`` and wait until it has these stores."""
        self.served.config_file.write_text(text)
        self.served.process.send_signal(signal.SIGHUP)
        self.wait_for(lambda: self.ids() == set(stores), lambda: self.served.log.read_text()[-2000:])

    def ids(self):
        return {store["id"] for store in self.ask("alice", "GET", "/v2/info/stores").json()["stores"]}


class TestBackends(EveryStoreCase):
    def relay(self, store):
        return self.backends.s3_relay if store == "s3" else self.backends.swift_relay

    def own_server(self, store):
        if store == "s3":
            return object_gateway(self.backends.ceph_conf)
        return swift_proxy(port_before=self.backends.swift_relay.server)

    def test_backend_that_is_killed_fails_transfers_and_leaves_nothing_when_it_is_back(self):
        for store in RELAYED:
            image, relay = self.stored(store), self.relay(store)
            before = relay.server
            own = self.useFixture(self.own_server(store))
            relay.server = own.port
            relay.break_all()
            uploads = self.begin_uploads([store])
            ((new, upload),) = uploads.values()
            relay.rate = MIB
            answer = self.begin_download(image)
            own.kill()
            relay.rate = None
            self.assertEqual(503, upload.finish(), f"{store}: {upload.text}")
            self.clear(upload.text)
            self.assertRaises(BROKEN, answer.raw.read)
            own.start()
            relay.server = before
            self.assertEqual(DATA, self.content(image), store)
            self.wait_for(lambda new=new: self.status(new) == "queued", new)
            self.ask("alice", "DELETE", f"/v2/images/{image}", 204)
            self.nothing_is_left()

    def test_vcenter_that_is_killed_fails_transfers_and_leaves_nothing_when_it_is_back(self):
        relay = self.backends.vcenter_relay
        simulator = self.useFixture(Simulator())
        self.addCleanup(setattr, relay, "server", relay.server)
        relay.server = int(simulator.address.rpartition(":")[2])
        relay.break_all()
        image = self.stored("vmware")
        ((new, upload),) = self.begin_uploads(["vmware"]).values()
        relay.rate = MIB
        answer = self.begin_download(image)
        simulator.kill()
        relay.rate = None
        self.assertEqual(503, upload.finish(), upload.text)
        self.clear(upload.text)
        self.assertRaises(BROKEN, answer.raw.read)
        simulator.start()
        self.wait_for(lambda: self.status(new) == "queued", new)
        # What was in the simulator has gone with it.
        self.ask("alice", "DELETE", f"/v2/images/{image}", 204)
        again = self.stored("vmware")
        self.assertEqual(DATA, self.content(again))
        self.ask("alice", "DELETE", f"/v2/images/{again}", 204)
        self.nothing_is_left()

    def test_program_of_sheepdog_that_is_killed_fails_transfers_and_leaves_nothing(self):
        image = self.stored("sheepdog")
        answer = self.begin_download(image)
        self.wait_for(self.kill_dogs, "a program reads")
        self.assertRaises(BROKEN, answer.raw.read)
        self.assertEqual(DATA, self.content(image))
        ((new, upload),) = self.begin_uploads(["sheepdog"]).values()
        (self.backends.root / "fault").write_text(f"writing {SLOW}")
        upload.go_on()
        self.wait_for(lambda: self.kill_dogs("write"), "a program writes")
        (self.backends.root / "fault").unlink()
        self.assertEqual(503, upload.finish(), upload.text)
        self.wait_for(lambda: self.status(new) == "queued", new)
        self.ask("alice", "DELETE", f"/v2/images/{image}", 204)
        self.nothing_is_left()

    def kill_dogs(self, action="read"):
        """Kill the programs that read, or write, for the store, and return how many there were."""
        killed = 0
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")
                if str(self.backends.root).encode() in words and action.encode() in words:
                    os.kill(int(process.name), signal.SIGKILL)
                    killed += 1
        return killed

    def test_slow_backends_do_not_slow_the_others(self):
        # An image of Ceph keeps its limit as long as it is open, so it gets less.
        data = {"s3": DATA, "vmware": DATA, "sheepdog": DATA, "rbd": DATA[: 16 * SLOW]}
        images, local = {store: self.stored(store, data=data[store]) for store in data}, self.stored("images")
        alone = self.measure(local)
        self.backends.slow_down(SLOW)
        with ThreadPoolExecutor(2 * len(data)) as slow:
            uploads = {store: slow.submit(self.upload, self.create(), store, data[store]) for store in data}
            downloads = {store: slow.submit(self.patiently, "GET", image) for store, image in images.items()}
            self.begin_copy(local, "s3")
            try:
                beside = self.measure(local)
                ended = [each for each in (*uploads.items(), *downloads.items()) if each[1].done()]
            finally:
                self.backends.speed_up()
            for store, content in data.items():
                self.assertEqual(content, downloads[store].result(PATIENCE).content, store)
                self.assertEqual(content, self.content(uploads[store].result(PATIENCE)), store)
        self.assertEqual([], ended)
        # Beside nine other transfers of the same process, but not at their rate: that would be half an hour.
        self.assertLess(beside, 4 * alone + 2)
        self.wait_for(lambda: "s3" in self.stores_of(local), self.whats_left)

    def upload(self, image, store, data):
        """Upload to a store and return the image."""
        answer = self.patiently("PUT", image, data=data, headers={**OCTETS, "X-Image-Meta-Store": store})
        self.assertEqual(204, answer.status_code, answer.text)
        return image

    def patiently(self, method, image, headers=(), **arguments):
        """Return an answer that takes long."""
        headers = {"X-Auth-Token": self.served.tokens["alice"], **dict(headers)}
        address = f"{self.served.url}/v2/images/{image}/file"
        return requests.request(method, address, headers=headers, timeout=PATIENCE, **arguments)

    def measure(self, local):
        """Return how long uploads, downloads, an import and a look at the stores take where no store is slow."""
        started = time.monotonic()
        for store in ("swift", "images"):
            image = self.stored(store)
            self.assertEqual(DATA, self.content(image))
        copied = self.stored("swift")
        self.begin_copy(copied, "images")
        self.wait_for(lambda: "images" in self.stores_of(copied), self.whats_left)
        self.ask("admin", "GET", "/v2/info/stores/detail")
        self.assertEqual(200, requests.get(f"{self.served.url}/healthcheck", timeout=SECONDS).status_code)
        return time.monotonic() - started

    def test_full_backend_is_413_and_leaves_nothing(self):
        quota = "X-Container-Meta-Quota-Bytes"
        self.backends.account.request("POST", self.backends.container, headers={quota: str(MIB // 2)})
        self.addCleanup(self.backends.account.request, "POST", self.backends.container, headers={quota: ""})
        (self.backends.root / "fault").write_text("writing full")
        for store in ("s3", "swift", "sheepdog"):
            with contextlib.ExitStack() as quotas:
                if store == "s3":
                    quotas.enter_context(self.gateway_quota("bucket"))
                self.refused(store, 413, data=DATA)
                if store != "swift":
                    # Swift compares a quota with announced lengths, and this has none.
                    self.refused(store, 413)
            self.nothing_is_left()
        with self.gateway_quota("user"):
            self.refused("s3", 413, data=DATA)
            self.nothing_is_left()

    @contextlib.contextmanager
    def gateway_quota(self, scope):
        """Allow 2 MiB to the user of s3, in each bucket or in all."""
        self.backends.gateway_admin("quota", "set", "--quota-scope", scope, "--max-size", str(2 * MIB))
        self.backends.gateway_admin("quota", "enable", "--quota-scope", scope)
        try:
            yield
        finally:
            self.backends.gateway_admin("quota", "disable", "--quota-scope", scope)

    def test_missing_bucket_and_container_are_503(self):
        self.backends.s3.delete_bucket(Bucket=self.backends.bucket)
        self.backends.account.request("DELETE", self.backends.container)
        try:
            for store in RELAYED:
                self.refused(store, 503)
        finally:
            self.backends.s3.create_bucket(Bucket=self.backends.bucket)
            self.backends.account.request("PUT", self.backends.container)

    def test_wrong_credentials_stop_the_start_or_leave_the_store_unavailable_and_are_not_told(self):
        wrong = self.backends.wrong_credentials(self)
        before = self.served.config_file.read_text()
        file = self.backends.root / "wrong.conf"
        for store, (named, sections) in wrong.items():
            chosen = f"[DEFAULT]\nenabled_backends = {store}:{store}\n[glance_store]\ndefault_backend = {store}\n"
            file.write_text(before + sections + chosen)
            error = self.assertRaises(StoreError, open_stores, load(files=[file]))
            self.assertIn(named, str(error))
            self.not_told(str(error))
        stores = ",".join(f"{store}:{store}" for store in wrong)
        sections = "".join(f"{each}optional = true\n" for _, each in wrong.values())
        with Served(
            f"{self.backends.configuration()}{sections}[DEFAULT]\nenabled_backends = images:file,{stores}\n",
            users=USERS,
        ) as served:
            self.served, ours = served, self.served
            try:
                for store in wrong:
                    self.refused(store, 503, data=DATA[:MIB])
                    self.assertIn(f"optional store {store} (driver {store}) is unavailable", served.log.read_text())
            finally:
                self.served = ours
            self.not_told(served.log.read_text())

    def not_told(self, text):
        self.clear(text)
        self.assertNotIn(WRONG_SECRET, text)
        self.assertNotIn(WRONG_KEY, text)

    def refused(self, store, status, data=None):
        """An upload is answered with this status, for a reason without a secret, and the image is queued again."""
        image = self.create()
        headers = {**OCTETS, "X-Image-Meta-Store": store}
        body = data or (DATA[start : start + MIB] for start in range(0, len(DATA), MIB))
        answer = self.ask("alice", "PUT", f"/v2/images/{image}/file", status, data=body, headers=headers)
        self.not_told(answer.text)
        self.wait_for(lambda: self.status(image) == "queued", image)

    def clear(self, text):
        for secret in self.backends.secrets():
            self.assertNotIn(secret.strip(), text)

    def test_nobody_takes_the_data_of_another_tenant_as_a_location(self):
        for store in STORES:
            theirs = self.stored(store, "bob", DATA[:MIB])
            (location,) = self.ask("admin", "GET", f"/v2/images/{theirs}").json()["locations"]
            image = self.create()
            path = f"/v2/images/{image}/locations"
            answer = self.ask("alice", "POST", path, 403, json={"url": location["url"]})
            self.clear(answer.text)
            self.assertEqual("queued", self.status(image))
            self.ask("alice", "DELETE", f"/v2/images/{image}", 204)
            self.assertEqual(DATA[:MIB], self.ask("bob", "GET", f"/v2/images/{theirs}/file").content, store)

    def test_copies_pass_once_and_through_no_file(self):
        for source, target in (
            ("images", "s3"),
            ("s3", "swift"),
            ("swift", "rbd"),
            ("rbd", "vmware"),
            ("vmware", "s3"),
        ):
            image = self.stored(source)
            relays = [self.relay(store) for store in (source, target) if store in RELAYED]
            received = self.relay(source).received if source in RELAYED else None
            before = self.spooled()
            for relay in relays:
                relay.rate = 4 * MIB
            self.begin_copy(image, target)
            self.wait_for(lambda target=target: self.backends.left(self.served)[target], self.whats_left)
            most = before
            while target not in self.stores_of(image):
                most = max(most, self.spooled())
            self.assertLess(most - before, MIB, (source, target))
            if received is not None:
                self.assertLess(self.relay(source).received - received, 1.1 * len(DATA), (source, target))
            for relay in relays:
                relay.rate = None
            self.ask("alice", "DELETE", f"/v2/images/{image}", 204)
            self.nothing_is_left()

    def spooled(self):
        """Return the bytes in files of the service that are no data of its stores, and in open files without a name."""
        root = self.served.root
        sizes = [
            path.stat().st_size
            for path in root.rglob("*")
            if path.is_file() and "images" not in path.parts and ".db" not in path.name and path != self.served.log
        ]
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.getpgid(int(process.name)) == self.served.process.pid:
                    sizes += [opened(each) for each in (process / "fd").iterdir()]
            except OSError:
                continue
        return sum(sizes)


def opened(descriptor):
    """Return the size of a file that is open and was removed, 0 for anything else."""
    status = os.stat(descriptor)
    return status.st_size if stat.S_ISREG(status.st_mode) and not status.st_nlink else 0
