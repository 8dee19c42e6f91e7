"""What import plugins make of data and image, by calls alone (api-imports-plugins)."""

import gzip
import shutil
import unittest

from tests.http.working import BODY, DONE, WorkingTest, digest
from tests.unit.content.disk_images import MIB, qcow2
from tests.unit.store.web import Page

DISK = qcow2(size=2 * MIB)
CONVERTED = bytes(2 * MIB)


class TestPlugins(WorkingTest):
    """The plugins in the order in which an operator would name them."""

    options = {
        "image_import_opts": {"image_import_plugins": "image_decompression,inject_image_metadata"},
        "inject_metadata_properties": {"inject": "os_distro:mini,hw_disk_bus:scsi"},
    }

    def test_compressed_data_is_unpacked(self) -> None:
        packed = gzip.compress(BODY, mtime=0)
        image_id = self.create()
        self.stage(image_id, packed)
        self.web.pages["/packed"] = Page(packed)
        for image in (
            self.run_import(image_id, "glance-direct"),
            self.run_import(self.create(), self.from_web("/packed"), stores=["fast", "cheap"]),
        ):
            self.assertEqual(("active", len(BODY), digest("md5")), (image["status"], image["size"], image["checksum"]))
            self.assertEqual(digest("sha512"), image["os_hash_value"])
            self.assertEqual(BODY, self.data(image["id"]))
            self.assertEqual(DONE, self.progress(image))

    def test_data_in_a_container_for_compressed_data_stays_as_it_is(self) -> None:
        self.web.pages["/packed"] = Page(packed := gzip.compress(BODY, mtime=0))
        image = self.run_import(self.create(container_format="compressed"), self.from_web("/packed"))
        self.assertEqual(packed, self.data(image["id"]))

    def test_properties_are_added(self) -> None:
        image = self.run_import(self.create(os_distro="own"), self.from_web())
        self.assertEqual(("mini", "scsi"), (image["os_distro"], image["hw_disk_bus"]))

    def test_properties_are_not_added_for_a_role_that_is_ignored(self) -> None:
        image = self.run_import(self.create(), self.from_web(), caller="admin")
        self.assertEqual("active", image["status"])
        self.assertFalse({"os_distro", "hw_disk_bus"} & image.keys())

    def test_an_import_that_fails_adds_nothing(self) -> None:
        expected = {"sha256": "0" * 64}
        image = self.run_import(self.create(), self.from_web(), expected_hash=expected)
        self.assertEqual("queued", image["status"])
        self.assertNotIn("os_distro", image)

    def test_a_copy_is_left_alone(self) -> None:
        image = self.run_import(self.uploaded(), "copy-image", caller="admin", stores=["cheap"])
        self.assertEqual("cheap,fast", image["stores"])
        self.assertNotIn("os_distro", image)


@unittest.skipUnless(shutil.which("qemu-img"), "qemu-img is not installed (package qemu-utils)")
class TestConversion(WorkingTest):
    """The conversion with the real qemu-img."""

    options = {"image_import_opts": {"image_import_plugins": "image_decompression,image_conversion"}}

    def test_formats_sizes_and_hashes_are_those_of_the_converted_data(self) -> None:
        self.web.pages["/disk.qcow2.gz"] = Page(gzip.compress(DISK, mtime=0))
        image = self.run_import(self.create(disk_format="qcow2"), self.from_web("/disk.qcow2.gz"))
        self.assertEqual(("active", "raw", "bare"), tuple(image[n] for n in ("status", *_FORMATS)))
        self.assertEqual((2 * MIB, 2 * MIB), (image["size"], image["virtual_size"]))
        self.assertEqual(digest("md5", CONVERTED), image["checksum"])
        self.assertEqual(("sha512", digest("sha512", CONVERTED)), (image["os_hash_algo"], image["os_hash_value"]))
        self.assertEqual(CONVERTED, self.data(image["id"]))

    def test_an_unsafe_disk_is_refused_and_the_image_keeps_its_formats(self) -> None:
        self.web.pages["/bad"] = Page(qcow2(backing_file="/etc/passwd"))
        image = self.run_import(self.create(disk_format="qcow2"), self.from_web("/bad"))
        self.assertEqual(("queued", "qcow2", "bare"), tuple(image[n] for n in ("status", *_FORMATS)))
        self.assertEqual((None, "", "fast"), self.progress(image))
        self.assertEqual([0], self.kept("fast"))


_FORMATS = ("disk_format", "container_format")
