"""The audit layer passes the contract of layers, and writes what it promises."""

import json
import os
import tempfile
import unittest

from acme_audit.layer import AuditLayer
from acme_audit.log import AuditLog

from glance_mini.domain.errors import Conflict
from glance_mini.domain.query import ImageQuery
from glance_mini.layers.stack import Stack
from glance_mini.operations.images import DeleteImage, ListImages
from glance_mini.testing.layers import LayerContract
from glance_mini.testing.recorder import Recorder
from glance_mini.testing.samples import IMAGE_ID, make_context, make_image


class AuditTestCase(unittest.TestCase):
    """Has an audit file of its own for each test."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "audit.jsonl")

    def audit_layer(self):
        layer = AuditLayer(AuditLog(self.path))
        self.addCleanup(layer.close)
        return layer

    def entries(self):
        with open(self.path) as file:
            return [json.loads(line) for line in file]


class TestContract(LayerContract, AuditTestCase):
    """The suite that glance_mini asks every layer to pass."""

    def make_layer(self):
        return self.audit_layer()


class TestAuditLayer(AuditTestCase):
    def call(self, operation, **answers_with):
        stack = Stack([self.audit_layer(), Recorder({"load_image": make_image(), **answers_with})])
        return stack.call(make_context("member", request_id="req-1"), operation)

    def test_an_operation_is_written_with_caller_and_image(self):
        self.call(DeleteImage(IMAGE_ID))
        [entry] = self.entries()
        self.assertRegex(entry.pop("time"), r"^\d{4}-\d\d-\d\dT")
        self.assertEqual(
            {
                "request": "req-1",
                "user": "u1",
                "project": "p1",
                "operation": "delete_image",
                "image": IMAGE_ID,
                "outcome": "done",
            },
            entry,
        )

    def test_a_refusal_is_written_with_its_code_and_passed_on(self):
        def refuse(context, op):
            raise Conflict(reason="The image is protected.")

        with self.assertRaises(Conflict):
            self.call(DeleteImage(IMAGE_ID), delete_image=refuse)
        self.assertEqual(["conflict"], [entry["outcome"] for entry in self.entries()])

    def test_the_result_of_an_operation_is_not_changed(self):
        page = object()
        self.assertIs(page, self.call(ListImages(ImageQuery()), list_images=page))

    def test_the_file_is_readable_by_its_owner_only(self):
        self.audit_layer()
        self.assertEqual(0o600, os.stat(self.path).st_mode & 0o777)
