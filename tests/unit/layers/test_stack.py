"""The stack: wiring, paths, and refusals at start."""

from dataclasses import replace
from typing import Any, ClassVar

import testtools
from oslo_config import cfg

from glance_mini.domain.cause import Cause
from glance_mini.domain.context import Context
from glance_mini.domain.errors import ConfigurationError
from glance_mini.domain.query import ImageQuery, Page
from glance_mini.layers.base import Layer
from glance_mini.layers.stack import Stack, load_stack
from glance_mini.operations import OPERATIONS
from glance_mini.operations.data import UploadData
from glance_mini.operations.images import GetImage, ListImages, RestoreImage, UpdateImage
from glance_mini.operations.info import GetUsage
from glance_mini.operations.records import ListRemovals, LoadImage
from glance_mini.testing.application import ApplicationFixture
from glance_mini.testing.recorder import Recorder, recorder_below
from glance_mini.testing.samples import IMAGE_ID, make_context, make_image

CALLER = make_context()


class Marking(Layer):
    name = "marking"

    def update_image(self, context: Any, op: UpdateImage) -> Any:
        return ("marked", self.below(context, op))


class Everywhere(Layer):
    name = "everywhere"

    def __init__(self) -> None:
        self.seen: list[str] = []

    def around(self, context: Any, op: Any) -> Any:
        self.seen.append(op.name)
        return self.below(context, op)


class Guarding(Everywhere):
    name = "guarding"

    def surrounds(self, operation: Any) -> bool:
        return operation.writes


class General(Layer):
    """Answers everything by one handler, as the database layer does with data calls."""

    name = "general"
    answers: ClassVar = frozenset(operation.name for operation in OPERATIONS)

    def handler(self, operation: Any) -> Any:
        return super().handler(operation) or self._answer

    def get_usage(self, context: Any, op: Any) -> str:
        return "own"

    def _answer(self, context: Any, op: Any) -> Any:
        return op


class TestCalls(testtools.TestCase):
    def test_the_target_is_loaded_once_before_the_first_layer(self) -> None:
        recorder = Recorder({"load_image": make_image(), "get_image": lambda context, op: op.target.id})
        self.assertEqual(IMAGE_ID, Stack([recorder]).call(CALLER, GetImage(IMAGE_ID)))
        self.assertEqual(["load_image", "get_image"], recorder.names)

    def test_a_loaded_target_is_not_loaded_again(self) -> None:
        recorder = Recorder()
        Stack([recorder]).call(CALLER, GetImage(IMAGE_ID, make_image()))
        self.assertEqual(["get_image"], recorder.names)

    def test_only_layers_with_a_method_are_on_the_path(self) -> None:
        stack = Stack([Marking(), Recorder({"update_image": "done"})])
        self.assertEqual(("marking", "recorder"), stack.path("update_image"))
        self.assertEqual(("recorder",), stack.path("get_image"))
        self.assertEqual(("marked", "done"), stack.call(CALLER, UpdateImage(IMAGE_ID, make_image())))

    def test_around_sees_public_operations_only(self) -> None:
        watching = Everywhere()
        stack = Stack([watching, Recorder({"list_images": Page(())})])
        stack.call(CALLER, ListImages(ImageQuery()))
        stack.call(CALLER, ListRemovals(IMAGE_ID))
        self.assertEqual(["list_images"], watching.seen)
        self.assertEqual(("recorder",), stack.path("list_removals"))

    def test_around_sees_only_what_the_layer_surrounds(self) -> None:
        guarding = Guarding()
        stack = Stack([guarding, Recorder()])
        for op in (GetImage(IMAGE_ID, make_image()), UpdateImage(IMAGE_ID, make_image()), UploadData(IMAGE_ID)):
            stack.call(CALLER, op)
        self.assertEqual(["update_image", "upload_data"], guarding.seen)
        self.assertEqual(("recorder",), stack.path("get_image"))
        self.assertEqual(("guarding", "recorder"), stack.path("update_image"))

    def test_a_method_handles_also_what_the_layer_does_not_surround(self) -> None:
        class Reading(Guarding):
            def get_image(self, context: Any, op: Any) -> str:
                return "own"

        self.assertEqual("own", Stack([Reading(), Recorder()]).call(CALLER, GetImage(IMAGE_ID, make_image())))

    def test_a_layer_may_handle_operations_without_a_method_for_each(self) -> None:
        stack = Stack([General()])
        for op in (ListRemovals(IMAGE_ID), ListImages(ImageQuery()), GetImage(IMAGE_ID, make_image())):
            self.assertEqual((op, ("general",)), (stack.call(CALLER, op), stack.path(op.name)))
        self.assertEqual("own", stack.call(CALLER, GetUsage()))

    def test_a_change_is_caused_by_the_call_and_a_read_by_nothing(self) -> None:
        causes: list[Cause | None] = []

        def note(context: Context, op: Any) -> Any:
            causes.append(context.cause)
            return make_image()

        recorder = Recorder(dict.fromkeys(("load_image", "get_image", "update_image", "upload_data"), note))
        stack = Stack([recorder])
        stack.call(CALLER, GetImage(IMAGE_ID))
        self.assertEqual([None, None], causes)
        causes.clear()
        stack.call(CALLER, UpdateImage(IMAGE_ID))
        stack.call(CALLER, UploadData(IMAGE_ID, make_image(), store="fast"))
        update = Cause("update_image", CALLER.user_id, CALLER.project_id, CALLER.roles, CALLER.request_id)
        upload = replace(update, operation="upload_data", store="fast")
        self.assertEqual([update, update, upload], causes)

    def test_the_target_of_a_restoration_may_be_a_deleted_image(self) -> None:
        for op, of_deleted in ((RestoreImage(IMAGE_ID), True), (GetImage(IMAGE_ID), False)):
            recorder = Recorder({"load_image": make_image()})
            Stack([recorder]).call(CALLER, op)
            self.assertEqual(LoadImage(IMAGE_ID, purpose=op.name, of_deleted=of_deleted), recorder.seen[0])

    def test_permission_is_asked_of_all_layers_and_reaches_no_handler(self) -> None:
        class Asked(Everywhere):
            def permit(self, context: Any, op: Any) -> None:
                asked.append(op.target.id)

        asked: list[str] = []
        recorder = Recorder({"load_image": make_image()})
        Stack([Asked(), Marking(), Asked(), recorder]).permit(CALLER, UpdateImage(IMAGE_ID))
        self.assertEqual([IMAGE_ID, IMAGE_ID], asked)
        self.assertEqual(["load_image"], recorder.names)

    def test_a_method_of_its_own_comes_before_around(self) -> None:
        class Both(Everywhere):
            def get_image(self, context: Any, op: Any) -> str:
                return "own"

        layer = Both()
        self.assertEqual("own", Stack([layer, Recorder()]).call(CALLER, GetImage(IMAGE_ID, make_image())))
        self.assertEqual([], layer.seen)

    def test_layers_below_the_one_that_answers_are_not_on_the_path(self) -> None:
        class Answering(Layer):
            name = "answering"
            answers: ClassVar = frozenset({"get_usage"})

            def get_usage(self, context: Any, op: Any) -> dict[str, int]:
                return {}

        answering = Answering()
        stack = Stack([answering, Everywhere(), recorder_below(answering)])
        self.assertEqual(("answering",), stack.path("get_usage"))


class TestPaths(testtools.TestCase):
    def test_operations_meet_the_layers_that_have_something_to_do_with_them(self) -> None:
        stack = self.useFixture(ApplicationFixture()).stack
        for name, path in {
            "get_image": ("notifier", "policy", "database"),
            "list_images": ("auth", "notifier", "policy", "database"),
            "create_image": ("auth", "notifier", "policy", "quota", "database"),
            "update_image": ("auth", "notifier", "policy", "quota", "location", "database"),
            "delete_image": ("auth", "notifier", "policy", "location", "database"),
            "deactivate_image": ("auth", "notifier", "policy", "location", "database"),
            "restore_image": ("auth", "notifier", "policy", "quota", "database"),
            "purge_image": ("auth", "notifier", "policy", "location", "database"),
            "upload_data": ("auth", "notifier", "policy", "quota", "location"),
            "download_data": ("auth", "notifier", "policy", "location"),
            "import_image": ("auth", "notifier", "policy", "quota", "location"),
            "get_locations": ("notifier", "policy", "database"),
            "add_member": ("auth", "notifier", "policy", "quota", "location", "database"),
            "list_stores": ("notifier", "policy", "location"),
            "load_image": ("auth", "database"),
            "record_import": ("quota", "location", "database"),
            "claim_job": ("database",),
        }.items():
            self.assertEqual(path, stack.path(name), name)

    def test_every_public_operation_is_seen_by_the_policy_and_every_change_by_auth(self) -> None:
        stack = self.useFixture(ApplicationFixture()).stack
        for operation in OPERATIONS:
            path = stack.path(operation.name)
            self.assertEqual(not operation.internal, "policy" in path, operation.name)
            if operation.writes and not operation.internal:
                self.assertEqual("auth", path[0], operation.name)


class TestRefusals(testtools.TestCase):
    def refusal(self, *layers: Layer) -> str:
        return str(self.assertRaises(ConfigurationError, Stack, layers))

    def test_an_operation_without_an_answer_stops_the_start(self) -> None:
        text = self.refusal(Recorder(answers=Recorder.answers - {"load_image"}))
        self.assertIn("load_image", text)
        self.assertIn("no layer", text)

    def test_an_operation_with_two_answers_stops_the_start(self) -> None:
        text = self.refusal(Recorder(), Recorder())
        self.assertIn("recorder", text)

    def test_a_public_method_that_is_no_operation_stops_the_start(self) -> None:
        class Misspelt(Layer):
            name = "misspelt"

            def updaet_image(self, context: Any, op: Any) -> None: ...

        text = self.refusal(Misspelt(), Recorder())
        self.assertIn("updaet_image", text)
        self.assertIn("misspelt", text)
        self.assertIn(__name__, text)

    def test_a_layer_of_another_contract_stops_the_start(self) -> None:
        class Old(Layer):
            name = "old"
            contract = 0

        self.assertIn("contract 0", self.refusal(Old(), Recorder()))

    def test_an_answer_without_a_method_stops_the_start(self) -> None:
        class Empty(Layer):
            name = "empty"
            answers: ClassVar = frozenset({"get_usage"})

        self.assertIn("get_usage", self.refusal(Empty(), recorder_below(Empty())))


class TestLoading(testtools.TestCase):
    def load(self, *names: str) -> str:
        conf = cfg.ConfigOpts()
        conf.register_opt(cfg.ListOpt("layers"), group="domain")
        conf.register_opt(cfg.StrOpt("property_protection_file"))
        conf.register_opt(cfg.ListOpt("enforce", default=[]), group="metadefs")
        conf.set_override("layers", list(names), group="domain")
        return str(self.assertRaises(ConfigurationError, load_stack, conf, None))

    def test_required_layers_cannot_be_left_out(self) -> None:
        self.assertIn("policy", self.load("auth", "database"))

    def test_a_layer_cannot_come_twice(self) -> None:
        self.assertIn("auth more than once", self.load("auth", "policy", "auth", "database"))

    def test_an_unknown_layer_stops_the_start(self) -> None:
        self.assertIn("nonesuch", self.load("auth", "policy", "nonesuch", "database"))

    def test_a_layer_that_cannot_be_built_stops_the_start(self) -> None:
        text = self.load("auth", "policy", "database")
        self.assertIn("glance_mini.layers.policy.layer:PolicyLayer", text)
