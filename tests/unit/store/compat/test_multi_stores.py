"""Stores with ids: the functions that get the id of a store."""

import hashlib

from glance_mini_store import compat as glance_store
from tests.unit.store.compat.base import DATA, MD5, SHA256, CompatTestCase, Verifier, data

MULTI = """
[DEFAULT]
enabled_backends = fast:file,cheap:file,web:http
[glance_store]
default_backend = fast
[fast]
filesystem_store_datadir = ROOT/fast
weight = 5
[cheap]
filesystem_store_datadir = ROOT/cheap
[os_glance_staging_store]
filesystem_store_datadir = ROOT/staging
"""
RESERVED = {"os_glance_staging_store": "file"}


class MultiTestCase(CompatTestCase):
    def setUp(self):
        super().setUp()
        self.program = self.conf(MULTI)
        glance_store.register_store_opts(self.program, reserved_stores=RESERVED)
        self.count = glance_store.create_multi_stores(self.program, reserved_stores=RESERVED)
        self.uri = f"file://{self.root}/fast/abc"

    def add(self, image_id="abc", size=10, backend="fast", **more):
        return glance_store.add_with_multihash(self.program, image_id, data(), size, backend, "sha256", **more)


class TestCreation(MultiTestCase):
    def test_options_are_registered_for_each_store(self):
        self.assertEqual(5, self.program.fast.weight)
        self.assertEqual(0, self.program.cheap.weight)
        self.assertIsNone(self.program.web.store_description)
        self.assertEqual(f"{self.root}/staging", self.program.os_glance_staging_store.filesystem_store_datadir)
        self.assertEqual(65536, self.program.backend_defaults.filesystem_store_chunk_size)

    def test_stores_are_counted_with_reserved_ones_and_their_schemes_known(self):
        self.assertEqual(4, self.count)
        self.assertEqual(
            ["file", "filesystem", "http", "https"], sorted(glance_store.get_known_schemes_for_multi_store())
        )

    def test_without_stores_there_is_a_backend_exception(self):
        conf = self.conf()
        glance_store.register_store_opts(conf)
        self.assertRaises(glance_store.BackendException, glance_store.create_multi_stores, conf)

    def test_default_store_is_verified(self):
        self.assertIsNone(glance_store.verify_store())
        for value in (None, "gold"):
            self.program.set_override("default_backend", value, group="glance_store")
            self.assertRaises(RuntimeError, glance_store.verify_store)

    def test_stores_can_be_created_without_a_default(self):
        for line in ("", "default_backend = gold"):
            conf = self.conf(MULTI.replace("default_backend = fast", line))
            self.assertEqual(3, glance_store.create_multi_stores(conf))
            self.assertRaises(RuntimeError, glance_store.verify_store)

    def test_backend_map_has_each_store(self):
        stores = glance_store.location.SCHEME_TO_CLS_BACKEND_MAP["file"]
        self.assertEqual({"fast", "cheap", "os_glance_staging_store"}, set(stores))
        self.assertIs(glance_store.get_store_from_store_identifier("fast"), stores["fast"]["store"])
        found = glance_store.location.get_location_from_uri_and_backend(self.uri, "fast", self.program)
        self.assertEqual(("fast", self.uri), (found.backend_group, found.get_store_uri()))


class TestFinding(MultiTestCase):
    def test_store_and_weight_by_id(self):
        store = glance_store.get_store_from_store_identifier("fast")
        self.assertEqual(
            (5, "fast", f"file://{self.root}/fast/"), (store.weight, store.backend_group, store.url_prefix)
        )
        self.assertEqual(5, glance_store.get_store_weight("fast"))
        self.assertEqual(0, glance_store.get_store_weight("os_glance_staging_store"))

    def test_unknown_id_is_an_unknown_scheme(self):
        for call in (glance_store.get_store_from_store_identifier, glance_store.get_store_weight):
            self.assertRaises(glance_store.UnknownScheme, call, "gold")
        self.assertRaises(glance_store.UnknownScheme, self.add, backend="gold")

    def test_store_of_another_scheme_is_an_unknown_scheme(self):
        for call in (
            glance_store.get,
            glance_store.delete,
            glance_store.get_size_from_uri_and_backend,
            glance_store.set_acls_for_multi_store,
        ):
            for backend in ("web", "gold"):
                self.assertRaises(glance_store.UnknownScheme, call, self.uri, backend)


class TestData(MultiTestCase):
    def read(self, *args, **kwargs):
        blocks, number = glance_store.get(*args, **kwargs)
        return b"".join(blocks), number

    def test_five_values_with_a_hash_and_the_store(self):
        verifier = Verifier()
        self.assertEqual((self.uri, 10, MD5, SHA256, {"store": "fast"}), self.add(verifier=verifier))
        self.assertEqual(DATA, verifier.seen)

    def test_four_values_without(self):
        added = glance_store.add(self.program, "abc", data(), 0, "cheap")
        self.assertEqual((f"file://{self.root}/cheap/abc", 10, MD5, {"store": "cheap"}), added)

    def test_any_hash_of_hashlib(self):
        added = glance_store.add_with_multihash(self.program, "abc", data(), 10, "fast", "blake2b")
        self.assertEqual(hashlib.blake2b(DATA).hexdigest(), added[3])
        self.assertRaises(
            glance_store.UnknownHashingAlgo,
            glance_store.add_with_multihash,
            self.program,
            "abd",
            data(),
            10,
            "fast",
            "nope",
        )

    def test_data_is_read_from_its_store(self):
        self.add()
        self.assertEqual((DATA, 10), self.read(self.uri, "fast"))
        self.assertEqual((b"234", 3), self.read(self.uri, "fast", 2, 3))
        self.assertEqual(10, glance_store.get_size_from_uri_and_backend(self.uri, "fast"))

    def test_without_a_store_all_with_the_scheme_are_tried(self):
        self.add()
        self.add(backend="cheap")
        for store in ("fast", "cheap"):
            self.assertEqual((b"456789", 10), self.read(f"file://{self.root}/{store}/abc", None, offset=4))
        for uri in (self.uri + "x", "gold://x", "no uri"):
            self.assertRaises(glance_store.NotFound, glance_store.get, uri, None)

    def test_deleted_data_is_not_found(self):
        self.add()
        self.assertIsNone(glance_store.delete(self.uri, "fast"))
        for call in (glance_store.delete, glance_store.get, glance_store.get_size_from_uri_and_backend):
            self.assertRaises(glance_store.NotFound, call, self.uri, "fast")

    def test_access_lists_that_a_store_lacks_are_ignored(self):
        self.add()
        self.assertIsNone(glance_store.set_acls_for_multi_store(self.uri, "fast", public=True, read_tenants=["a"]))
