"""The location module offers the names that programs import."""

from typing import Any

import fixtures
from oslo_config import cfg
from testtools import TestCase

from glance_mini import conf as configuration
from glance_mini_store import errors, location
from glance_mini_store.locations.file import FileLocation
from glance_mini_store.locations.http import HttpLocation


def server_conf(endpoint: str | None, bind: str | None) -> cfg.ConfigOpts:
    """Return a configuration with the options that name the API server."""
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    conf.register_opt(cfg.StrOpt("public_endpoint", default=endpoint))
    conf.register_opt(cfg.StrOpt("bind", default=bind), group="server")
    return conf


ENTRY = {"store": object(), "location_class": HttpLocation, "store_entry": "web"}


class TestLocationModule(TestCase):
    def setUp(self) -> None:
        super().setUp()
        for name in ("SCHEME_TO_CLS_MAP", "SCHEME_TO_CLS_BACKEND_MAP"):
            self.useFixture(fixtures.MonkeyPatch(f"glance_mini_store.location.{name}", dict(getattr(location, name))))

    def test_all_schemes_of_the_reference_are_known(self) -> None:
        self.assertEqual(
            [
                "cinder",
                "file",
                "filesystem",
                "http",
                "https",
                "rbd",
                "s3",
                "s3+http",
                "s3+https",
                "sheepdog",
                "swift",
                "swift+config",
                "swift+http",
                "swift+https",
                "vsphere",
            ],
            sorted(location.SCHEME_TO_CLS_MAP),
        )

    def test_location_from_specs_has_their_uri(self) -> None:
        made = location.Location("file", FileLocation, None, image_id="abc", store_specs={"path": "/a/b"})
        self.assertEqual("file:///a/b", made.get_store_uri())
        self.assertEqual({"path": "/a/b"}, made.store_specs)

    def test_location_without_an_image_has_no_user_facing_uri(self) -> None:
        self.assertIsNone(location.get_location_from_uri("file:///a").get_uri())

    def test_image_uri_is_the_address_of_the_api_server_with_the_image(self) -> None:
        for endpoint, bind, expected in (
            ("https://images.example.org", "0.0.0.0:9292", "images.example.org:443"),
            ("http://images.example.org/image/", None, "images.example.org:80/image"),
            ("https://me:secret@[2001:db8::1]:8443/?token=secret#x", None, "[2001:db8::1]:8443"),
            (None, "127.0.0.1:9292", "127.0.0.1:9292"),
            (None, "[::1]:9292", "[::1]:9292"),
            ("no address", "127.0.0.1:9292", "127.0.0.1:9292"),
            ("https://host:no-port", "127.0.0.1:9292", "127.0.0.1:9292"),
        ):
            conf = server_conf(endpoint, bind)
            made = location.Location("web", HttpLocation, conf, "https://u:p@host/a", image_id="abc")
            self.assertEqual(f"{expected}/images/abc", made.get_uri())
            self.assertEqual("https://u:p@host/a", made.get_store_uri())
            self.assertEqual("https://u:p@host/a", made.store_location.get_uri())

    def test_image_uri_needs_an_address_in_the_configuration(self) -> None:
        for conf in (None, cfg.ConfigOpts(), server_conf(None, None)):
            found = location.get_location_from_uri("file:///a", conf, image_id="abc")
            self.assertIsNone(found.get_uri())

    def test_configuration_of_the_service_has_the_address(self) -> None:
        conf = configuration.load()
        found = location.get_location_from_uri("file:///a", conf, image_id="abc")
        self.assertEqual("127.0.0.1:9292/images/abc", found.get_uri())
        conf.set_override("public_endpoint", "https://images.example.org")
        self.assertEqual("images.example.org:443/images/abc", found.get_uri())

    def test_location_keeps_configuration_and_store(self) -> None:
        conf = object()
        made = location.Location("file", FileLocation, conf, uri="file:///a", backend="fast")
        self.assertIs(conf, made.conf)
        self.assertEqual(
            ("file", "fast", "fast"), (made.store_name, made.backend_group, made.store_location.backend_group)
        )

    def test_cinder_location_made_for_a_store_names_it(self) -> None:
        volume = "8f8b9a10-6a4b-4d1e-9f1c-0d6a4a6f7c11"
        entry = location.SCHEME_TO_CLS_MAP["cinder"]
        made = location.Location(
            "cinder", entry["location_class"], None, store_specs={"volume_id": volume}, backend="fast"
        )
        self.assertEqual(f"cinder://fast/{volume}", made.get_store_uri())

    def test_registered_scheme_overrides(self) -> None:
        location.register_scheme_map({"http": ENTRY, "web": ENTRY})
        self.assertEqual("web", location.get_location_from_uri("http://host/").store_name)
        self.assertIs(ENTRY, location.SCHEME_TO_CLS_MAP["web"])

    def test_registered_stores_of_one_scheme_are_merged(self) -> None:
        location.register_scheme_backend_map({"http": {"a": ENTRY}})
        location.register_scheme_backend_map({"http": {"b": ENTRY}})
        self.assertEqual({"a", "b"}, set(location.SCHEME_TO_CLS_BACKEND_MAP["http"]))

    def test_wrong_store_for_a_scheme_is_an_unknown_scheme(self) -> None:
        location.register_scheme_backend_map({"http": {"a": ENTRY}})
        found: Any = location.get_location_from_uri_and_backend("http://host/x", "a")
        self.assertEqual(("a", "http://host/x"), (found.backend_group, found.get_store_uri()))
        for uri, backend in (("http://host/", "b"), ("file:///a", "a")):
            self.assertRaises(errors.UnknownScheme, location.get_location_from_uri_and_backend, uri, backend)

    def test_scheme_check_wants_one_of_the_valid_beginnings(self) -> None:
        location.StoreLocation.validate_schemas("b://x", ("a://", "b://"))
        self.assertRaises(errors.BadStoreUri, location.StoreLocation.validate_schemas, "c://x", ("a://", "b://"))
