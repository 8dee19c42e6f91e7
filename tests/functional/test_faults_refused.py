"""Uploads that are refused: no byte of them is in the store when the answer has come."""

import struct

import testtools

from tests.functional.faults import KNOWN, MIB, UNKNOWN, SharedService, framing, part_of


def qcow2_with_backing_file(size):
    """Return the beginning of a qcow2 image that names another file as its backing, filled up to ``size`` bytes."""
    name = b"/etc/passwd"
    cluster_bits, virtual_size, header_length = 16, 1 << 30, 104
    head = struct.pack(">4sIQIIQ", b"QFI\xfb", 3, header_length + 8, len(name), cluster_bits, virtual_size)
    head = head.ljust(96, b"\0") + struct.pack(">II", 4, header_length) + bytes(8) + name
    return head.ljust(size, b"x")


class RefusedUploadTest(SharedService, testtools.TestCase):
    options = {
        "DEFAULT": {"image_size_cap": 8 * MIB, "user_storage_quota": "4MB"},
        "transfers": {"reserve_step_mib": 1},
    }

    def test_unsafe_qcow2_is_415(self):
        for kind in (KNOWN, UNKNOWN):
            image = self.service.create_image(disk_format="qcow2")
            self._refuse(image, 415, kind, qcow2_with_backing_file(3 * MIB))

    def test_more_than_the_cap_is_413(self):
        for kind in (KNOWN, UNKNOWN):
            # Images without an owner are not counted for any quota.
            image = self.service.create_image(owner=None)
            self._refuse(image, 413, kind, b"x" * 9 * MIB)

    def test_more_than_the_quota_is_413(self):
        for kind in (KNOWN, UNKNOWN):
            self._refuse(self.service.create_image(), 413, kind, b"x" * 5 * MIB)

    def test_another_size_than_the_client_said_is_400(self):
        for kind in (KNOWN, UNKNOWN):
            for said in (3 * MIB - 1, 3 * MIB + 1):
                image = self.service.create_image()
                self._refuse(image, 400, kind, b"x" * 3 * MIB, f"x-openstack-image-size: {said}")

    def test_what_was_refused_can_be_uploaded_in_its_right_form(self):
        image = self.service.create_image()
        self._refuse(image, 413, UNKNOWN, b"x" * 5 * MIB)
        self.assertEqual(204, self.service.upload(image, b"x" * 3 * MIB).status_code)
        self.service.request("DELETE", f"/v2/images/{image}")

    def _refuse(self, image, status, kind, data, *headers):
        client = self.upload(image, framing(kind, len(data)), *headers)
        parts = [part_of(kind, data[start : start + MIB]) for start in range(0, len(data), MIB)]
        client.send(*parts, b"" if kind == KNOWN else b"0\r\n\r\n")
        answer = client.response()
        self.assertEqual(status, answer.status, (kind, answer.body))
        self.assert_queued_and_empty(image)
