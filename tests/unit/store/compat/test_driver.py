"""A driver that was written for other programs works on the base class."""

from fixtures import FakeLogger
from oslo_config import cfg

from glance_mini_store import compat as glance_store
from glance_mini_store.compat import capabilities, driver
from glance_mini_store.compat.program import configuration
from tests.unit.store.compat.base import DATA, MD5, SHA256, CompatTestCase, data

SPECS = {"name": "abc"}


class StoreLocation(glance_store.location.StoreLocation):
    def process_specs(self):
        self.name = self.specs.get("name")

    def get_uri(self):
        return f"dict://{self.name}"

    def parse_uri(self, uri):
        self.validate_schemas(uri, valid_schemas=("dict://",))
        self.name = uri.removeprefix("dict://")


class DictStore(driver.Store):
    _CAPABILITIES = capabilities.BitMasks.RW_ACCESS | capabilities.BitMasks.DRIVER_REUSABLE
    OPTIONS = [cfg.StrOpt("dict_name"), cfg.IntOpt("dict_size", default=3)]

    def configure_add(self):
        if not self.store_conf.dict_name:
            raise glance_store.BadStoreConfiguration(store_name="dict", reason="dict_name must be set")

    def get_schemes(self):
        return ("dict",)

    @driver.capabilities.check
    def get(self, location, offset=0, chunk_size=None, context=None):
        return iter([DATA]), 10

    @glance_store.back_compat_add
    @capabilities.check
    def add(self, image_id, image_file, image_size, hashing_algo, context=None, verifier=None):
        return f"dict://{image_id}", len(image_file.read()), MD5, hashing_algo, {"context": context}


class TestStore(CompatTestCase):
    TEXT = "[a]\ndict_name = first\nweight = 4\n[backend_defaults]\ndict_size = 7\n[glance_store]\ndict_name = only\n"

    def test_options_of_a_store_with_an_id(self):
        store = DictStore(self.conf(self.TEXT), backend="a")
        self.assertEqual(("a", 4, None), (store.backend_group, store.weight, store.url_prefix))
        self.assertEqual(("first", 7), (store.store_conf.dict_name, store.store_conf.dict_size))

    def test_options_of_the_only_store(self):
        store = DictStore(self.conf(self.TEXT))
        self.assertEqual((None, 0, "only"), (store.backend_group, store.weight, store.store_conf.dict_name))
        self.assertEqual("only", store.conf.glance_store.dict_name)

    def test_sizes_of_blocks(self):
        self.assertEqual((4194304, 4194304), (driver.Store.READ_CHUNKSIZE, driver.Store.WRITE_CHUNKSIZE))
        self.assertEqual(["store_description", "weight"], [each.name for each in driver.Store.MULTI_BACKEND_OPTIONS])

    def test_store_that_cannot_be_configured_takes_nothing(self):
        log = self.useFixture(FakeLogger())
        store = DictStore(self.conf())
        store.configure()
        self.assertRaises(glance_store.StoreAddDisabled, store.add, "abc", data(), 10, "md5")
        self.assertIn("dict_name must be set", log.output)
        self.assertRaises(glance_store.BadStoreConfiguration, store.configure, re_raise_bsc=True)

    def test_store_that_can_be_configured_takes_data(self):
        store = DictStore(self.conf(self.TEXT))
        store.configure(re_raise_bsc=True)
        self.assertEqual(("dict://abc", 10, MD5, "sha1", {"context": None}), store.add("abc", data(), 10, "sha1"))

    def test_call_without_a_hash_gets_four_values(self):
        store = DictStore(self.conf(self.TEXT))
        caller = object()
        for args, kwargs in (((), {}), ((caller,), {}), ((), {"context": caller}), ((None,), {})):
            added = store.add("abc", data(), 10, *args, **kwargs)
            context = kwargs.get("context", args[0] if args else None)
            self.assertEqual(("dict://abc", 10, MD5, {"context": context}), added)
        self.assertEqual(5, len(store.add("abc", data(), 10, hashing_algo="sha256")))

    def test_class_of_locations_is_that_of_the_module(self):
        store = DictStore(self.conf())
        self.assertIs(StoreLocation, store.get_store_location_class())
        made = glance_store.location.Location("dict", StoreLocation, store.conf, uri="dict://abc", image_id="abc")
        self.assertEqual("abc", made.store_location.name)
        self.assertEqual("dict://abc", made.get_store_uri())
        blocks, number = store.get(made)
        self.assertEqual((DATA, 10), (b"".join(blocks), number))

    def test_location_from_specs(self):
        made = glance_store.location.Location("dict", StoreLocation, None, store_specs=SPECS)
        self.assertEqual(("dict://abc", SPECS), (made.get_store_uri(), made.store_specs))

    def test_wrong_scheme_is_a_bad_uri(self):
        self.assertRaises(
            glance_store.BadStoreUri, glance_store.location.Location, "dict", StoreLocation, None, uri="file:///a"
        )

    def test_part_that_the_store_cannot_read_is_refused(self):
        store = DictStore(self.conf())
        self.assertRaises(glance_store.StoreRandomGetNotSupported, store.get, None, 1)

    def test_what_a_driver_does_not_override_is_not_implemented(self):
        store = driver.Store(self.conf())
        for call in (store.get_schemes, lambda: store.get_size(None), lambda: store.set_acls(None)):
            self.assertRaises(NotImplementedError, call)
        store.set_capabilities(capabilities.BitMasks.ALL)
        for call in (lambda: store.get(None), lambda: store.delete(None), lambda: store.add("a", data(), 1, "md5")):
            self.assertRaises(NotImplementedError, call)

    def test_data_goes_through_the_functions_of_the_package(self):
        store = DictStore(self.conf(self.TEXT))
        added = glance_store.store_add_to_backend_with_multihash("abc", data(), 10, SHA256, store, "me")
        self.assertEqual(("dict://abc", 10, MD5, SHA256, {"context": "me"}), added)


class TestBackendGroupConfiguration(CompatTestCase):
    OPTIONS = [cfg.StrOpt("dict_name"), cfg.IntOpt("dict_size", default=3)]

    def test_group_wins_over_backend_defaults_and_these_over_the_default(self):
        text = "[a]\ndict_size = 1\n[b]\ndict_size = many\n[backend_defaults]\ndict_name = shared\ndict_size = 2\n"
        conf = self.conf(text)
        found = glance_store.BackendGroupConfiguration(self.OPTIONS, "a", conf)
        self.assertEqual(("shared", 1), (found.dict_name, found.dict_size))
        self.assertEqual(2, glance_store.BackendGroupConfiguration(self.OPTIONS, "c", conf).dict_size)
        self.assertRaises(AttributeError, getattr, found, "dict_other")
        wrong = glance_store.BackendGroupConfiguration(self.OPTIONS, "b", conf)
        self.assertRaises(glance_store.BadStoreConfiguration, getattr, wrong, "dict_size")

    def test_default_without_any_value(self):
        found = glance_store.BackendGroupConfiguration(self.OPTIONS, "a", self.conf())
        self.assertEqual((None, 3), (found.dict_name, found.dict_size))


class TestProgram(CompatTestCase):
    def test_program_that_names_no_configuration_means_that_of_the_process(self):
        conf = self.conf()
        self.assertIs(conf, configuration(conf))
        self.assertIs(cfg.CONF, configuration(None))
