"""The whole service with its data in Ceph: what clients send and get by HTTP is what lies in the pool."""

import hashlib
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import requests

from benchmarks import processes
from glance_mini_store.buffers import TRANSFER
from glance_mini_store.testing.content import pattern, pieces
from tests.functional.faults import workers_of
from tests.functional.test_memory import Gauge
from tests.http_server.running import eventually
from tests.integration.served import Served
from tests.integration.storage.ceph import Pools
from tests.integration.storage.rbd_case import MIB, Images, RbdTestCase, configuration


class TestService(RbdTestCase):
    """One process, short leases."""

    def start(self) -> None:
        """Start the service on the pools of the class."""
        self.service = self.useFixture(Served(configuration(self.ceph), users={"alice": ("demo", "member")}))
        self.images = Images(self.service)

    def new_image(self, data: bytes) -> str:
        """Return an image with data."""
        image = self.images.create()
        self.assertEqual(204, self.images.upload(image, pieces(data)).status_code)
        return image

    def assert_freed(self, image: str) -> None:
        """Wait until the image has neither data nor status of an upload, and the pool nothing of it."""
        eventually(lambda: self.images.show(image)["status"] == "queued", "the image is queued again")
        self.assertEqual(204, self.images.download(image).status_code)
        self.assertEqual([], self.ceph.images())

    def test_image_is_uploaded_read_in_ranges_and_deleted(self) -> None:
        self.start()
        data = b"".join(bytes([number]) * MIB for number in range(1, 20))
        image = self.images.create()
        sent = self.images.upload(image, iter([data[: 5 * MIB], data[5 * MIB :]]))
        self.assertEqual(204, sent.status_code, sent.text)
        shown = self.images.show(image)
        self.assertEqual(("active", len(data)), (shown["status"], shown["size"]))
        self.assertEqual(hashlib.sha512(data).hexdigest(), shown["os_hash_value"])
        fsid = self.ceph.admin.get_fsid()
        self.assertRegex(shown["direct_url"], f"^rbd://{fsid}/{self.ceph.name}/{shown['id']}[^/]*/snap$")
        name = shown["direct_url"].split("/")[-2]
        self.assertEqual(data, self.images.download(image).content)
        part = self.images.download(image, headers={"Range": f"bytes={3 * MIB - 1}-{7 * MIB}"})
        self.assertEqual((206, data[3 * MIB - 1 : 7 * MIB + 1]), (part.status_code, part.content))
        self.ceph.rbd.RBD().clone(self.ceph.pool, name, "snap", self.ceph.pool, "clone")
        self.assertEqual(409, self.images.delete(image))
        self.assertEqual(data, self.images.download(image).content)
        self.ceph.rbd.RBD().remove(self.ceph.pool, "clone")
        self.assertEqual(204, self.images.delete(image))
        self.assertEqual([], self.ceph.images())
        self.assertNotIn("Traceback", self.service.log.read_text())

    def test_service_that_is_killed_in_an_upload_leaves_nothing_readable_and_nothing_in_the_pool(self) -> None:
        self.start()
        image = self.images.create()

        def source() -> Iterator[bytes]:
            yield from pieces(pattern(24 * MIB))
            eventually(lambda: self.ceph.data_objects(), "data came to the pool")
            self.service.kill()
            yield from pieces(bytes(64 * MIB))

        with self.assertRaises(requests.RequestException):
            self.images.upload(image, source())
        (name,) = self.ceph.rbd.RBD().list(self.ceph.pool)
        with self.ceph.image(name) as draft:
            self.assertEqual([], list(draft.list_snaps()))
        self.service.start()
        self.assertNotEqual("active", self.images.show(image)["status"])
        self.assert_freed(image)
        self.assertEqual(204, self.images.upload(image, b"data").status_code)

    def test_worker_that_is_killed_in_an_upload_leaves_nothing_in_the_pool(self) -> None:
        self.start()
        image = self.images.create()

        def source() -> Iterator[bytes]:
            yield from pieces(pattern(24 * MIB))
            eventually(lambda: self.ceph.data_objects(), "data came to the pool")
            for worker in workers_of(self.service):
                os.kill(worker, signal.SIGKILL)
            yield from pieces(bytes(64 * MIB))

        with self.assertRaises(requests.RequestException):
            self.images.upload(image, source())
        self.assert_freed(image)

    def test_service_that_is_killed_in_a_download_breaks_it_off_and_serves_the_image_again(self) -> None:
        self.start()
        data = pattern(64 * MIB)
        image = self.new_image(data)
        answer = self.images.download(image, stream=True)
        blocks = answer.iter_content(MIB)
        got = next(blocks)
        self.service.kill()
        with self.assertRaises(requests.RequestException):
            for block in blocks:
                got += block
        self.assertEqual(data[: len(got)], got)
        self.service.start()
        self.assertEqual(data, self.images.download(image).content)
        self.assertEqual(204, self.images.delete(image))
        self.assertEqual([], self.ceph.images())

    def test_memory_of_sixteen_transfers_at_once_is_that_of_their_shares_and_requests(self) -> None:
        self.start()
        data = pattern(48 * MIB)
        images = [self.new_image(data) for _ in range(2)]
        before = max(processes.own_pss_mib(pid) for pid in processes.tree(self.service.process.pid))
        gauge = self.useFixture(Gauge(self.service))

        def transfer(number: int) -> bool:
            client = Images(self.service)
            if number % 2:
                return client.download(images[number % 4 // 2]).content == data
            return client.upload(client.create(), pieces(data)).status_code == 204

        with ThreadPoolExecutor(16) as pool:
            self.assertEqual({True}, set(pool.map(transfer, range(16))))
        # The first uploads, one a processor, get four blocks in place of one; threads and allocators take the rest.
        shares = (16 + 3 * (os.cpu_count() or 1)) * TRANSFER // MIB
        # What requests in flight borrow is in the budget, of which half stays free; each transfer has 1 MiB of its own.
        in_flight, rest = min(16 * 8, 128) + 16, 24
        self.assertLess(gauge.peak - before, shares + in_flight + rest)

    def test_full_pool_is_413_and_leaves_nothing(self) -> None:
        """Ceph notices a quota with a delay, so the first upload may be too early."""
        pools = self.useFixture(Pools(self.ceph.conf))
        images = self.serve(pools)
        pools.command("osd pool set-quota", pool=pools.name, field="max_bytes", val="4096")
        statuses = []

        def is_refused() -> bool:
            image = images.create()
            statuses.append(images.upload(image, pattern(MIB)).status_code)
            if statuses[-1] != 204:
                self.assertEqual("queued", images.show(image)["status"])
            return statuses[-1] != 204

        eventually(is_refused, "an upload was refused")
        self.assertEqual(413, statuses[-1])
        self.assertEqual(len(statuses) - 1, len(pools.rbd.RBD().list(pools.pool)))

    def test_pool_that_is_removed_is_503_and_data_there_is_not_called_missing(self) -> None:
        pools = self.useFixture(Pools(self.ceph.conf))
        images = self.serve(pools)
        image, other = images.create(), images.create()
        self.assertEqual(204, images.upload(image, b"data").status_code)
        pools.command("osd pool delete", pool=pools.name, pool2=pools.name, yes_i_really_really_mean_it=True)
        self.assertEqual(503, images.upload(other, b"data").status_code)
        self.assertEqual("queued", images.show(other)["status"])
        self.assertEqual(503, images.download(image).status_code)

    def test_key_that_is_wrong_since_the_start_is_503_and_is_not_told(self) -> None:
        key = "AQAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAA=="
        keyring = f"[client.{self.ceph.name}]\nkey = {key}\n".encode()
        conf = self.ceph.new_user(self.ceph.name, self.ceph.may, keyring)
        options = (
            configuration(self.ceph).replace(self.ceph.user_conf, conf).replace("ceph:rbd", "ceph:rbd,other:memory")
        )
        options = options.replace("default_backend = ceph", "default_backend = other") + "optional = true\n"
        service = self.useFixture(Served(options, users={"alice": ("demo", "member")}))
        images = Images(service)
        image = images.create()
        images.http.headers["X-Image-Meta-Store"] = "ceph"
        answer = images.upload(image, b"data")
        self.assertEqual(503, answer.status_code, answer.text)
        self.assertEqual("queued", images.show(image)["status"])
        log = service.log.read_text()
        self.assertIn(f"Ceph refuses the user client.{self.ceph.name}", log)
        for text in (answer.text, log):
            self.assertNotIn(key, text)

    def serve(self, pools: Pools) -> Images:
        """Return the images of another service, which is on other pools."""
        return Images(self.useFixture(Served(configuration(pools), users={"alice": ("demo", "member")})))
