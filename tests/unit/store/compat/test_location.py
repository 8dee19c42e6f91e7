"""The location module raises the exceptions of the package and names the image as users do."""

from oslo_config import cfg

from glance_mini_store.compat import exceptions, location
from tests.unit.store.compat.base import CompatTestCase


class TestLocation(CompatTestCase):
    def test_location_of_a_uri(self):
        found = location.get_location_from_uri("file:///a/b")
        self.assertEqual(("file", "file:///a/b", None), (found.store_name, found.get_store_uri(), found.get_uri()))

    def test_bad_and_unknown_uris(self):
        self.assertRaises(exceptions.UnknownScheme, location.get_location_from_uri, "gold://a")
        self.assertRaises(exceptions.BadStoreUri, location.get_location_from_uri, "http://")
        self.assertRaises(exceptions.UnknownScheme, location.get_location_from_uri_and_backend, "file:///a", "gold")

    def test_image_uri_is_the_address_of_the_image(self):
        conf = self.conf()
        conf.register_opt(cfg.StrOpt("public_endpoint", default="https://me:secret@images.example.org/v?x=y"))
        found = location.get_location_from_uri("swift://u:secret@host/c/o", conf, image_id="abc")
        self.assertEqual("images.example.org:443/v/images/abc", found.get_uri())
        self.assertEqual("swift://u:secret@host/c/o", found.get_store_uri())

    def test_registered_maps_are_those_of_the_library(self):
        entry = {"store": None, "location_class": location.StoreLocation, "store_entry": "gold"}
        location.register_scheme_map({"gold": entry})
        location.register_scheme_backend_map({"gold": {"a": entry}})
        location.register_scheme_backend_map({"gold": {"b": entry}})
        self.assertIs(entry, location.SCHEME_TO_CLS_MAP["gold"])
        self.assertEqual({"a", "b"}, set(location.SCHEME_TO_CLS_BACKEND_MAP["gold"]))
