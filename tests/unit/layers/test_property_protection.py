"""Who may create, read, change and delete which custom properties."""

from typing import Any

import fixtures
import testtools

from glance_mini.domain.changes import Change, PropertyChange, TagChange
from glance_mini.domain.context import Context
from glance_mini.domain.errors import PropertyProtected
from glance_mini.domain.property_rules import parse
from glance_mini.domain.query import ImageQuery, Page
from glance_mini.layers.auth import AuthLayer
from glance_mini.layers.property_protection import PropertyProtectionLayer
from glance_mini.layers.stack import Stack
from glance_mini.operations import data, images
from glance_mini.testing.recorder import Recorder, recorder_below
from glance_mini.testing.samples import IMAGE_ID, make_context, make_image
from tests.unit.layers.support import Decisions, make_database, make_database_layer, make_enforcer, stand

BY_ROLE = """
[^open_]
create = @
read = @
update = @
delete = @

[^billing_]
create = billing
read = billing,member
update = billing
delete = admin

[^secret_]
create = admin
read = admin
update = admin
delete = !
"""

BY_POLICY = """
[^billing_]
create = may_bill
read = may_look
update = may_bill
delete = !
"""

POLICY = '"may_bill": "role:billing"\n"may_look": "role:billing or role:member"\n'

ADMIN, BILLING, PLAIN, STRANGER = (make_context(role) for role in ("admin", "billing", "member", "stranger"))

IMAGE = make_image(properties={"open_a": "1", "billing_b": "2", "secret_c": "3", "unmatched": "4"})


class ProtectionCase(testtools.TestCase):
    def make_layer(self, rules: str = BY_ROLE, rule_format: str = "roles", **named: Any) -> PropertyProtectionLayer:
        enforcer = make_enforcer(self, POLICY, **named)
        return PropertyProtectionLayer(parse(rules, rule_format, is_policy=enforcer.has_rule), enforcer)

    def change(self, context: Context, *changes: Change, **values: Any) -> Recorder:
        stack, recorder = stand(self.make_layer(**values), update_image=IMAGE)
        self.result = stack.call(context, images.UpdateImage(IMAGE_ID, IMAGE, changes))
        return recorder

    def create(self, context: Context, name: str, **values: Any) -> None:
        stack, _ = stand(self.make_layer(**values), create_image=IMAGE)
        stack.call(context, images.CreateImage(properties={name: "x"}))

    def is_refused(self, call: Any, context: Context, argument: Any, **values: Any) -> bool:
        try:
            call(context, argument, **values)
        except PropertyProtected as error:
            self.assertIn("is reserved", str(error))
            return True
        return False


class TestWriting(ProtectionCase):
    def test_each_action_is_open_to_the_roles_that_the_file_names(self) -> None:
        new = PropertyChange("add", "billing_new", "x")
        old = PropertyChange("add", "billing_b", "x")
        everybody = {"admin", "billing", "member", "stranger"}
        table = [
            (self.create, "billing_x", {"billing"}),
            (self.create, "secret_x", {"admin"}),
            (self.create, "open_x", {"admin", "billing", "member", "stranger"}),
            (self.create, "unmatched", set()),
            (self.change, new, {"billing"}),
            (self.change, old, {"billing"}),
            (self.change, PropertyChange("replace", "billing_b", "x"), {"billing"}),
            (self.change, PropertyChange("create", "billing_new", "x"), {"billing"}),
            (self.change, PropertyChange("remove", "billing_b"), {"admin"}),
            (self.change, PropertyChange("remove", "secret_c"), set()),
            (self.change, PropertyChange("remove", "unmatched"), set()),
            (self.change, PropertyChange("add", "open_a", "x"), {"admin", "billing", "member", "stranger"}),
            (self.change, PropertyChange("move", "open_x", source="open_a"), everybody),
            (self.change, PropertyChange("move", "secret_x", source="open_a"), {"admin"}),
            (self.change, PropertyChange("move", "open_x", source="billing_b"), {"admin"}),
            (self.change, PropertyChange("move", "open_x", source="secret_c"), set()),
        ]
        callers = {"admin": ADMIN, "billing": BILLING, "member": PLAIN, "stranger": STRANGER}
        for call, argument, allowed in table:
            found = {name for name, caller in callers.items() if not self.is_refused(call, caller, argument)}
            self.assertEqual(allowed, found, argument)

    def test_setting_what_exists_is_an_update_and_what_does_not_is_a_creation(self) -> None:
        rules = "[x_]\ncreate = maker\nread = @\nupdate = changer\ndelete = !\n"
        maker, changer = make_context("maker"), make_context("changer")
        image = make_image(properties={"x_old": "1"})
        stack, _ = stand(self.make_layer(rules), update_image=image)
        table = [("x_old", changer, maker), ("x_new", maker, changer)]
        for name, allowed, refused in table:
            op = images.UpdateImage(IMAGE_ID, image, (PropertyChange("add", name, "2"),))
            stack.call(allowed, op)
            self.assertRaises(PropertyProtected, stack.call, refused, op)

    def test_policy_rules_decide_where_the_file_names_rules(self) -> None:
        policies = {"rules": BY_POLICY, "rule_format": "policies"}
        add = PropertyChange("add", "billing_b", "x")
        self.assertFalse(self.is_refused(self.change, BILLING, add, **policies))
        self.assertTrue(self.is_refused(self.change, PLAIN, add, **policies))
        self.assertTrue(self.is_refused(self.change, BILLING, PropertyChange("remove", "billing_b"), **policies))

    def test_the_roles_of_a_service_token_count(self) -> None:
        context = make_context("stranger", service_roles=("billing",))
        self.assertFalse(self.is_refused(self.create, context, "billing_x"))

    def test_base_properties_tags_and_the_services_own_properties_are_not_protected(self) -> None:
        changes: tuple[Change, ...] = (
            PropertyChange("replace", "name", "new"),
            TagChange("add", "t"),
            PropertyChange("add", "os_glance_import_task", "x"),
        )
        self.assertEqual(["update_image"], self.change(STRANGER, *changes).names)

    def test_nothing_arrives_below_when_one_of_several_changes_is_refused(self) -> None:
        stack, recorder = stand(self.make_layer())
        changes = (PropertyChange("add", "open_x", "1"), PropertyChange("add", "secret_x", "1"))
        self.assertRaises(PropertyProtected, stack.call, PLAIN, images.UpdateImage(IMAGE_ID, IMAGE, changes))
        self.assertRaises(PropertyProtected, stack.call, PLAIN, images.CreateImage(properties={"secret_x": "1"}))
        self.assertEqual([], recorder.names)


class TestReading(ProtectionCase):
    def readable(self, context: Context, **values: Any) -> set[str]:
        stack, _ = stand(self.make_layer(**values), get_image=IMAGE)
        return set(stack.call(context, images.GetImage(IMAGE_ID, IMAGE)).properties)

    def test_what_may_not_be_read_is_left_out(self) -> None:
        self.assertEqual({"open_a", "billing_b"}, self.readable(PLAIN))
        self.assertEqual({"open_a", "secret_c"}, self.readable(make_context("admin", roles=("admin",))))
        self.assertEqual({"open_a"}, self.readable(STRANGER))

    def test_policy_rules_decide_what_may_be_read(self) -> None:
        policies = {"rules": BY_POLICY, "rule_format": "policies"}
        self.assertEqual({"billing_b"}, self.readable(PLAIN, **policies))
        self.assertEqual(set(), self.readable(STRANGER, **policies))

    def test_every_result_with_an_image_is_redacted_and_no_operation_is(self) -> None:
        page = Page((IMAGE, make_image()), next_marker="m")
        answers = dict.fromkeys(("get_image", "create_image", "update_image", "upload_data"), IMAGE)
        stack, recorder = stand(self.make_layer(), list_images=page, **answers)
        changes = (PropertyChange("add", "open_x", "1"),)
        for op in (
            images.GetImage(IMAGE_ID, IMAGE),
            images.UpdateImage(IMAGE_ID, IMAGE, changes),
            data.UploadData(IMAGE_ID, IMAGE),
            images.CreateImage(),
        ):
            self.assertEqual({"open_a": "1"}, stack.call(STRANGER, op).properties)
            self.assertEqual(op, recorder.seen[-1])
        listed = stack.call(STRANGER, images.ListImages(ImageQuery()))
        self.assertEqual([{"open_a": "1"}, {}], [image.properties for image in listed.images])
        self.assertEqual("m", listed.next_marker)
        self.assertEqual("3", IMAGE.properties["secret_c"])

    def test_the_services_own_properties_are_always_readable(self) -> None:
        image = make_image(properties={"os_glance_import_task": "x"})
        stack, _ = stand(self.make_layer(), get_image=image)
        self.assertEqual(image, stack.call(STRANGER, images.GetImage(IMAGE_ID, image)))

    def test_a_filter_on_an_unreadable_property_finds_nothing(self) -> None:
        stack, recorder = stand(self.make_layer(), list_images=Page((IMAGE,)))
        for filters, found in (({"secret_c": "3"}, 0), ({"open_a": "1", "unmatched": "4"}, 0), ({"open_a": "1"}, 1)):
            page = stack.call(PLAIN, images.ListImages(ImageQuery(properties=filters)))
            self.assertEqual(found, len(page.images), filters)
        self.assertEqual(1, len(recorder.seen))

    def test_reading_counts_and_logs_no_refusals(self) -> None:
        decisions = Decisions()
        log = self.useFixture(fixtures.FakeLogger(level=20))
        layer = self.make_layer(BY_POLICY, "policies", decisions=decisions)
        stack, _ = stand(layer, get_image=IMAGE)
        stack.call(STRANGER, images.GetImage(IMAGE_ID, IMAGE))
        self.assertEqual(([], ""), (decisions.seen, log.output))
        self.assertRaises(PropertyProtected, stack.call, STRANGER, images.CreateImage(properties={"billing_x": "1"}))
        self.assertEqual([("may_bill", False)], decisions.seen)
        self.assertIn("may_bill", log.output)


class TestKeeping(ProtectionCase):
    def make_stack(self) -> Stack:
        layers = (AuthLayer(), self.make_layer(), make_database_layer(make_database(self)))
        return Stack([*layers, recorder_below(*layers)])

    def test_renaming_an_image_keeps_properties_the_caller_cannot_see(self) -> None:
        stack = self.make_stack()
        creation = images.CreateImage(base={"owner": "p1"}, properties={"secret_c": "3", "open_a": "1"})
        created = stack.call(ADMIN, creation)
        changes = (PropertyChange("replace", "name", "renamed"), PropertyChange("replace", "open_a", "2"))
        renamed = stack.call(PLAIN, images.UpdateImage(created.id, changes=changes))
        self.assertEqual(("renamed", {"open_a": "2"}), (renamed.name, dict(renamed.properties)))
        kept = stack.call(ADMIN, images.GetImage(created.id))
        self.assertEqual({"secret_c": "3", "open_a": "2"}, dict(kept.properties))

    def test_a_list_of_stored_images_shows_and_finds_what_may_be_read(self) -> None:
        stack = self.make_stack()
        stack.call(ADMIN, images.CreateImage(base={"owner": "p1"}, properties={"secret_c": "3", "open_a": "1"}))
        everything = stack.call(PLAIN, images.ListImages(ImageQuery()))
        self.assertEqual([{"open_a": "1"}], [dict(image.properties) for image in everything.images])
        for context, found in ((ADMIN, 1), (PLAIN, 0)):
            page = stack.call(context, images.ListImages(ImageQuery(properties={"secret_c": "3"})))
            self.assertEqual(found, len(page.images))
