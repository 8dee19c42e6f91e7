"""What happens to transfers of all kinds of stores when the service or a backend is killed, stopped, slow or full."""

import os
import signal
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
import urllib3

from tests.integration.storage.every_store import (
    DATA,
    MIB,
    OCTETS,
    SECONDS,
    STORES,
    EveryStoreCase,
)
from tests.integration.storage.own_servers import object_gateway, swift_proxy

BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
SLOW = 10 * 1024
PATIENCE = 300
RELAYED = ("s3", "swift")
PAIRS = (("images", "s3"), ("s3", "swift"), ("swift", "rbd"), ("rbd", "vmware"), ("vmware", "s3"))


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

    def test_slow_backend_does_not_slow_the_others(self):
        image, local = self.stored("s3"), self.stored("images")
        alone = self.measure(local)
        self.backends.s3_relay.rate = SLOW
        with ThreadPoolExecutor(4) as slow:
            uploads = [slow.submit(self.upload, self.create()) for _ in range(3)]
            download = slow.submit(self.patiently, "GET", image)
            self.begin_copy(local, "s3")
            try:
                beside = self.measure(local)
                is_busy = not any(each.done() for each in (*uploads, download))
            finally:
                self.backends.s3_relay.rate = None
            self.assertEqual(DATA, download.result(PATIENCE).content)
            for upload in uploads:
                self.assertEqual(DATA, self.content(upload.result(PATIENCE)))
        self.assertTrue(is_busy)
        # Beside five other transfers of the same process, but not at their rate: that would be half an hour.
        self.assertLess(beside, 4 * alone + 2)
        self.wait_for(lambda: "s3" in self.stores_of(local), self.whats_left)

    def upload(self, image):
        """Upload to the store s3 and return the image."""
        answer = self.patiently("PUT", image, data=DATA, headers={**OCTETS, "X-Image-Meta-Store": "s3"})
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
        for store in ("swift", "rbd", "images"):
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
        self.backends.gateway_admin("quota", "set", "--quota-scope", "bucket", "--max-size", str(2 * MIB))
        self.backends.gateway_admin("quota", "enable", "--quota-scope", "bucket")
        self.addCleanup(self.backends.gateway_admin, "quota", "disable", "--quota-scope", "bucket")
        (self.backends.root / "fault").write_text("writing full")
        self.addCleanup((self.backends.root / "fault").unlink)
        for store in ("s3", "swift", "sheepdog"):
            self.refused(store, 413, data=DATA)
            if store != "swift":
                # Swift compares a quota with announced lengths, and this has none.
                self.refused(store, 413)
        self.nothing_is_left()

    def test_missing_bucket_and_container_are_503(self):
        self.backends.s3.delete_bucket(Bucket=self.backends.bucket)
        self.backends.account.request("DELETE", self.backends.container)
        try:
            for store in RELAYED:
                self.refused(store, 503)
        finally:
            self.backends.s3.create_bucket(Bucket=self.backends.bucket)
            self.backends.account.request("PUT", self.backends.container)

    def refused(self, store, status, data=None):
        """An upload is answered with this status, for a reason without a secret, and the image is queued again."""
        image = self.create()
        headers = {**OCTETS, "X-Image-Meta-Store": store}
        body = data or (DATA[start : start + MIB] for start in range(0, len(DATA), MIB))
        answer = self.ask("alice", "PUT", f"/v2/images/{image}/file", status, data=body, headers=headers)
        self.clear(answer.text)
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
