"""One store of each driver: the functions that find the store by the scheme."""

import io

from glance_mini_store import compat as glance_store
from tests.unit.store.compat.base import DATA, MD5, SHA256, CompatTestCase, Verifier, data

SINGLE = "[glance_store]\nstores = file,http,memory\ndefault_store = file\nfilesystem_store_datadir = ROOT/images\n"


class SingleTestCase(CompatTestCase):
    def setUp(self):
        super().setUp()
        self.program = self.conf(SINGLE)
        glance_store.register_opts(self.program)
        self.count = glance_store.create_stores(self.program)
        self.uri = f"file://{self.root}/images/abc"

    def add(self, image_id="abc", size=10, **more):
        return glance_store.add_to_backend_with_multihash(self.program, image_id, data(), size, "sha256", **more)


class TestCreation(SingleTestCase):
    def test_options_of_all_drivers_are_registered_in_one_group(self):
        conf = self.conf()
        glance_store.register_opts(conf)
        self.assertEqual("file", conf.glance_store.default_store)
        self.assertEqual(["file", "http"], conf.glance_store.stores)
        self.assertEqual(65536, conf.glance_store.filesystem_store_chunk_size)
        self.assertIsNone(conf.glance_store.https_ca_certificates_file)

    def test_stores_are_counted_and_their_schemes_known(self):
        self.assertEqual(3, self.count)
        self.assertEqual(["file", "filesystem", "http", "https", "memory"], sorted(glance_store.get_known_schemes()))

    def test_default_store_is_verified(self):
        self.assertIsNone(glance_store.verify_default_store())
        self.program.set_override("default_store", "gold", group="glance_store")
        self.assertRaises(RuntimeError, glance_store.verify_default_store)

    def test_nothing_is_known_before_stores_are_created(self):
        self.useFixture_no_stores()
        self.assertEqual([], glance_store.get_known_schemes())
        self.assertRaises(RuntimeError, glance_store.verify_default_store)
        self.assertRaises(glance_store.UnknownScheme, glance_store.get_from_backend, self.uri)

    def useFixture_no_stores(self):
        glance_store.backend.loaded._loaded.clear()

    def test_stores_that_are_created_again_replace_those_before(self):
        self.program.set_override("filesystem_store_datadir", str(self.root / "other"), group="glance_store")
        glance_store.create_stores(self.program)
        self.assertEqual(f"file://{self.root}/other/abc", self.add()[0])

    def test_unusable_option_is_a_bad_store_configuration(self):
        self.program.set_override("filesystem_store_datadir", "relative", group="glance_store")
        error = self.assertRaises(glance_store.BadStoreConfiguration, glance_store.create_stores, self.program)
        self.assertIn("filesystem_store_datadir", error.msg)

    def test_unknown_driver_is_a_load_failure(self):
        self.program.set_override("stores", ["alchemy"], group="glance_store")
        self.assertRaises(glance_store.DriverLoadFailure, glance_store.create_stores, self.program)

    def test_scheme_map_has_the_stores(self):
        entry = glance_store.location.SCHEME_TO_CLS_MAP["filesystem"]
        self.assertIs(glance_store.get_store_from_scheme("file"), entry["store"])
        self.assertEqual("file", entry["store_entry"])


class TestFinding(SingleTestCase):
    def test_store_is_found_by_scheme_and_uri(self):
        store = glance_store.get_store_from_scheme("filesystem")
        self.assertIs(store, glance_store.get_store_from_uri("file:///a"))
        self.assertIsInstance(store, glance_store.Store)
        self.assertEqual(("file", "filesystem"), tuple(store.get_schemes()))

    def test_scheme_of_a_location_is_returned(self):
        self.assertEqual("http", glance_store.get_store_from_location("http://a/b"))

    def test_unknown_scheme(self):
        for call in (
            glance_store.get_store_from_scheme,
            glance_store.get_store_from_uri,
            glance_store.get_store_from_location,
            glance_store.get_from_backend,
            glance_store.get_size_from_backend,
            glance_store.delete_from_backend,
            glance_store.set_acls,
        ):
            for uri in ("gold://x", "no uri"):
                self.assertRaises(glance_store.exceptions.UnknownScheme, call, uri)

    def test_capabilities_of_stores_are_bits(self):
        bits = glance_store.capabilities.BitMasks
        file, web = (glance_store.get_store_from_scheme(scheme) for scheme in ("file", "http"))
        self.assertTrue(file.is_capable(bits.READ_RANDOM, bits.WRITE_ACCESS, bits.DRIVER_REUSABLE))
        self.assertTrue(web.is_capable(bits.READ_RANDOM, bits.DRIVER_REUSABLE))
        self.assertFalse(web.is_capable(bits.WRITE_ACCESS))


class TestAdding(SingleTestCase):
    def test_five_values_with_a_hash(self):
        self.assertEqual((self.uri, 10, MD5, SHA256, {}), self.add())

    def test_four_values_without(self):
        added = glance_store.add_to_backend(self.program, "abc", data(), 0)
        self.assertEqual((self.uri, 10, MD5, {}), added)

    def test_size_0_is_unknown(self):
        self.assertEqual(10, self.add(size=0)[1])

    def test_scheme_chooses_the_store(self):
        self.assertEqual("memory://memory/abc", self.add(scheme="memory")[0])
        self.assertRaises(glance_store.UnknownScheme, self.add, scheme="gold")

    def test_bytes_in_pieces_are_taken(self):
        added = glance_store.add_to_backend(self.program, "abc", iter([b"01234", b"56789"]), 10)
        self.assertEqual(MD5, added[2])

    def test_verifier_gets_all_bytes(self):
        verifier = Verifier()
        self.add(verifier=verifier)
        self.assertEqual(DATA, verifier.seen)

    def test_other_size_than_announced_is_invalid_and_leaves_nothing(self):
        for size in (9, 11):
            self.assertRaises(glance_store.Invalid, self.add, size=size)
        self.assertEqual([], list((self.root / "images").iterdir()))

    def test_taken_name_is_a_duplicate(self):
        self.add()
        self.assertRaises(glance_store.Duplicate, self.add)

    def test_name_that_leads_elsewhere_is_invalid(self):
        self.assertRaises(glance_store.Invalid, self.add, "../abc")

    def test_unknown_hash(self):
        self.assertRaises(
            glance_store.UnknownHashingAlgo,
            glance_store.add_to_backend_with_multihash,
            self.program,
            "abc",
            data(),
            10,
            "nope",
        )

    def test_read_only_store_takes_nothing(self):
        self.assertRaises(glance_store.StoreAddDisabled, self.add, scheme="http")

    def test_error_of_the_data_passes(self):
        class Broken(io.BytesIO):
            def read(self, size=-1):
                raise ValueError("broken off")

        self.assertRaises(ValueError, glance_store.add_to_backend, self.program, "abc", Broken(), 0)

    def test_store_may_be_given(self):
        store = glance_store.get_store_from_scheme("file")
        self.assertEqual((self.uri, 10, MD5, {}), glance_store.store_add_to_backend("abc", data(), 10, store))
        added = glance_store.store_add_to_backend_with_multihash("abd", data(), 10, "sha256", store)
        self.assertEqual((10, MD5, SHA256, {}), added[1:])

    def test_metadata_of_a_given_store_is_checked(self):
        class Store:
            def add(self, *args, **kwargs):
                return "x://y", 1, "", "", self.metadata

        store = Store()
        for store.metadata in (None, [], {"a": 1}, {"a": ["b", {"c": None}]}):
            self.assertRaises(
                glance_store.BackendException, glance_store.store_add_to_backend, "abc", data(), 10, store
            )
        store.metadata = {"a": ["b", {"c": "d"}]}
        self.assertEqual(store.metadata, glance_store.store_add_to_backend("abc", data(), 10, store)[3])

    def test_metadata_has_dictionaries_lists_and_strings_only(self):
        self.assertIsNone(glance_store.check_location_metadata({"a": ["b", {"c": "d"}], "e": {}}))
        for value in (1, None, {"a": 1}, {"a": ["b", {"c": 1.5}]}, {"a": b"b"}):
            self.assertRaises(glance_store.BackendException, glance_store.check_location_metadata, value)
        error = self.assertRaises(
            glance_store.BackendException, glance_store.check_location_metadata, {"a": [{"b": 1}]}, "top"
        )
        self.assertIn("top.a[0].b", str(error))


class TestReading(SingleTestCase):
    def setUp(self):
        super().setUp()
        self.add()

    def read(self, *args, **kwargs):
        blocks, number = glance_store.get_from_backend(self.uri, *args, **kwargs)
        return b"".join(blocks), number

    def test_all_data_and_its_size(self):
        self.assertEqual((DATA, 10), self.read())

    def test_parts(self):
        self.assertEqual((b"56789", 10), self.read(offset=5))
        self.assertEqual((b"234", 3), self.read(2, 3))
        self.assertEqual((b"012", 3), self.read(0, chunk_size=3))
        self.assertEqual((b"", 10), self.read(20))

    def test_size(self):
        self.assertEqual(10, glance_store.get_size_from_backend(self.uri))

    def test_missing_data_is_not_found(self):
        for call in (
            glance_store.get_from_backend,
            glance_store.get_size_from_backend,
            glance_store.delete_from_backend,
        ):
            self.assertRaises(glance_store.NotFound, call, self.uri + "x")

    def test_location_outside_of_the_store_is_a_bad_uri(self):
        self.assertRaises(glance_store.BadStoreUri, glance_store.get_from_backend, "file:///etc/passwd")

    def test_error_in_the_middle_is_one_of_the_exceptions(self):
        blocks, _ = glance_store.get_from_backend(self.uri)
        (self.root / "images/abc").write_bytes(b"0123")
        self.assertRaises(glance_store.GlanceStoreException, b"".join, blocks)

    def test_reader_can_be_closed(self):
        blocks, _ = glance_store.get_from_backend(self.uri)
        blocks.close()
        blocks.close()


class TestDeleting(SingleTestCase):
    def test_deleted_data_is_not_found(self):
        self.add()
        self.assertIsNone(glance_store.delete_from_backend(self.uri))
        self.assertRaises(glance_store.NotFound, glance_store.delete_from_backend, self.uri)

    def test_read_only_store_cannot_delete(self):
        self.assertRaises(glance_store.StoreDeleteNotSupported, glance_store.delete_from_backend, "http://a/b")

    def test_access_lists_that_a_store_lacks_are_ignored(self):
        self.add()
        self.assertIsNone(glance_store.set_acls(self.uri, public=True, read_tenants=["a"], write_tenants=["b"]))
        store = glance_store.get_store_from_scheme("file")
        self.assertRaises(
            NotImplementedError, store.set_acls, glance_store.location.get_location_from_uri(self.uri), public=True
        )
