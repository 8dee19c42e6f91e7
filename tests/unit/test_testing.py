"""What ``glance_mini.testing`` offers to the tests of other packages."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

import testtools

from glance_mini.operations import OPERATIONS, DataCall, ImageOperation, Operation
from glance_mini.testing.operations import make_operation, make_result, make_value
from glance_mini.testing.samples import IMAGE_ID, TIME, make_image


@dataclass(frozen=True)
class Weight:
    grams: int
    note: str | None = None


@dataclass(frozen=True)
class WeighImage(ImageOperation[tuple[Weight, ...]], DataCall[tuple[Weight, ...]]):
    """An operation that no release knows."""

    name: ClassVar[str] = "weigh_image"
    scale: str = ""
    tries: int = 3
    at: datetime | None = None
    others: Mapping[str, Weight] = field(default_factory=dict)


@dataclass(frozen=True)
class AskAgain(Operation[Weight | None]):
    name: ClassVar[str] = "ask_again"
    after: timedelta
    words: frozenset[str]
    known: Weight | None
    pair: tuple[str, int]


class TestOperations(testtools.TestCase):
    def test_every_operation_and_a_result_of_it_can_be_made(self):
        for operation in OPERATIONS:
            made = make_operation(operation)
            self.assertIs(operation, type(made))
            if isinstance(made, ImageOperation):
                self.assertEqual(made.image_id, made.target.id)
            make_result(operation)

    def test_what_must_be_given_is_made_from_its_type_and_the_rest_is_left(self):
        self.assertEqual(WeighImage(IMAGE_ID, make_image(), scale="sample"), make_operation(WeighImage))
        made = make_operation(AskAgain)
        self.assertEqual(
            (timedelta(minutes=1), frozenset({"sample"}), Weight(1), ("sample", 1)), tuple(vars(made).values())
        )

    def test_results_are_those_that_an_operation_declares(self):
        self.assertEqual(((Weight(1),), Weight(1)), (make_result(WeighImage), make_result(AskAgain)))

    def test_values_are_of_their_type(self):
        for kind, value in ((None, None), (object, None), (dict[str, int], {}), (datetime | None, TIME)):
            self.assertEqual(value, make_value(kind))

    def test_a_type_that_is_not_known_is_an_error(self):
        for kind in (complex, "int"):
            self.assertRaises(TypeError, make_value, kind)


class TestImports(testtools.TestCase):
    def test_the_contracts_need_no_package_that_only_tests_use(self):
        program = (
            "import sys; from glance_mini.testing import DataAccessContract, LayerContract;"
            "print({'fixtures', 'testtools', 'hypothesis'} & set(sys.modules))"
        )
        shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        self.assertEqual("set()\n", shown.stdout)
