"""Which rules guard which operation, and how a refusal looks."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import fixtures
import testtools

from glance_mini.domain.changes import LocationChange, PropertyChange, TagChange
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Forbidden, NotFound, PolicyRefused
from glance_mini.domain.image import Image
from glance_mini.domain.imports import ImportRequest
from glance_mini.domain.metadefs import (
    Association,
    NamespaceContent,
    NamespacePage,
    NamespaceQuery,
    ObjectDefinition,
    ObjectPage,
    PropertyDefinition,
    TagDefinition,
)
from glance_mini.domain.query import ImageQuery, Page
from glance_mini.layers.policy import RULES, PolicyLayer
from glance_mini.operations import (
    OPERATIONS,
    data,
    disks,
    images,
    imports,
    info,
    links,
    locations,
    members,
    metadef_parts,
    metadefs,
    tasks,
    upload_sessions,
)
from glance_mini.operations.base import Operation
from glance_mini.policies import list_rules
from glance_mini.testing.operations import make_operation
from glance_mini.testing.recorder import Recorder
from glance_mini.testing.samples import IMAGE_ID, make_context, make_image, make_namespace
from tests.unit.layers.support import (
    ADMIN,
    ANONYMOUS,
    MEMBER,
    OTHER,
    OWNER,
    Decisions,
    make_enforcer,
    make_member,
    stand,
)

IMAGE = make_image()
READER = make_context("reader", "p1")

NOBODY = '"get_image": "!"\n'
ONLY_ODD = '"get_image": "\'yes\':%(odd)s"\n'
"""Lets images pass that have the custom property ``odd``."""


NAMESPACE = make_namespace()
WHOLE = NamespaceContent(
    NAMESPACE, (Association("a"),), (PropertyDefinition("p"),), (ObjectDefinition("o"),), (TagDefinition("t"),)
)
METADEF_ROWS: list[tuple[Operation, list[str]]] = [
    (metadefs.GetNamespaces(), ["get_metadef_namespaces", "list_metadef_resource_types"]),
    (metadefs.AddNamespace(NamespaceContent(NAMESPACE)), ["add_metadef_namespace"]),
    (
        metadefs.AddNamespace(WHOLE),
        [
            "add_metadef_namespace",
            "add_metadef_resource_type_association",
            "add_metadef_property",
            "add_metadef_object",
            "add_metadef_tag",
        ],
    ),
    (
        metadefs.GetNamespace("n", NAMESPACE),
        [
            "get_metadef_namespace",
            "list_metadef_resource_types",
            "get_metadef_objects",
            "get_metadef_properties",
            "get_metadef_tags",
        ],
    ),
    (metadefs.ModifyNamespace("n", NAMESPACE), ["modify_metadef_namespace"]),
    (metadefs.DeleteNamespace("n", NAMESPACE), ["delete_metadef_namespace"]),
    (metadefs.ListResourceTypes(), ["list_metadef_resource_types"]),
    (metadefs.ListAssociations("n", NAMESPACE), ["list_metadef_resource_types"]),
    (metadefs.AddAssociation("n", NAMESPACE), ["add_metadef_resource_type_association"]),
    (metadefs.RemoveAssociation("n", NAMESPACE, "t"), ["remove_metadef_resource_type_association"]),
    (metadef_parts.GetProperties("n", NAMESPACE), ["get_metadef_properties"]),
    (metadef_parts.AddProperty("n", NAMESPACE), ["add_metadef_property"]),
    (metadef_parts.DeleteProperties("n", NAMESPACE), ["delete_metadef_namespace"]),
    (metadef_parts.GetProperty("n", NAMESPACE, "p"), ["get_metadef_property"]),
    (metadef_parts.GetProperty("n", NAMESPACE, "p", "t"), ["get_metadef_property", "get_metadef_resource_type"]),
    (metadef_parts.ModifyProperty("n", NAMESPACE, "p"), ["modify_metadef_property"]),
    (metadef_parts.RemoveProperty("n", NAMESPACE, "p"), ["remove_metadef_property"]),
    (metadef_parts.GetObjects("n", NAMESPACE), ["get_metadef_objects"]),
    (metadef_parts.AddObject("n", NAMESPACE), ["add_metadef_object"]),
    (metadef_parts.DeleteObjects("n", NAMESPACE), ["delete_metadef_namespace"]),
    (metadef_parts.GetObject("n", NAMESPACE, "o"), ["get_metadef_object"]),
    (metadef_parts.ModifyObject("n", NAMESPACE, "o"), ["modify_metadef_object"]),
    (metadef_parts.DeleteObject("n", NAMESPACE, "o"), ["delete_metadef_object"]),
    (metadef_parts.GetTags("n", NAMESPACE), ["get_metadef_tags"]),
    (metadef_parts.AddTags("n", NAMESPACE), ["add_metadef_tags"]),
    (metadef_parts.DeleteTags("n", NAMESPACE), ["delete_metadef_namespace", "delete_metadef_tags"]),
    (metadef_parts.AddTag("n", NAMESPACE, "t"), ["add_metadef_tag"]),
    (metadef_parts.GetTag("n", NAMESPACE, "t"), ["get_metadef_tag"]),
    (metadef_parts.ModifyTag("n", NAMESPACE, "t", "u"), ["modify_metadef_tag"]),
    (metadef_parts.DeleteTag("n", NAMESPACE, "t"), ["delete_metadef_tag"]),
]
"""Operations on metadata definitions, and the rules that they ask."""


class PolicyCase(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.decisions = Decisions()
        self.asked = self.decisions.seen
        self.log = self.useFixture(fixtures.FakeLogger(level=20))

    def stand(self, policy: str = "", **answers_with: Any) -> tuple[Any, Recorder]:
        enforcer = make_enforcer(self, policy, decisions=self.decisions)
        return stand(PolicyLayer(enforcer), **answers_with)

    def call(self, context: Context, op: Operation, policy: str = "", **answers_with: Any) -> Any:
        stack, self.recorder = self.stand(policy, **answers_with)
        return stack.call(context, op)

    def refused(self, error: type[Exception], context: Context, op: Operation, policy: str = "") -> str:
        stack, recorder = self.stand(policy)
        text = str(self.assertRaises(error, stack.call, context, op))
        self.assertEqual([], recorder.names, f"{op.name} arrived below")
        return text


class TestTable(PolicyCase):
    def test_every_public_operation_has_a_rule_of_its_name_or_a_row(self) -> None:
        known = {rule.name for rule in list_rules()}
        public = {operation for operation in OPERATIONS if not operation.internal}
        self.assertEqual(set(), {each.name for each in public - set(RULES)} - known)
        self.assertLessEqual(set(RULES), public)

    def test_no_row_says_what_holds_without_it(self) -> None:
        further = {disks.ConvertImage: {"new_image": "new"}}
        for operation, rules in RULES.items():
            made = replace(make_operation(operation), **further.get(operation, {}))
            self.assertNotEqual([operation.name], list(rules(made)))

    def test_every_rule_of_the_table_exists(self) -> None:
        known = {rule.name for rule in list_rules()}
        for operation, rules in RULES.items():
            self.assertLessEqual(set(rules(make_operation(operation))), known, operation.name)

    def test_an_operation_without_a_row_and_a_rule_is_refused_to_everybody(self) -> None:
        class Unheard(Operation):
            name = "unheard_of"

        for policy in ("", '"default": "@"\n'):
            layer = PolicyLayer(make_enforcer(self, policy))
            layer.bind({"unheard_of": lambda context, op: "done"})
            for context in (ADMIN, OWNER, ANONYMOUS):
                error = self.assertRaises(PolicyRefused, layer.handler(Unheard), context, Unheard())
                self.assertIn("unheard_of", str(error))

    def test_an_operation_without_a_row_asks_the_rule_of_its_name(self) -> None:
        class Unheard(Operation):
            name = "unheard_of"

        layer = PolicyLayer(make_enforcer(self, '"unheard_of": "role:admin"\n'))
        layer.bind({"unheard_of": lambda context, op: "done"})
        self.assertEqual("done", layer.handler(Unheard)(ADMIN, Unheard()))
        self.assertRaises(PolicyRefused, layer.handler(Unheard), OWNER, Unheard())

    def test_each_operation_asks_its_rules_in_order(self) -> None:
        remove, add = LocationChange("remove", 0), LocationChange("add")
        rename = PropertyChange("replace", "name", "new")
        table: list[tuple[Operation, list[str]]] = [
            (images.GetImage(IMAGE_ID, IMAGE), ["get_image"]),
            (images.ListImages(ImageQuery()), ["get_images"]),
            (images.CreateImage(base={"owner": "p1"}), ["add_image"]),
            (images.CreateImage(base={"visibility": "private"}), ["add_image"]),
            (images.CreateImage(base={"visibility": "public"}), ["add_image", "publicize_image"]),
            (images.CreateImage(base={"visibility": "community"}), ["add_image", "communitize_image"]),
            (images.UpdateImage(IMAGE_ID, IMAGE), ["modify_image"]),
            (images.UpdateImage(IMAGE_ID, IMAGE, (rename,)), ["modify_image"]),
            (images.UpdateImage(IMAGE_ID, IMAGE, (TagChange("add", "t"),)), ["modify_image"]),
            (images.UpdateImage(IMAGE_ID, IMAGE, (add,)), ["set_image_location"]),
            (images.UpdateImage(IMAGE_ID, IMAGE, (remove,)), ["delete_image_location"]),
            (images.UpdateImage(IMAGE_ID, IMAGE, (LocationChange("replace"),)), ["set_image_location"]),
            (
                images.UpdateImage(IMAGE_ID, IMAGE, (rename, add, remove)),
                ["modify_image", "set_image_location", "delete_image_location"],
            ),
            (images.UpdateImage(IMAGE_ID, IMAGE, (to("public"),)), ["modify_image", "publicize_image"]),
            (images.UpdateImage(IMAGE_ID, IMAGE, (to("community"),)), ["modify_image", "communitize_image"]),
            (images.UpdateImage(IMAGE_ID, IMAGE, (to("private"),)), ["modify_image"]),
            (images.UpdateImage(IMAGE_ID, make_image(visibility="public"), (to("public"),)), ["modify_image"]),
            (images.UpdateImage(IMAGE_ID, make_image(visibility="public"), (to("shared"),)), ["modify_image"]),
            (images.UpdateImage(IMAGE_ID, IMAGE, (to("public"), to("shared"))), ["modify_image", "publicize_image"]),
            (images.DeleteImage(IMAGE_ID, IMAGE), ["delete_image"]),
            (images.DeactivateImage(IMAGE_ID, IMAGE), ["deactivate"]),
            (images.ReactivateImage(IMAGE_ID, IMAGE), ["reactivate"]),
            (images.RestoreImage(IMAGE_ID, IMAGE), ["restore_image"]),
            (images.PurgeImage(IMAGE_ID, IMAGE), ["purge_image"]),
            (data.UploadData(IMAGE_ID, IMAGE), ["upload_image"]),
            (data.DownloadData(IMAGE_ID, IMAGE), ["download_image"]),
            (data.DownloadData(IMAGE_ID, IMAGE, prefer=("a",)), ["download_image", "download_from_store"]),
            (imports.StageData(IMAGE_ID, IMAGE), ["modify_image"]),
            (imports.ImportImage(IMAGE_ID, IMAGE, ImportRequest({"name": "glance-direct"})), ["modify_image"]),
            (imports.ImportImage(IMAGE_ID, IMAGE, ImportRequest({"name": "web-download"})), ["modify_image"]),
            (imports.ImportImage(IMAGE_ID, IMAGE, ImportRequest({"name": "glance-download"})), ["modify_image"]),
            (imports.ImportImage(IMAGE_ID, IMAGE, ImportRequest({"name": "copy-image"})), ["copy_image"]),
            (tasks.ListImageTasks(IMAGE_ID, IMAGE), ["get_image"]),
            (locations.GetLocations(IMAGE_ID, IMAGE), ["fetch_image_location"]),
            (locations.AddLocation(IMAGE_ID, IMAGE), ["add_image_location"]),
            (locations.DeleteFromStore(IMAGE_ID, IMAGE), ["get_image_location", "delete_image_location"]),
            *METADEF_ROWS,
            (tasks.ListTasks(), ["tasks_api_access"]),
            (tasks.GetTask(), ["tasks_api_access"]),
            (tasks.CreateTask(), ["tasks_api_access"]),
            (links.AddLink(IMAGE_ID, IMAGE), ["add_link", "download_image"]),
            (links.ListLinks(IMAGE_ID, IMAGE), ["get_links"]),
            (links.AddUploadLink(IMAGE_ID, IMAGE), ["add_link", "upload_image"]),
            (links.CompleteUpload(IMAGE_ID, IMAGE, "l"), ["upload_image"]),
            (links.DeleteLink(IMAGE_ID, IMAGE, "l"), ["delete_link"]),
            (upload_sessions.AddUploadSession(IMAGE_ID, IMAGE), ["upload_image"]),
            (upload_sessions.ListUploadSessions(IMAGE_ID, IMAGE), ["upload_image"]),
            (upload_sessions.GetUploadSession(IMAGE_ID, IMAGE), ["upload_image"]),
            (upload_sessions.ExtendUploadSession(IMAGE_ID, IMAGE), ["upload_image"]),
            (upload_sessions.DeleteUploadSession(IMAGE_ID, IMAGE), ["upload_image"]),
            (members.ListMembers(IMAGE_ID, IMAGE), ["get_members"]),
            (members.GetMember(IMAGE_ID, IMAGE, "p2"), ["get_member"]),
            (members.AddMember(IMAGE_ID, IMAGE, "p2"), ["add_member"]),
            (members.UpdateMember(IMAGE_ID, IMAGE, "p2", "accepted"), ["get_member", "modify_member"]),
            (members.DeleteMember(IMAGE_ID, IMAGE, "p2"), ["get_member", "delete_member"]),
            (info.ListStores(), []),
            (info.ListStores(detail=True), ["stores_info_detail"]),
            (info.GetUsage(), []),
        ]
        for op, rules in table:
            self.asked.clear()
            self.call(ADMIN, op, list_images=Page(()), list_members=())
            self.assertEqual([(rule, True) for rule in rules], self.asked, op)
            self.assertEqual([op], self.recorder.seen)

    def test_one_refusing_rule_is_enough(self) -> None:
        op = images.UpdateImage(IMAGE_ID, IMAGE, (PropertyChange("add", "name", "x"), LocationChange("remove", 0)))
        text = self.refused(PolicyRefused, OWNER, op)
        self.assertIn("delete_image_location", text)


class TestDefaults(PolicyCase):
    def test_who_may_do_what_without_a_policy_file(self) -> None:
        everybody = {"owner", "reader", "member", "other", "admin"}
        change = images.UpdateImage(IMAGE_ID, IMAGE)
        table: list[tuple[Operation, set[str]]] = [
            (images.GetImage(IMAGE_ID, IMAGE), everybody),
            (images.GetImage(IMAGE_ID, make_image(visibility="public")), everybody),
            (images.GetImage(IMAGE_ID, make_image(visibility="private")), {"owner", "reader", "admin"}),
            (images.GetImage(IMAGE_ID, make_image(visibility="community")), everybody),
            (change, {"owner", "admin"}),
            (images.UpdateImage(IMAGE_ID, IMAGE, (to("public"),)), {"admin"}),
            (images.UpdateImage(IMAGE_ID, IMAGE, (to("community"),)), {"owner", "admin"}),
            (images.CreateImage(base={"owner": "p1"}), {"owner", "admin"}),
            (images.CreateImage(base={"owner": "p1", "visibility": "public"}), {"admin"}),
            (images.DeleteImage(IMAGE_ID, IMAGE), {"owner", "admin"}),
            (data.UploadData(IMAGE_ID, IMAGE), {"owner", "admin"}),
            (data.DownloadData(IMAGE_ID, IMAGE), {"owner", "member", "other", "admin"}),
            (links.AddLink(IMAGE_ID, IMAGE), {"owner", "member", "other", "admin"}),
            (links.AddLink(IMAGE_ID, make_image(visibility="private")), {"owner", "admin"}),
            (members.AddMember(IMAGE_ID, IMAGE, "p2"), {"owner", "admin"}),
            (members.GetMember(IMAGE_ID, IMAGE, "p2"), {"owner", "reader", "member", "admin"}),
            (members.UpdateMember(IMAGE_ID, IMAGE, "p2", "accepted"), {"member", "admin"}),
            (members.DeleteMember(IMAGE_ID, IMAGE, "p2"), {"owner", "admin"}),
            (info.ListStores(detail=True), {"admin"}),
            (info.ListStores(), everybody | {"anonymous"}),
        ]
        callers = {
            "owner": OWNER, "reader": READER, "member": MEMBER, "other": OTHER, "admin": ADMIN, "anonymous": ANONYMOUS,
        }  # fmt: skip
        stack, _ = self.stand()
        for op, allowed in table:
            found = {name for name, caller in callers.items() if self.passes(stack, caller, op)}
            self.assertEqual(allowed, found, op)

    def passes(self, stack: Any, caller: Context, op: Operation) -> bool:
        try:
            stack.call(caller, op)
        except (NotFound, Forbidden):
            return False
        return True


class TestRefusals(PolicyCase):
    def test_a_refusal_on_an_image_that_may_be_seen_is_403(self) -> None:
        text = self.refused(PolicyRefused, OTHER, images.DeleteImage(IMAGE_ID, make_image(visibility="public")))
        self.assertIn("delete_image", text)

    def test_a_refusal_on_an_image_that_may_not_be_seen_is_404(self) -> None:
        for op in (images.DeleteImage(IMAGE_ID, IMAGE), data.DownloadData(IMAGE_ID, IMAGE)):
            text = self.refused(NotFound, ANONYMOUS, op)
            self.assertIn(IMAGE_ID, text)

    def test_refused_reading_is_always_404(self) -> None:
        self.refused(NotFound, OWNER, images.GetImage(IMAGE_ID, IMAGE), NOBODY)

    def test_a_refused_membership_is_404_also_for_those_who_see_the_image(self) -> None:
        text = self.refused(NotFound, OWNER, members.GetMember(IMAGE_ID, IMAGE, "p2"), '"get_member": "!"\n')
        self.assertIn("member", text)

    def test_a_refusal_without_an_image_is_403(self) -> None:
        self.refused(PolicyRefused, READER, images.CreateImage(base={"owner": "p1"}))
        self.refused(PolicyRefused, ANONYMOUS, images.ListImages(ImageQuery()))

    def test_a_call_that_is_allowed_does_not_need_get_image(self) -> None:
        self.call(OWNER, images.DeleteImage(IMAGE_ID, IMAGE), NOBODY)
        self.assertEqual([("delete_image", True)], self.asked)

    def test_decisions_are_counted_and_looks_at_get_image_are_not(self) -> None:
        self.refused(NotFound, ANONYMOUS, images.DeleteImage(IMAGE_ID, IMAGE))
        self.assertEqual([("delete_image", False)], self.asked)

    def test_a_refusal_is_logged_with_rule_target_and_roles(self) -> None:
        self.refused(PolicyRefused, OTHER, images.DeleteImage(IMAGE_ID, make_image(visibility="public")))
        for part in ("delete_image", IMAGE_ID, "'p1'", "member,reader", "'p3'"):
            self.assertIn(part, self.log.output)

    def test_a_custom_property_cannot_pose_as_an_attribute(self) -> None:
        fake = dict.fromkeys(("project_id", "owner", "member_id"), "p3") | {"visibility": "public"}
        image = make_image(properties=fake, visibility="private")
        self.refused(NotFound, OTHER, images.GetImage(IMAGE_ID, image))

    def test_a_rule_may_look_at_custom_properties(self) -> None:
        self.refused(NotFound, OWNER, images.GetImage(IMAGE_ID, IMAGE), ONLY_ODD)
        self.call(OWNER, images.GetImage(IMAGE_ID, make_image(properties={"odd": "yes"})), ONLY_ODD)
        self.assertEqual(["get_image"], self.recorder.names)


class TestMembers(PolicyCase):
    def test_rows_that_get_member_refuses_are_left_out(self) -> None:
        rows = (make_member("p2"), make_member("p3"))
        mine = '"get_members": "@"\n"get_member": "project_id:%(member_id)s"\n'
        found = self.call(MEMBER, members.ListMembers(IMAGE_ID, IMAGE), mine, list_members=rows)
        self.assertEqual(["p2"], [member.member_id for member in found])

    def test_the_owner_gets_every_row(self) -> None:
        rows = (make_member("p2"), make_member("p3"))
        found = self.call(OWNER, members.ListMembers(IMAGE_ID, IMAGE), list_members=rows)
        self.assertEqual(list(rows), list(found))
        self.assertEqual([("get_members", True)], self.asked)


class TestLists(PolicyCase):
    def pages(self, odd: Sequence[bool], per_page: int = 1000) -> Any:
        """Answer lists out of images named 0, 1 …, those ``odd`` that the changed rule lets pass.

        A page has at most ``per_page`` images, as if these had all the bytes of a page.
        """
        properties = [{"odd": "yes"} if is_odd else {} for is_odd in odd]
        rows = [make_image(id=str(number), properties=each) for number, each in enumerate(properties)]

        def answer(context: Context, op: images.ListImages) -> Page:
            start = 0 if op.query.marker is None else int(op.query.marker) + 1
            length = min(op.query.limit, per_page)
            found = tuple(rows[start : start + length])
            is_full = bool(found) and len(found) == length
            return Page(found, found[-1].id if is_full else None)

        return answer

    def page(self, odd: Sequence[bool], limit: int, policy: str = ONLY_ODD, marker: str | None = None) -> Page:
        op = images.ListImages(ImageQuery(limit=limit, marker=marker))
        page: Page = self.call(OWNER, op, policy, list_images=self.pages(odd))
        return page

    def ids(self, found: Sequence[Image]) -> list[str]:
        return [image.id for image in found]

    def test_with_the_rule_of_the_code_a_page_goes_through_as_it_is(self) -> None:
        page = self.page([False] * 5, 2, policy="")
        self.assertEqual((["0", "1"], "1"), (self.ids(page.images), page.next_marker))
        self.assertEqual([("get_images", True)], self.asked)
        self.assertEqual(1, len(self.recorder.seen))

    def test_rows_that_a_changed_rule_refuses_are_replaced_by_later_ones(self) -> None:
        odd = [True, False, False, True, True, False, True]
        page = self.page(odd, 2)
        self.assertEqual(["0", "3"], self.ids(page.images))
        self.assertEqual("3", page.next_marker)

    def test_the_next_marker_is_never_an_image_that_was_refused(self) -> None:
        page = self.page([True, False, True, False, True], 2)
        self.assertEqual((["0", "2"], "2"), (self.ids(page.images), page.next_marker))

    def test_walking_by_marker_meets_every_allowed_image_once(self) -> None:
        odd = [number % 3 == 0 for number in range(20)]
        for limit in range(1, 9):
            walked: list[str] = []
            marker = None
            while True:
                page = self.page(odd, limit, marker=marker)
                self.assertLessEqual(len(page.images), limit)
                walked += self.ids(page.images)
                if page.next_marker is None:
                    break
                self.assertEqual(limit, len(page.images))
                marker = page.next_marker
            self.assertEqual(["0", "3", "6", "9", "12", "15", "18"], walked)

    def test_page_that_ends_because_of_its_bytes_is_not_filled_unless_nothing_in_it_is_allowed(self) -> None:
        odd = [False, False, False, True, False, True]
        walked, marker = [], None
        while True:
            query = ImageQuery(limit=5, marker=marker, max_bytes=2)
            page = self.call(OWNER, images.ListImages(query), ONLY_ODD, list_images=self.pages(odd, per_page=2))
            walked.append(self.ids(page.images))
            if (marker := page.next_marker) is None:
                break
        self.assertEqual([["3"], ["5"], []], walked)

    def test_when_nothing_is_left_the_page_is_short_and_the_last(self) -> None:
        page = self.page([True, False, False, False, False], 2)
        self.assertEqual((["0"], None), (self.ids(page.images), page.next_marker))

    def test_when_everything_is_refused_the_page_is_empty(self) -> None:
        page = self.page([False] * 7, 3)
        self.assertEqual(((), None), (page.images, page.next_marker))

    def test_a_page_of_nothing_asks_once(self) -> None:
        page = self.page([True] * 3, 0)
        self.assertEqual(((), None), (page.images, page.next_marker))
        self.assertEqual(1, len(self.recorder.seen))

    def test_rows_are_looked_at_when_a_rule_that_get_image_refers_to_was_changed(self) -> None:
        foreign = Page((make_image(owner="p7", visibility="private"),))
        op = images.ListImages(ImageQuery())
        self.assertEqual(foreign, self.call(OWNER, op, list_images=foreign))
        changed = self.call(OWNER, op, '"context_is_admin": "role:root"\n', list_images=foreign)
        self.assertEqual((), changed.images)


def to(visibility: str) -> PropertyChange:
    return PropertyChange("replace", "visibility", visibility)


class TestMetadefs(PolicyCase):
    """Rows of namespaces, and what a refusal says of a namespace."""

    def pages(self, *names: str) -> Any:
        """Return a function that answers pages of namespaces, those of project p2 by upper-case names."""
        every = [make_namespace(name=name, owner="p2" if name.isupper() else "p1") for name in names]

        def answer(context: Context, op: metadefs.GetNamespaces) -> NamespacePage:
            rest = every[names.index(op.query.marker) + 1 :] if op.query.marker else every
            page = rest[: op.query.limit]
            return NamespacePage(tuple(map(NamespaceContent, page)), page[-1].name if len(rest) > len(page) else None)

        return answer

    def names(self, limit: int, policy: str = "", *names: str) -> tuple[list[str], str | None]:
        op = metadefs.GetNamespaces(NamespaceQuery(limit=limit))
        page = self.call(READER, op, policy, get_metadef_namespaces=self.pages(*names))
        return [each.namespace.name for each in page.namespaces], page.next_marker

    def test_rows_are_asked_only_where_the_rule_was_changed_and_the_page_is_filled(self) -> None:
        self.assertEqual((["a", "B"], "B"), self.names(2, "", "a", "B", "c"))
        own = '"get_metadef_namespace": "project_id:%(project_id)s"\n'
        self.assertEqual((["a", "c"], "c"), self.names(2, own, "a", "B", "c", "D", "e"))
        self.assertEqual((["a"], None), self.names(2, own, "a", "B"))

    def test_rows_in_a_namespace_need_their_rule(self) -> None:
        for rule, op, found in (
            ("get_metadef_resource_type", metadefs.ListAssociations("n", NAMESPACE), (Association("a"),)),
            ("get_metadef_object", metadef_parts.GetObjects("n", NAMESPACE), ObjectPage((ObjectDefinition("o"),))),
        ):
            self.assertEqual(found, self.call(READER, op, **{op.name: found}))
            nothing = self.call(READER, op, f'"{rule}": "!"\n', **{op.name: found})
            self.assertEqual(type(found)(()), nothing)

    def test_refusal_tells_whoever_may_see_the_namespace(self) -> None:
        op = metadefs.DeleteNamespace("sample", NAMESPACE)
        self.assertIn("delete_metadef_namespace", self.refused(PolicyRefused, READER, op))
        text = self.refused(NotFound, READER, op, '"get_metadef_namespace": "!"\n')
        self.assertEqual("No namespace found with ID sample", text)
        self.assertIn("namespace", self.refused(NotFound, ANONYMOUS, op))
