"""The contract of a layer as a suite of tests: a package that brings a layer runs it in its own tests.

```python
class TestAudit(LayerContract, unittest.TestCase):
    def make_layer(self):
        return AuditLayer(path=...)
```
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar

from glance_mini.domain.context import Context
from glance_mini.domain.image import Image
from glance_mini.domain.imports import WEB_DOWNLOAD, ImportRequest
from glance_mini.domain.member import Member
from glance_mini.domain.query import ImageQuery, Page
from glance_mini.layers.base import CONTRACT, Layer
from glance_mini.layers.stack import Stack
from glance_mini.operations import OPERATIONS, ImageOperation, Operation
from glance_mini.operations import data as data_ops
from glance_mini.operations.images import CreateImage, ListImages
from glance_mini.testing.recorder import Recorder, recorder_below
from glance_mini.testing.samples import IMAGE_ID, TIME, make_context, make_image, make_job


class LayerContract:
    """Mix into a ``unittest.TestCase``; ``make_layer`` is the only method to write.

    ``may_refuse`` names errors that the layer raises by design for the harmless calls of this suite.
    """

    may_refuse: ClassVar[tuple[type[Exception], ...]] = ()

    def make_layer(self) -> Layer:
        """Return a new layer, configured so that it lets an administrator do everything."""
        raise NotImplementedError

    def make_stack(self, **answers_with: Any) -> tuple[Stack, Recorder]:
        """Return a stack of the layer over a recorder with ``answers_with``."""
        layer = self.make_layer()
        recorder = recorder_below(layer, answers_with={**_ANSWERS, **answers_with})
        return Stack([layer, recorder]), recorder

    def test_it_names_itself_and_the_contract_it_speaks(self) -> None:
        layer = self.make_layer()
        assert isinstance(layer.name, str) and layer.name, "a layer needs a name"
        assert layer.contract == CONTRACT, f"this release speaks layer contract {CONTRACT}"

    def test_it_has_methods_for_operations_only(self) -> None:
        stack, _ = self.make_stack()
        assert stack.path("get_image"), "the stack must know who answers get_image"

    def test_every_operation_it_does_not_answer_reaches_the_layer_below(self) -> None:
        for operation in OPERATIONS:
            if operation.name in self.make_layer().answers:
                continue
            stack, recorder = self.make_stack()
            self._call(stack, operation)
            assert operation.name in recorder.names, f"{operation.name} did not arrive below the layer"

    def test_an_error_from_below_passes(self) -> None:
        class Broken(Exception):
            pass

        def fail(context: Context, op: Operation) -> None:
            raise Broken

        for operation in OPERATIONS:
            if operation.internal or operation.name in self.make_layer().answers:
                continue
            stack, _ = self.make_stack(**{operation.name: fail})
            try:
                self._call(stack, operation)
            except Broken:
                continue
            raise AssertionError(f"an error of {operation.name} was swallowed")

    def test_it_never_joins_data(self) -> None:
        taken: list[bytes] = []

        def endless() -> Iterator[bytes]:
            for number in range(1000):
                taken.append(b"x")
                yield bytes([number % 256])

        def read_two(context: Context, op: data_ops.UploadData) -> Image:
            chunks = iter(op.chunks)
            next(chunks)
            next(chunks)
            return make_image()

        if "upload_data" in self.make_layer().answers:
            return
        stack, _ = self.make_stack(upload_data=read_two)
        target = make_image(status="queued", size=None, locations=())
        stack.call(ADMIN, data_ops.UploadData(IMAGE_ID, target, chunks=endless()))
        assert len(taken) <= 8, f"two blocks were asked for, {len(taken)} were read"

    def test_close_may_be_called_after_use(self) -> None:
        layer = self.make_layer()
        layer.close()

    def _call(self, stack: Stack, operation: type[Operation]) -> None:
        try:
            stack.call(ADMIN, make_operation(operation))
        except self.may_refuse:
            raise AssertionError(f"{operation.name} was refused to an administrator") from None


ADMIN = make_context("admin")

SOURCE = "http://images.example.org/image.raw"

_MEMBER = Member(image_id=IMAGE_ID, member_id="p2", status="pending", created_at=TIME, updated_at=TIME)

_ANSWERS: dict[str, Any] = {
    "load_image": make_image(),
    "get_image": make_image(),
    "create_image": make_image(status="queued"),
    "update_image": make_image(),
    "delete_image": make_image(status="deleted"),
    "deactivate_image": make_image(status="deactivated"),
    "reactivate_image": make_image(),
    "restore_image": make_image(),
    "upload_data": lambda context, op: (list(op.chunks), make_image())[1],
    "list_images": Page(images=(make_image(),)),
    "stage_data": lambda context, op: (list(op.chunks), make_image(status="uploading"))[1],
    "import_image": make_job(),
    "list_image_tasks": (make_job(),),
    "get_locations": make_image().locations,
    "add_location": make_image(),
    "delete_from_store": make_image(),
    "begin_staging": make_image(status="uploading"),
    "record_staged": make_image(status="uploading"),
    "begin_import": make_image(status="importing"),
    "record_import": make_image(),
    "end_import": make_image(),
    "list_tasks": (make_job(),),
    "get_task": make_job(),
    "create_task": make_job(),
    "list_members": (_MEMBER,),
    "get_member": _MEMBER,
    "add_member": _MEMBER,
    "update_member": _MEMBER,
    "delete_member": _MEMBER,
    "list_stores": (),
    "get_usage": {},
    "count_usage": {},
}


def make_operation(operation: type[Operation]) -> Operation:
    """Return an operation of that type with harmless values, its target loaded."""
    if operation is ListImages:
        return ListImages(ImageQuery())
    if operation is CreateImage:
        return CreateImage(base={"name": "sample", "owner": "p1"})
    values: dict[str, Any] = {}
    if issubclass(operation, ImageOperation):
        values = {"image_id": IMAGE_ID, "image": make_image()}
    assert is_dataclass(operation)
    for field in fields(operation):
        if field.name not in values and field.name in _FIELDS:
            values[field.name] = _FIELDS[field.name]
    return operation(**values)


_FIELDS: dict[str, Any] = {
    "image_id": IMAGE_ID,
    "member_id": "p2",
    "status": "accepted",
    "expect": frozenset({"queued"}),
    "transfer_id": "t1",
    "amount": 1,
    "transfer": None,
    "data": None,
    "deletion_id": 1,
    "image": make_image(),
    "project_id": "p1",
    "request": ImportRequest(method={"name": WEB_DOWNLOAD, "uri": SOURCE}),
    "url": SOURCE,
    "store": "fast",
    "staged": None,
    "job": make_job(),
    "properties": {},
    "task_id": "t1",
    "type": "import",
    "input": {"import_from": SOURCE, "import_from_format": "raw"},
}
