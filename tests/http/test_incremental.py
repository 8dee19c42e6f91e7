"""Images that are stored as what differs from another one: uploads, downloads, rules (api-incremental)."""

import hashlib
from pathlib import Path

import fixtures

from glance_mini.operations.bases import GetDiskIndex
from tests.counting_store import CountingDriver
from tests.http.incremental import MIB, QCOW2, IncrementalTest, run
from tests.unit.layers.location.test_direct import SigningDriver


class TestUploads(IncrementalTest):
    def test_delta_becomes_an_image_with_a_base(self) -> None:
        base, top = self.chain()
        image = self.show(top)
        self.assertEqual(("active", base), (image["status"], image["os_base_image"]))
        self.assertEqual((None, None, None), tuple(image[n] for n in ("checksum", "os_hash_algo", "os_hash_value")))
        self.assertEqual(8 * MIB, image["virtual_size"])
        data = self.file(top)
        self.assertEqual(image["size"], data.content_length)
        self.work()
        image, whole = self.show(top), data.body
        self.assertEqual(hashlib.md5(whole).hexdigest(), image["checksum"])
        self.assertEqual(hashlib.sha512(whole).hexdigest(), image["os_hash_value"])
        self.assertEqual(whole, self.file(top).body)

    def test_what_is_stored_is_small_and_names_nothing(self) -> None:
        base, top = self.chain()
        stored = self.file(top, "?delta=true").body
        self.assertEqual(self.top_file.stat().st_size, len(stored))
        self.assertNotIn(str(self.disks.directory).encode(), stored)
        path = self.disks.directory / "stored"
        path.write_bytes(stored)
        self.assertNotIn("backing", run("qemu-img", "info", path))
        self.assertEqual(409, self.file(base, "?delta=true").status_int)

    def test_quota_counts_what_is_stored(self) -> None:
        self.chain()
        used = self.send("GET", "/v2/info/usage").json["usage"]["image_size_total"]["usage"]
        stored = self.base_file.stat().st_size + self.top_file.stat().st_size
        self.assertEqual(stored // MIB, used)

    def test_whole_data_makes_a_whole_image_whatever_it_names(self) -> None:
        """Services copy all properties of an image into its snapshots."""
        base = self.upload(self.base_file)
        for named in (base, "no such image"):
            image = self.show(self.upload(self.base_file, named))
            self.assertNotIn("os_base_image", image)
            self.assertEqual(hashlib.md5(self.base_file.read_bytes()).hexdigest(), image["checksum"])
        raw = self.create(os_base_image=base)
        self.assertEqual(204, self.put(raw, b"x" * 1000).status_int)
        self.assertNotIn("os_base_image", self.show(raw))
        imported = self.run_import(self.create(os_base_image=base), self.from_web())
        self.assertEqual(("active", None), (imported["status"], imported.get("os_base_image")))

    def test_delta_without_a_base_is_refused_and_leaves_nothing(self) -> None:
        hidden = self.upload(self.base_file, caller="other", visibility="private")
        off = self.upload(self.base_file)
        self.act(off, "deactivate")
        iso = self.create(disk_format="raw", container_format="ovf")
        self.put(iso, b"x")
        for named, status, text in (
            (None, 415, "backing_file"),
            ("0d1f8a5e-5b1c-4f0b-9c5e-2f4f3c0a7b11", 400, "no image"),
            (hidden, 400, "no image"),
            (off, 400, "deactivated"),
            (iso, 400, "not a disk"),
        ):
            with self.subTest(named=text):
                before = self.kept("fast")
                image = self.upload(self.top_file, named, status)
                self.assertEqual(("queued", before), (self.status_of(image), self.kept("fast")))

    def test_refusal_says_why(self) -> None:
        self.upload(self.base_file)
        answer = self.send("POST", "/v2/images", QCOW2 | {"os_base_image": "unknown"})
        answer = self.put(answer.json["id"], self.top_file.read_bytes())
        self.reread(answer.text, "delta", "unknown")

    def test_damaged_delta_is_refused(self) -> None:
        base, before = self.upload(self.base_file), self.kept("fast")
        data = self.top_file.read_bytes()
        for broken in (data[: len(data) // 2], data[:200], _flag(data, 79, 2), _flag(data, 35, 1)):
            (path := self.disks.directory / "broken").write_bytes(broken)
            image = self.upload(path, base, 415)
            self.assertEqual(("queued", before), (self.status_of(image), self.kept("fast")))

    def test_smaller_disk_is_refused_and_a_larger_one_is_not(self) -> None:
        base = self.upload(self.base_file)
        small = self.disks.make("small", base="base", size=4 * MIB)
        self.upload(small, base, 415)
        large = self.disks.make("large", (0x44, 15 * MIB, MIB), base="base", size=16 * MIB)
        image = self.upload(large, base)
        self.assertEqual(16 * MIB, self.show(image)["virtual_size"])
        self.assertEqual(self.disks.guest(large), self.disks.guest_of(self.file(image).body))

    def test_raw_image_is_a_base(self) -> None:
        raw = self.disks.make("raw", (0x11, 0, MIB), kind="raw")
        base = self.create()
        self.assertEqual(204, self.put(base, raw.read_bytes()).status_int)
        top = self.disks.make("on-raw", (0x22, MIB, MIB), base="raw", base_kind="raw")
        image = self.upload(top, base)
        self.assertEqual(self.disks.guest(top), self.disks.guest_of(self.file(image).body))


class TestDepth(IncrementalTest):
    options = {"incremental": {"max_depth": 2}}

    def test_chain_is_read_through_and_its_depth_is_bounded(self) -> None:
        _, top = self.chain()
        third = self.disks.make("third", (0x44, 6 * MIB, 4096), base="top", cluster_size="512k")
        image = self.upload(third, top)
        self.assertEqual(self.disks.guest(third), self.disks.guest_of(self.file(image).body))
        fourth = self.disks.make("fourth", (0x55, 0, 4096), base="third")
        refused = self.upload(fourth, image, 413)
        self.assertEqual("queued", self.status_of(refused))


class TestDownloads(IncrementalTest):
    def setUp(self) -> None:
        super().setUp()
        self.base, self.top = self.chain()

    def test_complete_disk_is_that_of_the_chain(self) -> None:
        guest = self.disks.guest(self.top_file)
        self.assertEqual(guest, self.disks.guest_of(self.file(self.top).body))
        raw = self.file(self.top, "?format=raw")
        self.assertEqual((guest, len(guest)), (raw.body, raw.content_length))
        self.assertNotIn("Content-MD5", raw.headers)

    def test_ranges_are_slices_of_the_whole(self) -> None:
        for query in ("", "?format=raw", "?delta=true"):
            whole = self.file(self.top, query).body
            size = len(whole)
            for first, last in ((0, 0), (1, 70_000), (65_535, 65_536), (size - 10, size + 100)):
                answer = self.file(self.top, query, Range=f"bytes={first}-{last}")
                self.assertEqual((206, whole[first : last + 1]), (answer.status_int, answer.body), (query, first))
                self.assertEqual(f"bytes {first}-{min(last, size - 1)}/{size}", answer.headers["Content-Range"])
            self.assertEqual(416, self.file(self.top, query, Range=f"bytes={size}-").status_int)
            head = self.send("HEAD", f"/v2/images/{self.top}/file{query}")
            self.assertEqual((200, size), (head.status_int, head.content_length))

    def test_whole_disks_are_read_as_raw_too(self) -> None:
        self.assertEqual(self.disks.guest(self.base_file), self.file(self.base, "?format=raw").body)
        raw = self.create()
        self.put(raw, b"y" * 1000)
        self.assertEqual(b"y" * 1000, self.file(raw, "?format=raw").body)
        iso = self.create(disk_format="aki", container_format="aki")
        self.put(iso, b"z" * 1000)
        self.assertEqual(409, self.file(iso, "?format=raw").status_int)

    def test_unknown_forms_are_refused(self) -> None:
        for query in ("?format=vmdk", "?delta=perhaps", "?format=raw&delta=true"):
            self.assertEqual(400, self.file(self.top, query).status_int, query)

    def test_no_place_is_shown_or_taken(self) -> None:
        self.assertEqual(409, self.send("GET", f"/v2/images/{self.top}/locations", caller="service").status_int)
        self.assertEqual(200, self.send("GET", f"/v2/images/{self.base}/locations", caller="service").status_int)

    def test_data_that_is_gone_is_a_clear_error(self) -> None:
        for location in list(self.driver("fast").locations()):
            if self.base in location:
                self.driver("fast").delete(location)
        for query in ("", "?format=raw"):
            answer = self.file(self.top, query)
            self.assertEqual(503, answer.status_int)
            self.assertIn("based on", answer.text)

    def test_copies_hold_the_delta_and_serve_the_complete_disk(self) -> None:
        whole, size = self.file(self.top).body, self.top_file.stat().st_size
        image = self.run_import(self.top, "copy-image", "admin", stores=["cheap"])
        self.assertEqual(("cheap,fast", self.base), (image["stores"], image["os_base_image"]))
        (copied,) = self.driver("cheap").locations()
        self.assertEqual(size, self.driver("cheap").size(copied))
        self.assertEqual(204, self.send("DELETE", f"/v2/stores/fast/{self.top}", caller="admin").status_int)
        self.assertEqual(whole, self.file(self.top).body)
        self.assertEqual(whole, self.file(self.top, "?prefer=cheap").body)


class TestCosts(IncrementalTest):
    def test_small_range_of_a_complete_disk_takes_at_most_four_reads_of_the_stores(self) -> None:
        _, top = self.chain()
        third = self.upload(self.disks.make("third", (0x44, 6 * MIB, 65536), base="top"), top)
        whole = self.file(third).body
        store, counting = self.service.services.stores.get("fast"), CountingDriver()
        counting._data = self.driver("fast")._data
        store.driver = counting
        for first in (0, 65_536, 200_000, MIB, len(whole) - 70_000, len(whole) - 4096):
            before = len(counting.reads)
            answer = self.file(third, Range=f"bytes={first}-{first + 4095}")
            self.assertEqual(whole[first : first + 4096], answer.body)
            self.assertLessEqual(len(counting.reads) - before, 4, first)


class TestWithoutIndex(IncrementalTest):
    options = {"incremental": {"max_index_kib": 0}}

    def test_index_that_would_be_too_large_is_not_kept_and_not_needed(self) -> None:
        _, top = self.chain()
        self.assertEqual(b"", self.service.services.data.run(GetDiskIndex(top)))
        whole = self.file(top).body
        self.assertEqual(self.disks.guest(self.top_file), self.disks.guest_of(whole))
        self.assertEqual(whole[-5000:], self.file(top, Range="bytes=-5000").body)


class TestPlaces(IncrementalTest):
    options = {"DEFAULT": {"show_image_direct_url": True, "show_multiple_locations": True}}

    def test_image_with_a_base_has_no_address_of_its_data(self) -> None:
        base, top = self.chain()
        self.assertIn("direct_url", self.show(base))
        self.assertTrue({"direct_url", "locations"}.isdisjoint(self.show(top)))
        steps = [{"op": "add", "path": "/locations/-", "value": {"url": "http://127.0.0.1/x", "metadata": {}}}]
        answer = self.send(
            "PATCH", f"/v2/images/{top}", steps, Content_Type="application/openstack-images-v2.1-json-patch"
        )
        self.assertIn(answer.status_int, (400, 409))


class TestAddresses(IncrementalTest):
    options = {"direct_access": {"downloads": True}}

    def test_clients_get_the_complete_disk_and_no_address_of_a_store(self) -> None:
        self.service.services.stores.get("fast").driver = SigningDriver("fast")
        base, top = self.chain()
        whole = self.file(top).body
        self.work()
        for query in ("?redirect=true", "?redirect=true&format=raw", "?redirect=true&delta=true"):
            self.assertEqual(200, self.file(top, query).status_int, query)
        self.assertEqual(307, self.file(base, "?redirect=true").status_int)
        self.assertEqual(200, self.file(base, "?redirect=true&format=raw").status_int)
        url = str(self.send("POST", f"/v2/images/{top}/links", {"expires_in": 60}).json["url"])
        self.assertEqual(whole, self.send("GET", url[url.index("/", len("https://")) :] if "://" in url else url).body)
        self.act(top, "coalesce")
        self.work()
        self.assertEqual(307, self.file(top, "?redirect=true").status_int)

    def test_each_form_of_a_disk_has_a_tag_of_its_own(self) -> None:
        _, top = self.chain()
        self.assertNotIn("ETag", self.file(top).headers)
        self.work()
        tags = [self.file(top, query).headers.get("ETag") for query in ("", "?delta=true", "?format=raw")]
        self.assertIsNone(tags[2])
        self.assertNotEqual(tags[0], tags[1])
        self.assertEqual(304, self.file(top, If_None_Match=tags[0]).status_int)
        self.assertEqual(200, self.file(top, "?delta=true", If_None_Match=tags[0]).status_int)


class TestCache(IncrementalTest):
    def settings(self) -> dict[str, dict[str, object]]:
        directory = Path(self.useFixture(fixtures.TempDir()).path)
        return super().settings() | {"DEFAULT": {"image_cache_dir": directory}}

    def test_cache_keeps_ranges_of_the_complete_disk(self) -> None:
        _, top = self.chain()
        whole = self.file(top).body
        self.assertEqual(whole, self.file(top).body)
        stored = self.file(top, "?delta=true").body
        self.assertNotEqual(whole, stored)
        self.assertEqual(self.top_file.stat().st_size, len(stored))
        self.assertEqual(self.disks.guest(self.top_file), self.file(top, "?format=raw").body)
        cache = self.service.services.cache
        assert cache is not None
        self.assertEqual([True], [each.is_complete for each in cache.directory.list()])
        for location in list(self.driver("fast").locations()):
            self.driver("fast").delete(location)
        self.assertEqual(whole, self.file(top).body)


class TestRules(IncrementalTest):
    def setUp(self) -> None:
        super().setUp()
        self.base, self.top = self.chain()

    def test_base_cannot_be_deleted_first(self) -> None:
        answer = self.send("DELETE", f"/v2/images/{self.base}")
        self.assertEqual(409, answer.status_int)
        self.assertIn(self.top, answer.text)
        self.assertEqual(204, self.send("DELETE", f"/v2/images/{self.top}").status_int)
        self.assertEqual(204, self.send("DELETE", f"/v2/images/{self.base}").status_int)
        self.assertEqual([0], self.kept("fast"))

    def test_refusal_names_only_what_the_caller_may_see(self) -> None:
        self.patch(self.base, "visibility", "community")
        mine = self.upload(self.top_file, self.base, caller="other", visibility="private")
        answer = self.send("DELETE", f"/v2/images/{self.base}")
        self.assertEqual((409, True, False), (answer.status_int, self.top in answer.text, mine in answer.text))
        self.assertIn(mine, self.send("DELETE", f"/v2/images/{self.base}", caller="admin").text)

    def test_base_is_deactivated_by_force_and_its_dependents_stay(self) -> None:
        self.assertEqual(409, self.act(self.base, "deactivate").status_int)
        self.assertEqual(400, self.act(self.base, "deactivate?force=1").status_int)
        self.assertEqual(204, self.act(self.base, "deactivate?force=true").status_int)
        self.assertEqual([403, 200], [self.file(each).status_int for each in (self.base, self.top)])
        self.assertEqual(204, self.act(self.base, "reactivate").status_int)

    def test_audience_is_within_that_of_the_base(self) -> None:
        self.assertEqual(409, self.patch(self.top, "visibility", "community").status_int)
        answer = self.send("POST", f"/v2/images/{self.top}/members", {"member": "p2"})
        self.assertEqual(409, answer.status_int)
        self.assertIn(self.base, answer.text)
        self.send("POST", f"/v2/images/{self.base}/members", {"member": "p2"})
        self.assertEqual(200, self.send("POST", f"/v2/images/{self.top}/members", {"member": "p2"}).status_int)
        self.assertEqual(200, self.file(self.top, caller="other").status_int)
        self.assertEqual(409, self.send("DELETE", f"/v2/images/{self.base}/members/p2").status_int)
        self.assertEqual(409, self.patch(self.base, "visibility", "private").status_int)

    def test_base_of_another_project_is_one_that_the_caller_can_read(self) -> None:
        self.send("POST", f"/v2/images/{self.base}/members", {"member": "p2"})
        image = self.upload(self.top_file, self.base, caller="other", visibility="private")
        self.assertEqual(self.file(self.top).body, self.file(image, caller="other").body)
        self.upload(self.top_file, self.base, 409, caller="other", visibility="community")

    def test_property_cannot_be_changed(self) -> None:
        self.assertEqual(403, self.patch(self.top, "os_base_image", self.top).status_int)

    def test_import_of_a_delta_is_refused(self) -> None:
        image = str(self.send("POST", "/v2/images", QCOW2 | {"os_base_image": self.base}).json["id"])
        self.stage(image, self.top_file.read_bytes())
        shown = self.run_import(image, "glance-direct")
        self.assertEqual("queued", shown["status"])
        self.assertIn("backing_file", self.tasks(image)[-1]["message"])


class TestHiddenBase(IncrementalTest):
    policy = '"download_image": "project_id:%(project_id)s"'

    def test_base_that_rules_hide_is_no_base(self) -> None:
        base = self.upload(self.base_file, visibility="shared")
        self.send("POST", f"/v2/images/{base}/members", {"member": "p2"})
        self.upload(self.top_file, base, 400, caller="other", visibility="private")


class TestTrash(IncrementalTest):
    options = {"DEFAULT": {"delayed_delete": True}}

    def test_image_that_can_be_restored_holds_its_base(self) -> None:
        base, top = self.chain()
        whole = self.file(top).body
        self.send("DELETE", f"/v2/images/{top}")
        answer = self.send("DELETE", f"/v2/images/{base}")
        self.assertEqual(409, answer.status_int)
        self.assertIn(top, answer.text)
        self.act(top, "restore")
        self.assertEqual(whole, self.file(top).body)
        self.send("DELETE", f"/v2/images/{top}")
        self.act(top, "purge")
        self.assertEqual(204, self.send("DELETE", f"/v2/images/{base}").status_int)


def _flag(data: bytes, offset: int, value: int) -> bytes:
    """Return a qcow2 with another byte in its header."""
    changed = bytearray(data)
    changed[offset] = value
    return bytes(changed)
