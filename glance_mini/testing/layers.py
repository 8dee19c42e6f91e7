"""The contract of a layer as a suite of tests: a package that brings a layer runs it in its own tests.

```python
class TestAudit(LayerContract, unittest.TestCase):
    def make_layer(self):
        return AuditLayer(path=...)
```
"""

from collections.abc import Iterator
from dataclasses import fields
from typing import ClassVar

from glance_mini.domain.changes import Change, ImageChanges, LocationChange, PropertyChange, TagChange
from glance_mini.domain.context import Context
from glance_mini.domain.image import Image, Location
from glance_mini.layers.base import CONTRACT, Layer
from glance_mini.layers.stack import Stack
from glance_mini.operations import OPERATIONS, Operation
from glance_mini.operations import data as data_ops
from glance_mini.operations.images import UpdateImage
from glance_mini.testing.operations import SOURCE, make_operation, make_result
from glance_mini.testing.recorder import Recorder, recorder_below
from glance_mini.testing.samples import IMAGE_ID, make_context, make_image


class LayerContract:
    """Mix into a ``unittest.TestCase``; ``make_layer`` is the only method to write.

    ``may_refuse`` names errors by which the layer, as it is configured here, refuses some of the harmless operations of
    this suite; these then need not arrive below it. Name none that you do not mean: a refusal is not looked at further.
    ``refuses_changes`` names types of changes that the layer, as it is configured here, lets nobody make.
    """

    may_refuse: ClassVar[tuple[type[Exception], ...]] = ()
    refuses_changes: ClassVar[tuple[type[Change], ...]] = ()

    def make_layer(self) -> Layer:
        """Return a new layer, configured so that it lets an administrator do everything."""
        raise NotImplementedError

    def make_stack(self, **answers_with: object) -> tuple[Stack, Recorder]:
        """Return a stack of the layer over a recorder with ``answers_with``."""
        layer = self.make_layer()
        recorder = recorder_below(layer, answers_with={**_answers(), **answers_with})
        return Stack([layer, recorder]), recorder

    def test_it_names_itself_and_the_contract_it_speaks(self) -> None:
        layer = self.make_layer()
        assert isinstance(layer.name, str) and layer.name, "a layer needs a name"
        assert layer.contract == CONTRACT, f"this release speaks layer contract {CONTRACT}"

    def test_it_has_methods_for_operations_only(self) -> None:
        stack, _ = self.make_stack()
        assert stack.path("get_image"), "the stack must know who answers get_image"

    def test_every_operation_it_does_not_answer_reaches_the_layer_below(self) -> None:
        answers = self.make_layer().answers
        for operation in OPERATIONS:
            if operation.name in answers:
                continue
            stack, recorder = self.make_stack()
            if not self._is_refused(stack, make_operation(operation)):
                assert operation.name in recorder.names, f"{operation.name} did not arrive below the layer"

    def test_every_kind_of_change_reaches_the_layer_below(self) -> None:
        if "update_image" in self.make_layer().answers:
            return
        sent = [change for change in CHANGES if not isinstance(change, self.refuses_changes)]
        for changes in (*((change,) for change in sent), tuple(sent)):
            stack, recorder = self.make_stack(update_image=lambda context, op: op.target)
            image = make_image(properties=PROPERTIES, tags=TAGS)
            if self._is_refused(stack, UpdateImage(IMAGE_ID, image, changes=changes)):
                continue
            arrived = [op for op in recorder.seen if isinstance(op, UpdateImage)]
            assert len(arrived) == 1, f"{changes} became {len(arrived)} updates"
            assert _kinds(arrived[0].changes) == _kinds(changes), f"{changes} arrived as {arrived[0].changes}"

    def test_an_update_without_changes_reaches_the_layer_below(self) -> None:
        if "update_image" in self.make_layer().answers:
            return
        stack, recorder = self.make_stack()
        if not self._is_refused(stack, UpdateImage(IMAGE_ID, make_image())):
            assert "update_image" in recorder.names, "an update without changes did not arrive below the layer"

    def test_an_error_from_below_passes(self) -> None:
        class Broken(Exception):
            pass

        def fail(context: Context, op: Operation[object]) -> None:
            raise Broken

        answers = self.make_layer().answers
        for operation in OPERATIONS:
            if operation.internal or operation.name in answers:
                continue
            stack, _ = self.make_stack(**{operation.name: fail})
            try:
                is_refused = self._is_refused(stack, make_operation(operation))
            except Broken:
                continue
            assert is_refused, f"an error of {operation.name} was swallowed"

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
        self._is_refused(stack, data_ops.UploadData(IMAGE_ID, target, chunks=endless()))
        assert len(taken) <= 8, f"two blocks were asked for, {len(taken)} were read"

    def test_close_may_be_called_after_use(self) -> None:
        layer = self.make_layer()
        layer.close()

    def _is_refused(self, stack: Stack, operation: Operation[object]) -> bool:
        """Send the operation of an administrator; return whether the layer refused it by one of ``may_refuse``."""
        try:
            stack.call(ADMIN, operation)
        except self.may_refuse:
            return True
        return False


ADMIN = make_context("admin")

PROPERTIES = {"color": "blue", "shape": "round"}
TAGS = frozenset({"old"})

CHANGES: tuple[Change, ...] = (
    PropertyChange("replace", "name", "other"),
    PropertyChange("replace", "min_disk", 1),
    PropertyChange("add", "size_of_disk", "10"),
    PropertyChange("create", "vendor", "acme"),
    PropertyChange("replace", "color", "red"),
    PropertyChange("move", "form", source="shape"),
    PropertyChange("remove", "color"),
    TagChange("add", "new"),
    TagChange("remove", "old"),
    LocationChange("add", None, (Location(url=SOURCE),), 4),
)
"""One change of each kind, for an image with ``PROPERTIES`` and ``TAGS``; all of them may be made in this order."""


def _kinds(changes: ImageChanges) -> list[tuple[str, str]]:
    """Return type and action of each change: a layer may fill in the values of some."""
    return [(type(change).__name__, change.action) for change in changes]


def _answers() -> dict[str, object]:
    """Return a result for each operation, by name; what carries data is answered when its data was read."""
    return {operation.name: _answer(operation) for operation in OPERATIONS}


def _answer(operation: type[Operation[object]]) -> object:
    result = make_result(operation)
    if all(field.name != "chunks" for field in fields(operation)):
        return result

    def read(context: Context, op: data_ops.UploadData) -> object:
        for _ in op.chunks:
            pass
        return result

    return read
