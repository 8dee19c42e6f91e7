"""Data that is not what it is declared to be, or is unsafe to open (api-data-inspection)."""

from tests.http.client import DATA_TYPE, ApplicationTest
from tests.unit.content import disk_images


class TestFormats(ApplicationTest):
    def _upload(self, disk_format: str, data: bytes) -> tuple[int, str]:
        """Return the status of the answer and the id of the image."""
        image_id = self.create(disk_format=disk_format)
        answer = self.send("PUT", f"/v2/images/{image_id}/file", data, Content_Type=DATA_TYPE)
        return answer.status_int, image_id

    def test_data_of_the_declared_format_makes_an_active_image(self) -> None:
        for disk_format, data, virtual_size in (
            ("qcow2", disk_images.qcow2(64 * 1024**2), 64 * 1024**2),
            ("vmdk", disk_images.stream_optimized(), 2048 * 512),
            ("iso", disk_images.iso(), None),
            ("iso", disk_images.iso(first_sector=disk_images.master_boot_record()), None),
            ("raw", b"plain bytes", len(b"plain bytes")),
        ):
            with self.subTest(disk_format):
                status, image_id = self._upload(disk_format, data)
                self.assertEqual(204, status)
                image = self.send("GET", f"/v2/images/{image_id}").json
                self.assertEqual("active", image["status"])
                if virtual_size is not None:
                    self.assertEqual(virtual_size, image["virtual_size"])

    def test_another_format_is_let_by_as_raw(self) -> None:
        data = disk_images.qcow2()
        status, image_id = self._upload("raw", data)
        self.assertEqual(204, status)
        self.assertEqual(len(data), self.send("GET", f"/v2/images/{image_id}").json["virtual_size"])

    def test_what_is_refused_leaves_nothing(self) -> None:
        for disk_format, data in (
            ("qcow2", b"x" * 100_000),
            ("qcow2", disk_images.qcow2(backing_file="/etc/passwd")),
            ("qcow2", disk_images.qcow2(features=1 << 2)),
            ("raw", disk_images.qcow2(backing_file="/etc/passwd")),
            ("vmdk", disk_images.stream_optimized('RW 2048 FLAT "/etc/passwd" 0')),
            ("vmdk", disk_images.flat_vmdk()),
            ("qcow2", disk_images.iso()),
        ):
            with self.subTest(disk_format):
                status, image_id = self._upload(disk_format, data)
                self.assertEqual(415, status)
                self.assertEqual("queued", self.status_of(image_id))
                self.assertFalse(self.is_stored(image_id))
                self.assertEqual(204, self.send("GET", f"/v2/images/{image_id}/file").status_int)
