"""Stores by configuration: which there are, what stops the start, and which one a location belongs to."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fixtures import FakeLogger, TempDir
from oslo_config import cfg
from testtools import TestCase

from glance_mini_store import errors
from glance_mini_store.buffers import Buffers
from glance_mini_store.drivers.memory import MemoryDriver
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores, list_opts
from tests.unit.entry_points import installed


@dataclass(frozen=True)
class Place:
    url: str
    metadata: Mapping[str, object] = field(default_factory=dict)


class Borrowing(MemoryDriver):
    """Remembers the budget that it may borrow from."""

    buffers: Buffers | None = None

    def use_buffers(self, buffers: Buffers) -> None:
        self.buffers = buffers


class StoresTestCase(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log = self.useFixture(FakeLogger())
        self.root = self.useFixture(TempDir()).path

    def stores(self, text: str, reserved: Mapping[str, str] | None = None) -> Stores:
        """Return the stores of a configuration file in which ROOT is a fresh directory."""
        stores = Stores.from_config(self.conf(text), reserved)
        self.addCleanup(stores.close)
        return stores

    def conf(self, text: str) -> cfg.ConfigOpts:
        path = Path(self.root) / "test.conf"
        path.write_text(text.replace("ROOT", self.root), encoding="utf-8")
        conf = cfg.ConfigOpts()
        conf(["--config-file", str(path)], default_config_files=[])
        return conf

    def refusal(self, text: str, reserved: Mapping[str, str] | None = None) -> str:
        """Return why the start is refused."""
        return str(self.assertRaises(errors.StoreError, self.stores, text, reserved))


SEVERAL = """
[DEFAULT]
enabled_backends = fast:file,cheap:file,web:http,mem:memory
[glance_store]
default_backend = cheap
[backend_defaults]
filesystem_store_chunk_size = 8192
filesystem_thin_provisioning = false
[fast]
filesystem_store_datadir = ROOT/fast
store_description = made of SSDs
weight = 10
[cheap]
filesystem_store_datadir = ROOT/fast/../cheap
filesystem_store_chunk_size = 4096
[mem]
weight = -1
"""


class TestSeveralStores(StoresTestCase):
    def test_stores_come_in_the_order_of_the_configuration(self) -> None:
        stores = self.stores(SEVERAL)
        self.assertTrue(stores.multi)
        self.assertEqual(["fast", "cheap", "web", "mem"], stores.ids())
        self.assertEqual(["file", "file", "http", "memory"], [store.type for store in stores])

    def test_group_of_a_store_describes_it(self) -> None:
        fast, cheap, web, _ = self.stores(SEVERAL)
        self.assertEqual(("made of SSDs", 10, False), (fast.description, fast.weight, fast.is_default))
        self.assertEqual((None, 0, True), (cheap.description, cheap.weight, cheap.is_default))
        self.assertTrue(web.read_only)

    def test_default_store_is_the_one_that_was_named(self) -> None:
        self.assertEqual("cheap", self.stores(SEVERAL).default.id)

    def test_default_store_may_be_read_only(self) -> None:
        stores = self.stores("[DEFAULT]\nenabled_backends = a:memory,web:http\n[glance_store]\ndefault_backend = web")
        self.assertEqual(("web", True), (stores.default.id, stores.default.read_only))

    def test_value_of_the_group_wins_over_backend_defaults_and_these_over_the_default(self) -> None:
        fast, cheap, _, _ = self.stores(SEVERAL)
        self.assertEqual(
            {"data_dir": f"{self.root}/fast", "chunk_size": 8192, "thin_provisioning": False}, fast.properties()
        )
        self.assertEqual(
            {"data_dir": f"{self.root}/cheap", "chunk_size": 4096, "thin_provisioning": False}, cheap.properties()
        )

    def test_unknown_id_is_an_unknown_store(self) -> None:
        error = self.assertRaises(errors.UnknownStore, self.stores(SEVERAL).get, "gold")
        self.assertIn("gold", str(error))

    def test_only_store_is_the_default_without_saying_so(self) -> None:
        self.assertEqual("mem", self.stores("[DEFAULT]\nenabled_backends = mem:memory").default.id)

    def test_reserved_stores_are_found_and_not_listed(self) -> None:
        text = SEVERAL + "[os_glance_staging_store]\nfilesystem_store_datadir = ROOT/staging"
        stores = self.stores(text, {"os_glance_staging_store": "file"})
        self.assertNotIn("os_glance_staging_store", stores.ids())
        staging = stores.get("os_glance_staging_store")
        self.assertTrue(staging.reserved)
        self.assertIs(staging, stores.for_location(f"file://{self.root}/staging/x"))


class Closing(MemoryDriver):
    """A driver that tells when it is closed."""

    is_closed = False

    def close(self) -> None:
        self.is_closed = True


class TestUpdate(StoresTestCase):
    """The same stores with another configuration, while they are used."""

    FIRST = "[DEFAULT]\nenabled_backends = a:file,m:memory\n[glance_store]\ndefault_backend = m\n[a]\n"
    FIRST += "filesystem_store_datadir = ROOT/a\n"

    def setUp(self) -> None:
        super().setUp()
        self.found = self.stores(self.FIRST)

    def test_store_is_added_and_the_others_keep_their_drivers_and_data(self) -> None:
        location = self.found.get("m").write("x", [b"data"]).location
        drivers = [store.driver for store in self.found]
        text = (
            self.FIRST.replace("m:memory", "m:memory,b:file") + "[b]\nfilesystem_store_datadir = ROOT/b\nweight = 3\n"
        )
        self.found.update(self.conf(text))
        self.assertEqual((["a", "m", "b"], 3), (self.found.ids(), self.found.get("b").weight))
        self.assertEqual(drivers, [self.found.get(name).driver for name in ("a", "m")])
        self.assertEqual(b"data", b"".join(self.found.for_location(location).read(location)))

    def test_what_is_said_about_a_store_changes_and_its_driver_stays(self) -> None:
        before = self.found.get("m").driver
        self.found.update(self.conf(self.FIRST + "[m]\nweight = 7\nstore_description = fast\n"))
        store = self.found.get("m")
        self.assertEqual((7, "fast", before), (store.weight, store.description, store.driver))

    def test_store_with_another_setting_gets_another_driver(self) -> None:
        self.found.update(self.conf(self.FIRST.replace("ROOT/a", "ROOT/elsewhere")))
        self.assertEqual(f"{self.root}/elsewhere", self.found.get("a").properties()["data_dir"])

    def test_removed_store_is_closed_when_its_last_read_has_ended(self) -> None:
        driver = Closing("gone")
        stores = Stores([*self.found, Store(driver, "gone")])
        location = stores.get("gone").write("x", [b"data"]).location
        reading = stores.get("gone").trusting().read(location)
        stores.update(self.conf(self.FIRST))
        self.assertRaises(errors.UnknownStore, stores.get, "gone")
        self.assertFalse(driver.is_closed)
        self.assertEqual(b"data", b"".join(reading))
        del reading
        self.assertTrue(driver.is_closed)

    def test_drivers_borrow_from_the_budget_of_the_service_also_those_that_come_later(self) -> None:
        buffers = Buffers()
        with installed("glance_mini_store.drivers", ("borrowing", f"{__name__}:Borrowing")):
            text = "[DEFAULT]\nenabled_backends = one:borrowing\n"
            stores = Stores.from_config(self.conf(text), buffers=buffers)
            self.addCleanup(stores.close)
            stores.update(
                self.conf(text.replace("one", "one:borrowing,two") + "[glance_store]\ndefault_backend = one\n")
            )
        drivers = [store.driver for store in stores]
        self.assertEqual(["one", "two"], stores.ids())
        for driver in drivers:
            assert isinstance(driver, Borrowing)
            self.assertIs(buffers, driver.buffers)

    def test_wrong_configuration_changes_nothing(self) -> None:
        before = list(self.found)
        for text in (
            self.FIRST.replace("ROOT/a", "relative"),
            self.FIRST.replace("m:memory", "m:acme"),
            self.FIRST.replace("default_backend = m", "default_backend = z"),
            "[glance_store]\nfilesystem_store_datadir = ROOT/a\n",
        ):
            self.assertRaises(errors.StoreError, self.found.update, self.conf(text))
            self.assertEqual(before, list(self.found))
        self.found.get("m").write("y", [b"still there"])

    def test_optional_store_that_was_down_is_tried_again(self) -> None:
        text = self.FIRST.replace("a:file", "a:file,late:file")
        text += "[late]\noptional = true\nfilesystem_store_datadir = ROOT/test.conf/late\n"
        self.found.update(self.conf(text))
        self.assertFalse(self.found.get("late").available)
        self.found.update(self.conf(text.replace("test.conf/", "")))
        self.assertTrue(self.found.get("late").available)


class TestOneStore(StoresTestCase):
    TEXT = "[glance_store]\nfilesystem_store_datadir = ROOT/images\n"

    def test_drivers_are_the_ids_and_their_options_stand_in_glance_store(self) -> None:
        stores = self.stores(self.TEXT)
        self.assertFalse(stores.multi)
        self.assertEqual(["file", "http"], stores.ids())
        self.assertEqual("file", stores.default.id)
        self.assertEqual(f"{self.root}/images", stores.default.properties()["data_dir"])

    def test_other_drivers_and_another_default_may_be_named(self) -> None:
        stores = self.stores("[glance_store]\nstores = http,memory\ndefault_store = memory")
        self.assertEqual((["http", "memory"], "memory"), (stores.ids(), stores.default.id))


class TestRefusedStart(StoresTestCase):
    ONE = "[DEFAULT]\nenabled_backends = one:file\n[one]\n"

    def test_message_names_store_driver_and_option(self) -> None:
        for line, option in (
            ("filesystem_store_datadir = relative/path", "filesystem_store_datadir"),
            ("filesystem_store_datadirs = ROOT/a:high", "filesystem_store_datadirs"),
            ("filesystem_store_datadirs = ROOT/a:1\nfilesystem_store_datadirs = ROOT/a:2", "filesystem_store_datadirs"),
            ("filesystem_store_datadir = ROOT/a\nfilesystem_store_datadirs = ROOT/b", "filesystem_store_datadirs"),
            ("filesystem_store_datadir = ROOT/test.conf", "filesystem_store_datadir"),
            ("filesystem_store_datadir = ROOT/test.conf/a", "filesystem_store_datadir"),
            ("filesystem_store_datadir = ROOT/a\nfilesystem_store_file_perm = 648", "filesystem_store_file_perm"),
            ("filesystem_store_datadir = ROOT/a\nfilesystem_store_chunk_size = many", "filesystem_store_chunk_size"),
            ("filesystem_store_metadata_file = ROOT/none\nfilesystem_store_datadir = ROOT/a", "metadata_file"),
            ("filesystem_store_metadata_file = ROOT/test.conf\nfilesystem_store_datadir = ROOT/a", "metadata_file"),
            ("weight = heavy\nfilesystem_store_datadir = ROOT/a", "weight"),
        ):
            message = self.refusal(self.ONE + line)
            self.assertTrue(message.startswith("store one (driver file): option "), message)
            self.assertIn(option, message)

    def test_unknown_driver_is_named(self) -> None:
        message = self.refusal("[DEFAULT]\nenabled_backends = gold:alchemy")
        self.assertTrue(message.startswith("store gold (driver alchemy): driver alchemy cannot be loaded"), message)

    def test_reserved_and_malformed_ids_are_refused(self) -> None:
        for store_id in ("os_glance_staging_store", "backend_defaults", "glance_store", "DEFAULT", "a b", "-a", "a/b"):
            self.assertIn("enabled_backends", self.refusal(f"[DEFAULT]\nenabled_backends = {store_id}:memory"))

    def test_default_store_must_be_one_of_the_stores(self) -> None:
        for line in ("", "[glance_store]\ndefault_backend = c"):
            message = self.refusal(f"[DEFAULT]\nenabled_backends = a:memory,b:memory\n{line}")
            self.assertIn("default_backend", message)
        self.assertIn("default_store", self.refusal("[glance_store]\nstores = http"))


class TestOptionalStore(StoresTestCase):
    TEXT = """
[DEFAULT]
enabled_backends = mem:memory,broken:file,unknown:alchemy
[glance_store]
default_backend = mem
[broken]
optional = true
filesystem_store_datadir = ROOT/test.conf/images
[unknown]
optional = true
"""

    def test_store_that_cannot_be_set_up_is_listed_with_the_reason(self) -> None:
        mem, broken, unknown = self.stores(self.TEXT)
        self.assertTrue(mem.available)
        self.assertIsNone(mem.reason)
        for store, kind, part in (
            (broken, "file", "filesystem_store_datadir"),
            (unknown, "alchemy", "no installed package"),
        ):
            self.assertFalse(store.available)
            self.assertFalse(store.read_only)
            self.assertEqual(kind, store.type)
            self.assertIn(part, str(store.reason))
            self.assertIn(f"optional store {store.id} (driver {kind}) is unavailable", self.log.output)

    def test_every_operation_on_it_says_why(self) -> None:
        stores = self.stores(self.TEXT)
        store = stores.for_location("file:///somewhere/x")
        calls = (store.read, store.size, store.delete, store.discard, lambda _: store.write("x", []))
        for call in (*calls, lambda _: store.set_acl("file:///x", True, [])):
            error = self.assertRaises(errors.StoreUnavailable, call, "file:///x")
            self.assertIn("store broken: ", str(error))

    def test_store_whose_driver_cannot_be_loaded_says_why_for_the_locations_that_name_it(self) -> None:
        store = self.stores(self.TEXT).for_location("gold://somewhere/x", "unknown")
        error = self.assertRaises(errors.StoreUnavailable, store.read, "gold://somewhere/x")
        self.assertIn("no installed package", str(error))

    def test_default_store_is_never_optional(self) -> None:
        self.refusal(self.TEXT.replace("default_backend = mem", "default_backend = broken"))


class TestLocations(StoresTestCase):
    TEXT = """
[DEFAULT]
enabled_backends = outer:file,inner:file,two:file,web:http,mem:memory
[glance_store]
default_backend = outer
[outer]
filesystem_store_datadir = ROOT/images
weight = 1
[inner]
filesystem_store_datadir = ROOT/images/inner
weight = 5
[two]
filesystem_store_datadirs = ROOT/a:1
filesystem_store_datadirs = ROOT/b:2
[mem]
weight = 3
"""

    def setUp(self) -> None:
        super().setUp()
        self.all = self.stores(self.TEXT)

    def test_store_is_found_by_the_longest_prefix(self) -> None:
        wanted = {
            f"file://{self.root}/images/x": "outer",
            f"filesystem://{self.root}/images/x": "outer",
            f"file://{self.root}/images/inner/x": "inner",
            f"file://{self.root}/a/x": "two",
            f"file://{self.root}/b/x": "two",
            "https://host/x": "web",
            "memory://mem/x": "mem",
        }
        self.assertEqual(wanted, {uri: self.all.for_location(uri).id for uri in wanted})

    def test_named_store_wins_over_the_prefix(self) -> None:
        self.assertEqual("two", self.all.for_location(f"file://{self.root}/images/x", "two").id)

    def test_named_store_of_another_scheme_is_an_unknown_scheme(self) -> None:
        self.assertRaises(errors.UnknownScheme, self.all.for_location, "http://host/x", "two")
        self.assertRaises(errors.UnknownStore, self.all.for_location, "http://host/x", "gold")

    def test_scheme_without_a_store_is_unknown(self) -> None:
        self.assertRaises(errors.UnknownScheme, self.all.for_location, "rbd://image")
        self.assertRaises(errors.BadStoreUri, self.all.for_location, "no location")

    def test_location_outside_all_stores_is_refused(self) -> None:
        for uri in ("file:///etc/passwd", f"file://{self.root}/imagesx/y", "memory://other/x"):
            self.assertRaises(errors.BadStoreUri, self.all.for_location, uri)

    def test_user_may_name_a_web_address(self) -> None:
        self.assertEqual("web", self.all.validate_user_location("https://user:key@host/image?x=1").id)

    def test_user_may_not_name_files_or_broken_or_foreign_locations(self) -> None:
        for uri, error in (
            (f"file://{self.root}/images/x", errors.BadStoreUri),
            (f"filesystem://{self.root}/images/x", errors.BadStoreUri),
            ("swift+config://ref1/c/o", errors.BadStoreUri),
            ("http://host:port/", errors.BadStoreUri),
            ("http://user:SECRET:x@host/", errors.BadStoreUri),
            ("rbd://image", errors.UnknownScheme),
            ("nothing", errors.BadStoreUri),
            ("", errors.BadStoreUri),
        ):
            self.assertNotIn("SECRET", str(self.assertRaises(error, self.all.validate_user_location, uri)))

    def test_users_may_name_what_the_driver_allows_them_and_services_all_of_its_locations(self) -> None:
        uri = next(iter(self.all.get("mem").driver.prefixes)) + "x"
        self.assertRaises(errors.BadStoreUri, self.all.validate_user_location, uri)
        self.assertEqual("mem", self.all.validate_user_location(uri, trusted=True).id)
        for never in (f"file://{self.root}/images/x", "swift+config://ref1/c/o", "memory://other/x"):
            self.assertRaises(errors.BadStoreUri, self.all.validate_user_location, never, trusted=True)

    def test_only_the_web_is_for_users_by_default(self) -> None:
        allowed = {store.type for store in self.all if store.driver.is_for_users(store.driver.prefixes[0] + "x")}
        self.assertEqual({"http"}, allowed)

    def test_locations_are_ordered_by_weight_and_keep_their_order_otherwise(self) -> None:
        places = [
            Place("https://host/1"),
            Place("rbd://unknown"),
            Place(f"file://{self.root}/a/2", {"store": "two"}),
            Place("memory://mem/3"),
            Place(f"file://{self.root}/images/4", {"store": "inner"}),
        ]
        self.assertEqual([places[4], places[3], places[0], places[2], places[1]], self.all.order(places))


class TestOptions(TestCase):
    def test_all_options_are_listed_once_for_each_group(self) -> None:
        groups = {group: [option.name for option in options] for group, options in list_opts()}
        self.assertEqual({None, "glance_store", "backend_defaults"}, set(groups))
        self.assertEqual(["enabled_backends"], groups[None])
        for name in ("default_backend", "filesystem_store_datadir", "https_insecure"):
            self.assertEqual(1, groups["glance_store"].count(name), name)
        for name in ("weight", "optional", "store_description", "filesystem_store_datadir"):
            self.assertEqual(1, groups["backend_defaults"].count(name), name)

    def test_every_option_has_a_help_text(self) -> None:
        self.assertEqual([], [option.name for _, options in list_opts() for option in options if not option.help])


class TestImport(TestCase):
    def test_importing_the_registry_loads_no_driver(self) -> None:
        code = (
            "import sys, glance_mini_store.stores as r; "
            "sys.exit(any(n.startswith('glance_mini_store.drivers') or n == 'requests' for n in sys.modules))"
        )
        self.assertEqual(0, subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode)
