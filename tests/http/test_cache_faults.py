"""What a cache does when something fails: damaged files, a full disk, failing stores, kills, a moved clock."""

import errno
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace

import fixtures

from glance_mini.bootstrap import open_cache_keeper
from glance_mini.cache.catalog import Catalog
from glance_mini.cache.directory import CacheDirectory
from glance_mini.cache.node import ImageCache
from glance_mini.cache.source import Source, name_of
from glance_mini.operations.records import LoadImage, SetStatus
from glance_mini_store.errors import StoreError
from tests.functional.test_faults_disk import SmallDisk
from tests.http.test_cache import MIB, CacheTest
from tests.http_server.running import eventually

LONG_AGO = 10 * 365 * 86_400


def flip(path, position):
    """Flip a bit of a file."""
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1]))


class TestDamage(CacheTest):
    def test_a_flipped_bit_of_verified_data_is_found_and_not_served(self):
        image_id, data = self.upload()
        self.download(image_id)
        self.assertTrue(self.entry(image_id).is_verified())
        flip(self.data_file(image_id), MIB + 3)
        self.assertEqual(data, self.download(image_id).body)
        self.assertEqual([(0, None), (MIB, MIB)], self.store.reads)
        self.assertEqual(data, self.download(image_id).body)
        self.assertTrue(self.entry(image_id).is_verified())
        self.assertEqual(2, len(self.store.reads))

    def test_a_flipped_bit_is_found_by_a_range(self):
        image_id, data = self.upload()
        self.download(image_id)
        flip(self.data_file(image_id), 5)
        self.assertEqual(data[:10], self.download(image_id, Range="bytes=0-9").body)
        self.assertEqual([(0, None), (0, MIB)], self.store.reads)

    def test_data_cut_short(self):
        image_id, data = self.upload()
        self.download(image_id)
        os.truncate(self.data_file(image_id), MIB + 1)
        self.assertEqual(data, self.download(image_id).body)

    def test_marks_without_data_are_not_believed(self):
        image_id, data = self.upload()
        self.download(image_id)
        os.truncate(self.data_file(image_id), 0)
        os.truncate(self.data_file(image_id), len(data))
        self.assertEqual(data, self.download(image_id).body)

    def test_an_unreadable_index_is_replaced(self):
        image_id, data = self.upload()
        self.download(image_id)
        self.data_file(image_id).with_name("index").write_bytes(b"garbage")
        for _ in range(2):
            self.assertEqual(data, self.download(image_id).body)
        self.assertEqual([(0, None)] * 2, self.store.reads)

    def test_an_entry_without_its_files_is_replaced(self):
        image_id, data = self.upload()
        self.download(image_id)
        for name in ("index", "data"):
            self.data_file(image_id).with_name(name).unlink()
            for _ in range(2):
                self.assertEqual(data, self.download(image_id).body)
        self.assertEqual([(0, None)] * 3, self.store.reads)

    def test_wrong_data_of_a_store_is_not_kept(self):
        image_id, _ = self.upload()
        self.store.flips = 7
        self.download(image_id)
        self.assertEqual({}, self.cached())
        self.store.flips = None
        reads = len(self.store.reads)
        self.download(image_id)
        self.assertGreater(len(self.store.reads), reads)

    def test_parts_that_do_not_have_the_hash_together_are_dropped(self):
        image_id, data = self.upload()
        self.store.flips = 7
        self.download(image_id, Range="bytes=0-9")
        self.store.flips = None
        self.download(image_id, Range=f"bytes={MIB}-")
        answer = self.send("GET", f"/v2/images/{image_id}/file")
        self.assertRaises(StoreError, lambda: answer.body)
        self.assertEqual({}, self.cached())
        self.assertEqual(data, self.download(image_id).body)

    def entry(self, image_id):
        path = self.data_file(image_id).parent
        entry = self.cache.directory.open(path.name, 3 * MIB + 5)
        self.addCleanup(entry.close)
        return entry


class TestStores(CacheTest):
    def test_a_store_that_fails_in_the_middle_leaves_what_it_gave(self):
        image_id, data = self.upload()
        self.store.fails_at = 2 * MIB
        answer = self.send("GET", f"/v2/images/{image_id}/file")
        self.assertRaises(StoreError, lambda: answer.body)
        self.wait_for_fills()
        self.assertEqual(data[:MIB], self.download(image_id, Range=f"bytes=0-{MIB - 1}").body)
        self.store.fails_at = None
        self.assertEqual(data, self.download(image_id).body)
        self.assertEqual((2 * MIB, MIB + 5), self.store.reads[-1])

    def test_an_entry_with_replaced_data_is_not_used_and_removed(self):
        image_id, data = self.upload()
        image = self.service.services.data.run(LoadImage(image_id))
        old = replace(image, os_hash_value="0" * 128)
        self.assertNotEqual(name_of(image), name_of(old))
        self.cache.directory.open_or_make(name_of(old), len(data)).close()
        self.assertEqual(data, self.download(image_id).body)
        self.assertEqual({name_of(image), name_of(old)}, set(self.cache.directory.names()))
        self.keeper.check()
        self.assertEqual([name_of(image)], self.cache.directory.names())


class TestFullDisk(CacheTest):
    def settings(self):
        options = super().settings()
        self.disk = self.useFixture(SmallDisk(self.directory))
        return options

    def test_images_come_from_their_store_and_it_is_logged_once(self):
        self.disk.require(self)
        logged = self.useFixture(fixtures.FakeLogger("glance_mini.cache", level=logging.ERROR))
        image_id, data = self.upload(12 * MIB)
        for _ in range(3):
            self.assertEqual(data, self.download(image_id).body)
        self.assertEqual(1, logged.output.count(os.strerror(errno.ENOSPC)), logged.output)
        self.manage("DELETE", "/v2/cache", 204)
        small, data = self.upload(2 * MIB)
        for _ in range(2):
            self.assertEqual(data, self.download(small).body)
        self.assertIn(small, self.cached())


class TestClock(CacheTest):
    options = {"cache": {"max_unused": 3600}}

    def test_age_removes_what_is_unused(self):
        image_id, _ = self.upload()
        self.download(image_id)
        self.keeper.check()
        self.assertIn(image_id, self.cached())
        self.cache.directory.shift_times(-3700)
        self.keeper.check()
        self.assertEqual({}, self.cached())

    def test_a_clock_that_jumps_removes_nothing_and_keeps_nothing_for_ever(self):
        wall, monotonic = [time.time()], [0.0]
        self.keeper._clock, self.keeper._monotonic = lambda: wall[0], lambda: monotonic[0]
        image_id, _ = self.upload()
        self.download(image_id)
        self.keeper.check()
        for jump in (LONG_AGO, -2 * LONG_AGO):
            wall[0] += jump + 10
            monotonic[0] += 10
            self.keeper.check()
            self.assertIn(image_id, self.cached())
        wall[0] += 3700
        monotonic[0] += 3700
        self.keeper.check()
        self.assertEqual({}, self.cached())


class TestShared(CacheTest):
    """Several readers at once."""

    def read(self, image_id, barrier, results):
        answer = self.send("GET", f"/v2/images/{image_id}/file")
        chunks = iter(answer.app_iter)
        pieces = [next(chunks)]
        barrier.wait(60)
        pieces += chunks
        answer.app_iter.close()
        results.append(b"".join(pieces))

    def test_sixteen_cold_readers_read_the_store_once_and_none_waits_for_more_than_the_others(self):
        image_id, data = self.upload(8 * MIB)
        opened, results = threading.Event(), []
        self.store.gate = (2 * MIB, opened)
        barrier = threading.Barrier(16, opened.set)
        readers = [threading.Thread(target=self.read, args=(image_id, barrier, results)) for _ in range(16)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(120)
        self.assertEqual([data] * 16, results)
        self.assertEqual([(0, None)], self.store.reads)

    def test_a_slow_reader_holds_up_nobody(self):
        image_id, data = self.upload(8 * MIB)
        slow = self.send("GET", f"/v2/images/{image_id}/file")
        chunks = iter(slow.app_iter)
        begin = next(chunks)
        self.assertEqual(data, self.download(image_id).body)
        self.assertEqual([(0, None)], self.store.reads)
        self.assertEqual(data, begin + b"".join(chunks))
        slow.app_iter.close()

    def test_a_fill_ends_when_nobody_reads_any_more(self):
        self.store.pause = 0.05
        image_id, _ = self.upload(32 * MIB)
        answer = self.send("GET", f"/v2/images/{image_id}/file")
        next(iter(answer.app_iter))
        answer.app_iter.close()
        self.wait_for_fills()
        self.assertLess(self.store.sent, 8 * MIB)

    def test_what_is_read_is_not_evicted(self):
        image_id, data = self.upload()
        self.download(image_id)
        answer = self.send("GET", f"/v2/images/{image_id}/file")
        self.cache.directory.limit = MIB
        self.assertEqual(0, self.manage("POST", "/v2/cache/prune").json["total_files_pruned"])
        self.assertEqual(data, answer.body)
        self.assertEqual(1, self.manage("POST", "/v2/cache/prune").json["total_files_pruned"])

    def test_who_reads_a_deleted_image_reads_on(self):
        self.store.pause = 0.02
        image_id, data = self.upload(8 * MIB)
        answer = self.send("GET", f"/v2/images/{image_id}/file")
        self.send("DELETE", f"/v2/images/{image_id}")
        self.assertEqual(data, answer.body)
        self.assertEqual([], os.listdir(self.directory / "images"))

    def test_no_more_fills_than_allowed(self):
        self.cache._fills._slots = threading.BoundedSemaphore(1)
        self.store.pause = 0.05
        first, second = self.upload(8 * MIB), self.upload(8 * MIB)
        answer = self.send("GET", f"/v2/images/{first[0]}/file")
        self.assertEqual(second[1], self.download(second[0]).body)
        self.assertEqual(first[1], answer.body)
        self.assertEqual([first[0]], list(self.cached()))


class TestWoken(CacheTest):
    options = {"cache": {"check_interval": 3600}}

    def test_what_another_node_deactivates_goes_as_soon_as_the_node_is_told(self):
        image_id, _ = self.upload()
        self.download(image_id)
        self.keeper.start()
        eventually(lambda: self.keeper._leads, "the keeper works")
        self.service.services.data.run(SetStatus(image_id, "deactivated", frozenset({"active"})))
        self.keeper.wake()
        eventually(lambda: not os.listdir(self.directory / "images"), "the image goes")


class TestRoom(CacheTest):
    def test_the_longest_unused_image_makes_room(self):
        self.cache.directory.limit = 10 * MIB
        first, second, third = (self.upload(4 * MIB) for _ in range(3))
        for image_id, _ in (first, second, first, third):
            self.download(image_id)
        self.assertEqual({first[0], third[0]}, self.cached().keys())

    def test_leftovers_of_killed_processes_are_removed(self):
        image_id, data = self.upload()
        self.download(image_id)
        for name in ("trash/1", "new/2"):
            (self.directory / name).mkdir()
            (self.directory / name / "data").write_bytes(b"x")
        self.keeper.check()
        self.assertEqual([[], []], [os.listdir(self.directory / name) for name in ("trash", "new")])
        self.assertEqual(data, self.download(image_id).body)
        self.assertEqual(1, len(self.store.reads))

    def test_parts_that_stall_are_removed(self):
        image_id, _ = self.upload()
        self.download(image_id, Range="bytes=0-9")
        self.cache.directory.shift_times(-86_401)
        self.keeper.check()
        self.assertEqual([], os.listdir(self.directory / "images"))


class TestPrefetch(CacheTest):
    options = {"cache": {"prefetch": "tag:gold,public,popular:1"}}

    def test_rules(self):
        plain = self.upload()[0]
        public = self.upload()[0]
        change = [{"op": "replace", "path": "/visibility", "value": "public"}]
        patch = "application/openstack-images-v2.1-json-patch"
        self.send("PATCH", f"/v2/images/{public}", change, caller="admin", Content_Type=patch)
        gold = self.upload(tags=["gold"])[0]
        self.keeper.fetch()
        self.assertEqual({public, gold}, self.cached().keys())
        self.assertEqual(1, sum(1 for _ in self.directory.glob(f"images/{public}.*")))
        self.assertNotIn(plain, self.cached())

    def test_popular_images_come_back(self):
        image_id, _ = self.upload()
        self.download(image_id)
        self.download(image_id)
        self.cache.directory.remove(self.cache.directory.names())
        self.keeper.fetch()
        self.assertIn(image_id, self.cached())

    def test_prefetching_takes_free_room_only(self):
        self.cache.directory.limit = 5 * MIB
        used = self.upload()[0]
        self.download(used)
        gold = self.upload(tags=["gold"])[0]
        self.keeper.fetch()
        self.assertEqual({used}, self.cached().keys())
        self.assertNotEqual(used, gold)


class TestTwoNodes(CacheTest):
    """A second node with the same database and stores, and a cache of its own."""

    driver_name = "centralized_db"

    def test_changes_are_followed(self):
        services = self.service.services
        directory = CacheDirectory(self.directory / "other", 64 * MIB)
        directory.prepare()
        other = ImageCache(directory, Catalog(services.data, "http://node2:9292", True), services.metrics, 4)
        keeper = open_cache_keeper(self.service.conf, services, other)
        self.addCleanup(keeper.close)
        kept, gone = self.upload()[0], self.upload()[0]
        for image_id in (kept, gone):
            self.download(image_id)
            image = services.data.run(LoadImage(image_id))
            self.assertTrue(other.fetch(image, Source(services.stores, image.locations, services.metrics)))
        for each in (self.keeper, keeper):
            each.check()
        nodes = ["http://node1:9292", "http://node2:9292"]
        self.assertEqual(nodes, self.manage("GET", f"/v2/cache/nodes/{gone}").json)
        self.send("POST", f"/v2/images/{gone}/actions/deactivate", caller="admin")
        keeper.check()
        self.assertEqual([kept], [each.image_id for each in directory.list()])
        self.keeper.check()
        self.assertEqual([], self.manage("GET", f"/v2/cache/nodes/{gone}").json)
        self.assertEqual(nodes, self.manage("GET", f"/v2/cache/nodes/{kept}").json)


KILLED = textwrap.dedent(
    """
    import os, sys, time
    from pathlib import Path
    from glance_mini.cache.directory import CacheDirectory
    from glance_mini.cache.entry import BLOCK

    directory = CacheDirectory(Path(sys.argv[1]), 1 << 40)
    name, size = sys.argv[2], int(sys.argv[3])
    if sys.argv[4] == "fill":
        entry = directory.open_or_make(name, size)
        claim = entry.claim(0, entry.blocks)
        data = open(sys.argv[5], "rb").read()
        for block in range(entry.blocks):
            print(block, flush=True)
            entry.write(block, data[block * BLOCK : (block + 1) * BLOCK])
            claim.release(block)
    else:
        while True:
            print(directory.remove(directory.names()), flush=True)
            entry = directory.open_or_make(name, size)
            entry.close()
    """
)


class TestKilled(CacheTest):
    def kill(self, *words, after):
        process = subprocess.Popen([sys.executable, "-c", KILLED, *map(str, words)], stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        for _ in range(after):
            process.stdout.readline()
        time.sleep(0.0007 * after)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def test_while_filling(self):
        image_id, data = self.upload(24 * MIB)
        self.download(image_id, Range="bytes=0-9")
        name = os.listdir(self.directory / "images")[0]
        source = self.directory / "source"
        source.write_bytes(data)
        for after in (1, 3, 7, 11, 17):
            self.cache.directory.remove([name])
            self.store.reads.clear()
            self.kill(self.directory, name, len(data), "fill", source, after=after)
            self.assertEqual(data, self.download(image_id).body)
            self.assertEqual(data, self.download(image_id).body)
            # The process may have come to the end before it was killed.
            self.assertLessEqual(len(self.store.reads), 1)
            for offset, length in self.store.reads:
                self.assertEqual(len(data), offset + (len(data) if length is None else length))

    def test_while_evicting(self):
        image_id, data = self.upload(4 * MIB)
        self.download(image_id)
        [name] = os.listdir(self.directory / "images")
        for after in range(2, 12):
            self.kill(self.directory, name, len(data), "evict", after=after)
            self.assertEqual(data, self.download(image_id).body)
        self.keeper.check()
        self.assertEqual([[], []], [os.listdir(self.directory / each) for each in ("trash", "new")])
        self.assertEqual([image_id], list(self.cached()))
