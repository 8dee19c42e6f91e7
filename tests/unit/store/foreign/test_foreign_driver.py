"""Drivers of other people behind the contract of this library."""

from pathlib import Path
from types import SimpleNamespace

import fixtures
from oslo_config import cfg
from testtools import TestCase

from glance_mini import conf as configuration
from glance_mini.conf.known import own_options
from glance_mini.conf.lines import Line
from glance_mini_store import capabilities, errors
from glance_mini_store.drivers.foreign import load_foreign
from glance_mini_store.drivers.foreign.source import ChunkFile
from glance_mini_store.loading import load_driver
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores
from glance_mini_store.testing import DriverContract
from tests.unit.store.foreign import dict_store

MODULE = "tests.unit.store.foreign.dict_store"
KINDS = ("Store", "RandomStore", "OffsetStore", "ReadsAnnounced", "LosesBytes", "Fails", "NotADriver", "choose")
SETTINGS = {"dict_name": "x", "dict_password": "sesame", "dict_user": "operator", "dict_size": 65536, "dict_more": None}


class ForeignTestCase(TestCase):
    """Has a package installed whose entry points are the drivers of ``dict_store``."""

    def setUp(self):
        folder = fixtures.TempDir()
        folder.setUp()
        self.folder = Path(folder.path)
        package = self.folder / "dict_store-1.0.dist-info"
        package.mkdir()
        (package / "METADATA").write_text("Metadata-Version: 2.1\nName: dict-store\nVersion: 1.0\n")
        lines = [f"{kind.lower()} = {MODULE}:{kind}" for kind in KINDS] + ["broken = tests.no_such_module:Store"]
        (package / "entry_points.txt").write_text("[glance_store.drivers]\n" + "\n".join(lines) + "\n")
        path = fixtures.PythonPathEntry(folder.path)
        path.setUp()
        load_foreign.cache_clear()
        dict_store.DATA.clear()
        dict_store.MADE.clear()
        super().setUp()
        self.addCleanup(folder.cleanUp)
        self.addCleanup(path.cleanUp)
        self.addCleanup(load_foreign.cache_clear)

    def make(self, kind, **values):
        driver = load_driver(f"glance_store.{kind.lower()}")
        made = driver.from_config(SimpleNamespace(**{**SETTINGS, **values}), "old")
        made.check()
        return made


class TestWholeReads(DriverContract, ForeignTestCase):
    def make_driver(self):
        return self.make("Store")

    def leftovers(self):
        return sorted(dict_store.DATA)


class TestParts(DriverContract, ForeignTestCase):
    def make_driver(self):
        return self.make("RandomStore")

    def leftovers(self):
        return sorted(dict_store.DATA)


class TestOffsets(DriverContract, ForeignTestCase):
    def make_driver(self):
        return self.make("OffsetStore")


class TestLoading(ForeignTestCase):
    def test_type_is_the_name_in_the_configuration(self):
        self.assertEqual("glance_store.store", load_driver("glance_store.store").type)

    def test_driver_that_is_not_installed_is_named_with_those_that_are(self):
        error = self.assertRaises(errors.DriverLoadFailure, load_driver, "glance_store.gold")
        self.assertIn("no installed package offers gold as glance_store.drivers; there are", str(error))
        self.assertIn("offsetstore", str(error))

    def test_what_cannot_be_imported_or_is_no_driver_is_refused(self):
        for name in ("broken", "notadriver"):
            error = self.assertRaises(errors.DriverLoadFailure, load_driver, f"glance_store.{name}")
            self.assertIn(f"glance_store.{name}", str(error))

    def test_function_that_chooses_a_class_is_a_driver(self):
        driver = self.make("choose")
        self.assertIn(capabilities.RANGE, driver.capabilities)
        self.assertIn("dict_name", [option.dest for option in driver.options])

    def test_options_with_secrets_are_hidden(self):
        hidden = {option.dest for option in load_driver("glance_store.store").options if option.secret}
        self.assertEqual({"dict_password", "dict_user"}, hidden)
        self.assertFalse(dict_store.Store.OPTIONS[1].secret)

    def test_capabilities_are_those_of_the_driver(self):
        words = capabilities
        self.assertEqual({words.READ, words.WRITE, words.DELETE}, self.make("Store").capabilities)
        everything = words.ALL - {words.PRESIGN, words.UPLOAD, words.DRAFT, words.LIST}
        self.assertEqual(everything, self.make("RandomStore").capabilities)
        self.assertEqual(("dict",), self.make("Store").schemes)

    def test_driver_that_cannot_be_configured_says_why_without_its_secrets(self):
        error = self.assertRaises(errors.BadStoreConfiguration, self.make, "Store", dict_name=None)
        self.assertIn("no dict_name for ***", str(error))


class TestConfiguration(ForeignTestCase):
    TEXT = """
[DEFAULT]
enabled_backends = old:glance_store.randomstore,mem:memory,other:glance_store.randomstore
[glance_store]
default_backend = old
[backend_defaults]
dict_name = shared
[old]
dict_more = a
dict_more = b
weight = 4
[other]
dict_size = 5
"""

    def conf(self, text):
        path = self.folder / "service.conf"
        path.write_text(text)
        conf = cfg.ConfigOpts()
        conf(["--config-file", str(path)], default_config_files=[])
        return conf

    def test_store_is_configured_by_its_group_and_the_defaults(self):
        stores = Stores.from_config(self.conf(self.TEXT))
        self.addCleanup(stores.close)
        old, _, other = stores
        self.assertEqual((4, "glance_store.randomstore"), (old.weight, old.type))
        kept = old.write("abc", [b"0123456789"])
        self.assertEqual({"more": ["a", "b"]}, dict(kept.metadata))
        self.assertEqual(b"345", b"".join(old.read(kept.location, 3, 3)))
        made = {store.backend_group: store.store_conf for store in dict_store.MADE}
        self.assertEqual(("shared", 65536), (made["old"].dict_name, made["old"].dict_size))
        self.assertEqual(("shared", 5), (made["other"].dict_name, made["other"].dict_size))
        self.assertEqual("old", made["old"]._conf.glance_store.default_backend)
        self.assertEqual(5, len(next(other.read(kept.location))))

    def test_optional_store_that_cannot_be_set_up_keeps_its_schemes(self):
        self.useFixture(fixtures.FakeLogger())
        text = self.TEXT.replace("dict_name = shared", "") + "[old]\ndict_name = x\n[other]\noptional = true\n"
        stores = Stores.from_config(self.conf(text))
        self.addCleanup(stores.close)
        self.assertEqual((("dict",), False), (stores.get("other").driver.schemes, stores.get("other").available))
        for store in (stores.for_location("dict://abc", "other"), stores.get("other")):
            error = self.assertRaises(errors.StoreUnavailable, store.read, "dict://abc")
            self.assertIn("no dict_name", str(error))

    def test_options_are_known_in_the_section_of_the_store_and_the_defaults(self):
        self.conf(self.TEXT)
        known = own_options(configuration.load(["--config-file", str(self.folder / "service.conf")]))
        for section in ("old", "other", "backend_defaults"):
            self.assertIn("dict_size", known.names(section))
        self.assertNotIn("dict_size", known.names("mem"))
        self.assertFalse(known.has(Line("x", 1, "old", "dict_sise", "1")))


class TestCalls(ForeignTestCase):
    def test_driver_that_is_not_reusable_is_made_for_each_call(self):
        driver = self.make("Store")
        location = driver.write("abc", [b"data"]).location
        before = len(dict_store.MADE)
        driver.size(location)
        self.assertEqual(before + 1, len(dict_store.MADE))
        driver = self.make("RandomStore")
        before = len(dict_store.MADE)
        driver.size(location)
        self.assertEqual(before, len(dict_store.MADE))

    def test_source_is_read_to_its_end_for_a_driver_that_stops_before(self):
        store = Store(self.make("ReadsAnnounced"), "old")
        self.assertEqual(10, store.write("abc", [b"01234", b"56789"], size=10).size)
        self.assertRaises(errors.SizeMismatch, store.write, "abd", [b"01234", b"567890"], size=10)
        self.assertEqual(["abc"], sorted(dict_store.DATA))

    def test_missing_bytes_are_an_error(self):
        driver = self.make("LosesBytes")
        location = driver.write("abc", [b"0123456789"]).location
        self.assertRaises(errors.SizeMismatch, b"".join, driver.read(location))

    def test_access_lists_reach_the_driver(self):
        driver = self.make("RandomStore")
        driver.set_acl(driver.write("abc", [b"data"]).location, False, ["a", "b"])
        self.assertEqual(("abc", False, ["a", "b"]), dict_store.DATA["acl"])

    def test_data_that_no_record_knows_is_discarded_where_the_driver_writes(self):
        driver = self.make("Store")
        driver.write("abc", [b"data"])
        driver.write("abd", [b"data"])
        driver.discard("abc")
        self.assertEqual(["abd"], sorted(dict_store.DATA))

    def test_exceptions_become_errors_of_the_library_without_secrets(self):
        driver = self.make("Fails")
        for name, expected in (
            ("NotFound", errors.NotFound),
            ("Duplicate", errors.Duplicate),
            ("StorageFull", errors.StorageFull),
            ("StorageWriteDenied", errors.StorageWriteDenied),
            ("Forbidden", errors.Forbidden),
            ("NotAuthenticated", errors.Forbidden),
            ("Invalid", errors.Invalid),
            ("BadStoreUri", errors.BadStoreUri),
            ("InUseByStore", errors.InUseByStore),
            ("HasSnapshot", errors.HasSnapshot),
            ("StoreRandomGetNotSupported", errors.StoreGetNotSupported),
            ("RemoteServiceUnavailable", errors.RemoteServiceUnavailable),
            ("AuthorizationFailure", errors.RemoteServiceUnavailable),
            ("BackendException", errors.RemoteServiceUnavailable),
            ("OSError", errors.RemoteServiceUnavailable),
            ("KeyError", errors.RemoteServiceUnavailable),
        ):
            error = self.assertRaises(errors.StoreError, driver.size, f"dict://{name}")
            self.assertIs(expected, type(error), name)
            for secret in ("sesame", "key@", "token"):
                self.assertNotIn(secret, str(error))
            self.assertIsNone(error.__cause__)


class TestChunkFile(TestCase):
    def test_bytes_come_in_the_sizes_that_are_asked_for(self):
        file = ChunkFile([b"0123", b"", memoryview(b"456789")])
        self.assertEqual([b"012", b"3", b"456", b"789", b"", b""], [file.read(3) for _ in range(6)])
        self.assertEqual(b"0123456789", ChunkFile([b"0123", b"456789"]).read())

    def test_failure_of_the_chunks_is_kept(self):
        def broken():
            yield b"0"
            raise LookupError("broken off")

        file = ChunkFile(broken())
        self.assertEqual(b"0", file.read(10))
        failure = self.assertRaises(LookupError, file.read, 10)
        self.assertIs(failure, file.failure)

    def test_bytes_that_nobody_read_are_a_mismatch(self):
        for read in (2, 4):
            file = ChunkFile([b"0123", b"4567"])
            file.read(read)
            self.assertRaises(errors.SizeMismatch, file.finish)
        file.read(4)
