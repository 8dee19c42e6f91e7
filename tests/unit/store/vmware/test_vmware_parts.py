"""The parts of the VMware driver that need no server: datastores, places, options, and how slow answers end."""

import sys
from typing import Any
from unittest import mock

from fixtures import MonkeyPatch
from oslo_config import cfg
from testtools import TestCase

from glance_mini_store import errors
from glance_mini_store.drivers.vmware import VmwareDriver
from glance_mini_store.drivers.vmware.datastores import Datastore, choose, datastores_from
from glance_mini_store.drivers.vmware.place import Place, name_of, name_of_draft, place_of
from glance_mini_store.drivers.vmware.server import Server
from glance_mini_store.drivers.vmware.session import Login
from glance_mini_store.settings import resolve
from glance_mini_store.web.client import tls_context
from tests.unit.store.dripping import DrippingServer

HOST = "vcenter.example.org"
SETTINGS = {
    "vmware_server_host": HOST,
    "vmware_server_username": "images",
    "vmware_server_password": "the-password",
    "vmware_datastores": ["DC1:images:5"],
}


def configure(**values: Any) -> VmwareDriver:
    """Return a driver made from options; None leaves one out."""
    conf = cfg.ConfigOpts()
    conf([])
    resolve(conf, "group", VmwareDriver.options)
    for name, value in {**SETTINGS, **values}.items():
        if value is not None:
            conf.set_override(name, value, group="group")
    return VmwareDriver.from_config(resolve(conf, "group", VmwareDriver.options), "group")


class TestDatastores(TestCase):
    def test_weight_is_zero_if_it_is_missing(self) -> None:
        found = datastores_from(["DC1:fast:100", "folder/DC2:slow", " DC1 : spare : -1 "])
        expected = {Datastore("DC1", "fast"): 100, Datastore("folder/DC2", "slow"): 0, Datastore("DC1", "spare"): -1}
        self.assertEqual(expected, found)

    def test_value_that_names_no_datastore_is_refused(self) -> None:
        for values in ([], ["DC1"], ["DC1:"], [":images"], ["DC1:images:much"], ["DC1:a:1:2"], ["D:a", "D:a:3"]):
            error = self.assertRaises(errors.BadStoreConfiguration, datastores_from, values)
            self.assertIn("vmware_datastores", str(error))

    def test_highest_weight_with_room_wins_then_most_room(self) -> None:
        first, second, third = (Datastore("DC", name) for name in ("first", "second", "third"))
        weights = {first: 10, second: 10, third: 50}
        free = {first: 100, second: 200, third: 20}
        self.assertEqual([third, second, first], choose(weights, free, 20))
        self.assertEqual([second, first], choose(weights, free, 21))
        self.assertEqual([third, second, first], choose(weights, free, None))
        self.assertEqual([second], choose(weights, free, 101))

    def test_nothing_with_room_is_storage_full(self) -> None:
        only = Datastore("DC", "only")
        for free, size in (({only: 100}, 101), ({only: 0}, None), ({only: 0}, 0), ({}, 1)):
            self.assertRaises(errors.StorageFull, choose, {only: 1}, free, size)


class TestPlace(TestCase):
    PLACE = Place(Datastore("folder/DC 1", "all & more"), "images/a b/name")

    def test_location_leads_back_to_the_place(self) -> None:
        location = self.PLACE.location(HOST)
        self.assertEqual(
            f"vsphere://{HOST}/folder/images/a%20b/name?dcPath=folder%2FDC+1&dsName=all+%26+more", location
        )
        self.assertEqual(self.PLACE, place_of(location, HOST))

    def test_paths_on_the_server(self) -> None:
        self.assertEqual("[all & more] images/a b/name", self.PLACE.datastore_path)
        self.assertEqual("/folder/images/a%20b/name?dcPath=folder%2FDC+1&dsName=all+%26+more", self.PLACE.url)

    def test_draft_is_beside_its_place_and_cannot_be_named(self) -> None:
        draft = self.PLACE.draft()
        folder, _, file = draft.path.rpartition("/")
        self.assertEqual(("images/a b", "name"), (folder, name_of_draft(file)))
        self.assertNotEqual(draft, self.PLACE.draft())
        self.assertRaises(errors.BadStoreUri, place_of, draft.location(HOST), HOST)

    def test_places_elsewhere_are_refused(self) -> None:
        query = "?dcPath=DC&dsName=images"
        for location in (
            f"vsphere://other.example.org/folder/images/name{query}",
            f"vsphere://{HOST}:444/folder/images/name{query}",
            f"vsphere://{HOST}/folder/images/../name{query}",
            f"vsphere://{HOST}/folder/images/%2E%2E/name{query}",
            f"vsphere://{HOST}/folder//name{query}",
            f"vsphere://{HOST}/folder/images/na%0Ame{query}",
            f"vsphere://{HOST}/sdk/images/name{query}",
            f"vsphere://{HOST}/folder/images/name",
        ):
            self.assertRaises(errors.BadStoreUri, place_of, location, HOST)

    def test_names_of_files(self) -> None:
        names = {file: name_of(file) for file in ("name", ".name.0123456789abcdef.part", "disk.vmdk", ".name", "-x")}
        self.assertEqual(["name", "name", None, None, None], list(names.values()))


class TestOptions(TestCase):
    def test_missing_library_is_named_with_the_command_that_installs_it(self) -> None:
        self.useFixture(MonkeyPatch("sys.modules", {**sys.modules, "pyVmomi": None}))
        error = self.assertRaises(errors.DriverLoadFailure, configure)
        self.assertIn("pip install 'glance-mini[vmware]'", str(error))


class TestConfiguration(TestCase):
    def setUp(self) -> None:
        super().setUp()
        library = {name: mock.MagicMock() for name in ("pyVmomi", "pyVmomi.SoapAdapter")}
        self.useFixture(MonkeyPatch("sys.modules", {**sys.modules, **library}))

    def test_what_is_required_is_named(self) -> None:
        for option in SETTINGS:
            error = self.assertRaises(errors.BadStoreConfiguration, configure, **{option: None})
            self.assertIn(option, str(error))

    def test_values_that_cannot_be_used_are_named(self) -> None:
        for option, value in (
            ("vmware_server_host", "https://vcenter.example.org"),
            ("vmware_server_host", "user:secret@vcenter"),
            ("vmware_server_host", "vcenter:99999"),
            ("vmware_store_image_dir", "/"),
            ("vmware_store_image_dir", "/images/../other"),
            ("vmware_ca_file", "/nonexistent.pem"),
        ):
            error = self.assertRaises(errors.BadStoreConfiguration, configure, **{option: value})
            self.assertIn(option, str(error))
            self.assertNotIn("the-password", str(error))

    def test_prefix_is_that_of_the_folder(self) -> None:
        driver = configure(vmware_store_image_dir="/a/b/")
        self.assertEqual(f"vsphere://{HOST}/folder/a/b/", driver.prefixes[0])

    def test_locations_are_not_for_users(self) -> None:
        driver = configure()
        self.assertFalse(driver.is_for_users(f"vsphere://{HOST}/folder/vm/disk.vmdk?dcPath=DC1&dsName=images"))


class TestServer(TestCase):
    def test_host_and_port(self) -> None:
        tls = tls_context()
        found = [
            (server.host, server.port)
            for server in (Server("h", tls, 1), Server("h", None, 1), Server("h:8", tls, 1), Server("[::1]:9", tls, 1))
        ]
        self.assertEqual([("h", 443), ("h", 80), ("h", 8), ("::1", 9)], found)

    def test_head_that_drips_ends_after_the_time_of_a_call(self) -> None:
        dripping = self.useFixture(DrippingServer(b"HTTP/1.1 200 OK\r\n", interval=0.05))
        server = Server(dripping.url().split("/")[2], None, 0.5)
        connection = server.connection(server.call_limits())
        self.addCleanup(connection.close)
        connection.request("GET", "/")
        self.assertRaises(errors.RemoteServiceUnavailable, connection.getresponse)

    def test_password_is_not_shown(self) -> None:
        self.assertNotIn("the-password", repr(Login("images", "the-password")))
