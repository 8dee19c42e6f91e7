"""Who may see and change an image: owner, admin, member, others, anonymous callers."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import testtools

from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Forbidden, NotFound
from glance_mini.domain.image import Image
from glance_mini.domain.imports import ImportRequest
from glance_mini.domain.job import JobQuery
from glance_mini.domain.links import new_link
from glance_mini.domain.metadefs import NamespaceContent, NamespacePage
from glance_mini.domain.query import EVERYTHING, ImageQuery, Page, Scope
from glance_mini.layers.auth import AuthLayer
from glance_mini.operations import (
    OPERATIONS,
    data,
    disks,
    images,
    imports,
    links,
    locations,
    members,
    metadef_parts,
    metadefs,
    records,
    tasks,
    upload_sessions,
)
from glance_mini.operations.base import ImageOperation, Operation
from glance_mini.operations.records import LoadImage
from glance_mini.testing.operations import make_operation
from glance_mini.testing.recorder import Recorder
from glance_mini.testing.samples import IMAGE_ID, make_context, make_image, make_job, make_namespace
from tests.unit.layers.support import ADMIN, ANONYMOUS, CLOUDLESS_ADMIN, MEMBER, OTHER, OWNER, stand

IMAGE = make_image()
RENAME = (PropertyChange("replace", "name", "new"),)

CHANGES = (
    images.UpdateImage(IMAGE_ID, IMAGE, RENAME),
    images.DeleteImage(IMAGE_ID, IMAGE),
    images.DeactivateImage(IMAGE_ID, IMAGE),
    images.ReactivateImage(IMAGE_ID, IMAGE),
    images.RestoreImage(IMAGE_ID, IMAGE),
    images.PurgeImage(IMAGE_ID, IMAGE),
    data.UploadData(IMAGE_ID, IMAGE),
    imports.StageData(IMAGE_ID, IMAGE),
    imports.ImportImage(IMAGE_ID, IMAGE, ImportRequest({"name": "web-download"})),
    locations.DeleteFromStore(IMAGE_ID, IMAGE),
    links.AddUploadLink(IMAGE_ID, IMAGE, 1),
    links.CompleteUpload(IMAGE_ID, IMAGE, "l"),
    upload_sessions.AddUploadSession(IMAGE_ID, IMAGE),
    upload_sessions.ListUploadSessions(IMAGE_ID, IMAGE),
    upload_sessions.GetUploadSession(IMAGE_ID, IMAGE),
    upload_sessions.ExtendUploadSession(IMAGE_ID, IMAGE),
    upload_sessions.DeleteUploadSession(IMAGE_ID, IMAGE),
    members.AddMember(IMAGE_ID, IMAGE, "p3"),
    members.DeleteMember(IMAGE_ID, IMAGE, "p2"),
)
"""What the owner of an image may do to it, and an administrator."""


NAMESPACE = make_namespace()
NAMESPACE_CHANGES = (
    metadefs.ModifyNamespace("sample", NAMESPACE, make_namespace()),
    metadefs.DeleteNamespace("sample", NAMESPACE),
    metadefs.AddAssociation("sample", NAMESPACE),
    metadefs.RemoveAssociation("sample", NAMESPACE, "t"),
    metadef_parts.AddProperty("sample", NAMESPACE),
    metadef_parts.AddTags("sample", NAMESPACE),
    metadef_parts.DeleteObjects("sample", NAMESPACE),
)
"""What the owner of a namespace may do to it, and an administrator."""


@dataclass(frozen=True)
class FrameImage(ImageOperation[Image]):
    """A change of an image that no release knows."""

    name: ClassVar[str] = "frame_image"
    for_owner: ClassVar[bool] = True


@dataclass(frozen=True)
class PraiseImage(ImageOperation[Image]):
    """Another one, for everybody who sees the image."""

    name: ClassVar[str] = "praise_image"


@dataclass(frozen=True)
class MeasureImage(ImageOperation[int]):
    """One that only reads."""

    name: ClassVar[str] = "measure_image"
    writes: ClassVar[bool] = False


@dataclass(frozen=True)
class OpenGallery(Operation[None]):
    """A change of no image."""

    name: ClassVar[str] = "open_gallery"


class AuthCase(testtools.TestCase):
    def call(self, context: Context, op: Operation, **answers_with: Any) -> Recorder:
        """Return the recorder below the layer after ``op`` came through."""
        stack, recorder = stand(AuthLayer(), **answers_with)
        self.result = stack.call(context, op)
        return recorder

    def refused(self, error: type[Exception], context: Context, op: Operation) -> str:
        """Return the text of the refusal, after nothing arrived below."""
        stack, recorder = stand(AuthLayer())
        text = str(self.assertRaises(error, stack.call, context, op))
        self.assertEqual([], recorder.names, f"{op.name} arrived below")
        return text


class TestReading(AuthCase):
    def test_what_is_read_is_narrowed_to_what_the_caller_may_see(self) -> None:
        scopes = {
            OWNER: Scope("p1"),
            ADMIN: Scope("p9", is_admin=True),
            CLOUDLESS_ADMIN: Scope(None, is_admin=True),
            ANONYMOUS: Scope(None),
        }
        for context, scope in scopes.items():
            loaded = self.call(context, images.GetImage(IMAGE_ID), load_image=IMAGE)
            load = records.LoadImage(IMAGE_ID, scope, "get_image")
            self.assertEqual([load, images.GetImage(IMAGE_ID, IMAGE)], loaded.seen)
            listed = self.call(context, images.ListImages(ImageQuery()), list_images=Page(()))
            self.assertEqual([images.ListImages(ImageQuery(), scope)], listed.seen)

    def test_a_scope_that_came_along_is_not_believed(self) -> None:
        arrived = self.call(OTHER, images.ListImages(ImageQuery(), Scope("p1", is_admin=True)), list_images=Page(()))
        self.assertEqual(Scope("p3"), arrived.seen[0].scope)

    def test_an_image_that_is_not_found_reaches_no_layer(self) -> None:
        def hidden(context: Context, op: records.LoadImage) -> None:
            raise NotFound(kind="image", id=op.image_id)

        stack, recorder = stand(AuthLayer(), load_image=hidden)
        for op in (images.GetImage(IMAGE_ID), images.DeleteImage(IMAGE_ID), data.DownloadData(IMAGE_ID)):
            self.assertRaises(NotFound, stack.call, OTHER, op)
        self.assertEqual({"load_image"}, set(recorder.names))

    def test_data_is_given_to_everybody_who_sees_the_image(self) -> None:
        for context in (OWNER, MEMBER, OTHER, ADMIN, ANONYMOUS):
            self.assertEqual(["download_data"], self.call(context, data.DownloadData(IMAGE_ID, IMAGE)).names)

    def test_data_of_a_deactivated_image_is_given_to_administrators_only(self) -> None:
        op = data.DownloadData(IMAGE_ID, make_image(status="deactivated"))
        for context in (OWNER, MEMBER, OTHER, ANONYMOUS):
            self.refused(Forbidden, context, op)
        self.assertEqual(["download_data"], self.call(ADMIN, op).names)


class TestLinks(AuthCase):
    def test_link_is_of_the_caller_whatever_came_along(self) -> None:
        for context in (OWNER, MEMBER, OTHER, ADMIN):
            op = links.AddLink(IMAGE_ID, IMAGE, "d", link=new_link(ADMIN, "another image"))
            made = self.call(context, op).seen[0].link  # type: ignore[attr-defined]
            self.assertEqual(replace(new_link(context, IMAGE_ID), id=made.id), made)

    def test_link_to_a_deactivated_image_is_made_by_administrators_only(self) -> None:
        op = links.AddLink(IMAGE_ID, make_image(status="deactivated"))
        for context in (OWNER, MEMBER):
            self.refused(Forbidden, context, op)
        self.assertEqual(["add_link"], self.call(ADMIN, op).names)

    def test_owner_and_administrator_see_and_end_all_links_of_an_image_and_others_their_own(self) -> None:
        for context, maker in ((OWNER, None), (ADMIN, None), (MEMBER, (MEMBER.user_id, "p2"))):
            for op in (links.ListLinks(IMAGE_ID, IMAGE), links.DeleteLink(IMAGE_ID, IMAGE, "l")):
                self.assertEqual(maker, self.call(context, op).seen[0].maker)  # type: ignore[attr-defined]

    def test_anonymous_callers_make_and_end_no_link(self) -> None:
        for op in (links.AddLink(IMAGE_ID, IMAGE), links.DeleteLink(IMAGE_ID, IMAGE, "l")):
            self.refused(Forbidden, ANONYMOUS, op)


class TestServices(AuthCase):
    service = make_context("service", "p9")

    def test_services_see_every_image_for_its_locations_only(self) -> None:
        for op, scope in (
            (locations.GetLocations(IMAGE_ID), EVERYTHING),
            (locations.AddLocation(IMAGE_ID), EVERYTHING),
            (tasks.ListImageTasks(IMAGE_ID), Scope("p9")),
            (images.GetImage(IMAGE_ID), Scope("p9")),
        ):
            load, arrived = self.call(self.service, op, load_image=IMAGE).seen
            self.assertEqual((records.LoadImage(IMAGE_ID, scope, op.name), op.name), (load, arrived.name))

    def test_a_service_token_sent_along_makes_no_service(self) -> None:
        caller = make_context("member", "p3", service_roles=("service",))
        load = self.call(caller, locations.GetLocations(IMAGE_ID), load_image=IMAGE).seen[0]
        self.assertEqual(Scope("p3"), load.scope)  # type: ignore[attr-defined]

    def test_who_may_copy_and_add_locations_is_left_to_the_rules(self) -> None:
        copy = imports.ImportImage(IMAGE_ID, IMAGE, ImportRequest({"name": "copy-image"}))
        for op in (copy, locations.AddLocation(IMAGE_ID, IMAGE)):
            self.assertEqual([op], self.call(OTHER, op).seen)
            self.refused(Forbidden, ANONYMOUS, op)


class TestTasks(AuthCase):
    def test_administrators_see_all_tasks_and_others_their_own(self) -> None:
        query = JobQuery(state="pending", project_id="p5")
        for context, project in ((OWNER, "p1"), (ANONYMOUS, ""), (ADMIN, "p5")):
            arrived = self.call(context, tasks.ListTasks(query)).seen[0]
            self.assertEqual(replace(query, project_id=project), arrived.query)  # type: ignore[attr-defined]

    def test_a_task_of_another_project_does_not_exist(self) -> None:
        stack, _ = stand(AuthLayer(), get_task=make_job())
        for context in (OWNER, ADMIN):
            self.assertEqual(make_job(), stack.call(context, tasks.GetTask("t1")))
        for context in (OTHER, ANONYMOUS):
            self.assertRaises(NotFound, stack.call, context, tasks.GetTask("t1"))
        stack, _ = stand(AuthLayer(), get_task=make_job(project_id=None))
        self.assertRaises(NotFound, stack.call, ANONYMOUS, tasks.GetTask("t1"))

    def test_anonymous_callers_begin_no_task(self) -> None:
        self.refused(Forbidden, ANONYMOUS, tasks.CreateTask("import"))


class TestCreation(AuthCase):
    def test_the_owner_is_the_callers_project(self) -> None:
        arrived = self.call(OWNER, images.CreateImage(base={"name": "x"}))
        self.assertEqual({"name": "x", "owner": "p1"}, arrived.seen[0].base)

    def test_a_caller_may_name_the_own_project_as_owner(self) -> None:
        self.assertEqual({"owner": "p1"}, self.call(OWNER, images.CreateImage(base={"owner": "p1"})).seen[0].base)

    def test_only_an_administrator_creates_images_for_another_project_or_for_none(self) -> None:
        for owner in ("p2", None):
            op = images.CreateImage(base={"owner": owner})
            self.refused(Forbidden, OWNER, op)
            self.assertEqual({"owner": owner}, self.call(ADMIN, op).seen[0].base)

    def test_an_administrator_without_a_project_creates_images_without_an_owner(self) -> None:
        self.assertEqual({"owner": None}, self.call(CLOUDLESS_ADMIN, images.CreateImage()).seen[0].base)

    def test_anonymous_callers_create_nothing(self) -> None:
        self.refused(Forbidden, ANONYMOUS, images.CreateImage())


class TestChanges(AuthCase):
    def test_owner_and_administrator_may_change_an_image(self) -> None:
        for op in CHANGES:
            for context in (OWNER, ADMIN, CLOUDLESS_ADMIN):
                self.assertEqual([op], self.call(context, op).seen)

    def test_member_cannot_change_an_image_it_was_shared(self) -> None:
        for op in CHANGES:
            self.refused(Forbidden, MEMBER, op)

    def test_whoever_sees_an_image_cannot_change_it_for_that(self) -> None:
        for visibility in ("public", "community", "shared"):
            for op in CHANGES:
                self.refused(Forbidden, OTHER, replace(op, image=make_image(visibility=visibility)))

    def test_an_image_without_owner_is_changed_by_administrators_only(self) -> None:
        nobodys = make_image(owner=None)
        for op in CHANGES:
            for context in (OWNER, ANONYMOUS, Context(roles=("member",))):
                self.refused(Forbidden, context, replace(op, image=nobodys))
            self.assertEqual([op.name], self.call(ADMIN, replace(op, image=nobodys)).names)

    def test_a_read_only_caller_changes_nothing_whoever_it_is(self) -> None:
        for context in (ANONYMOUS, replace(OWNER, read_only=True), replace(ADMIN, read_only=True)):
            for op in (*CHANGES, images.CreateImage(), members.UpdateMember(IMAGE_ID, IMAGE, "p1", "accepted")):
                self.refused(Forbidden, context, op)

    def test_anonymous_callers_are_refused_every_operation_that_may_change_something(self) -> None:
        for operation in OPERATIONS:
            if operation.writes and not operation.internal:
                for context in (ANONYMOUS, replace(ADMIN, read_only=True)):
                    self.refused(Forbidden, context, make_operation(operation))

    def test_other_projects_are_refused_every_operation_for_the_owner(self) -> None:
        for operation in OPERATIONS:
            if issubclass(operation, ImageOperation) and operation.for_owner:
                op = make_operation(operation)
                self.refused(Forbidden, OTHER, op)
                for context in (OWNER, ADMIN):
                    seen = self.call(context, op).seen
                    if operation is disks.RebaseImage:
                        # The layer finds the new base first.
                        self.assertEqual(LoadImage("sample", Scope(context.project_id, context.is_admin)), seen.pop(0))
                        op = replace(op, base_image=seen[0].base_image)
                    self.assertEqual([op], seen)

    def test_all_changes_of_images_are_for_the_owner_but_these(self) -> None:
        others = {
            operation.name
            for operation in OPERATIONS
            if issubclass(operation, ImageOperation) and operation.writes and not operation.for_owner
        }
        # The policy rules say who may copy, cache and add locations; a member sets its own status.
        own = {"add_link", "delete_link"}
        self.assertEqual({"import_image", "add_location", "update_member", "add_to_cache", *own}, others)

    def test_only_an_administrator_gives_an_image_to_another_owner(self) -> None:
        for action in ("add", "replace"):
            op = images.UpdateImage(IMAGE_ID, IMAGE, (*RENAME, PropertyChange(action, "owner", "p2")))
            self.assertIn("owner", self.refused(Forbidden, OWNER, op))
            self.assertEqual([op], self.call(ADMIN, op).seen)


class TestNewOperations(testtools.TestCase):
    """What holds for an operation that the layer has no method for."""

    def call(self, context: Context, op: Operation) -> str:
        layer = AuthLayer()
        layer.bind({op.name: lambda context, op: "done"})
        handle = layer.handler(type(op))
        assert handle is not None
        return handle(context, op)

    def test_a_change_is_refused_to_anonymous_callers(self) -> None:
        for op in (FrameImage(IMAGE_ID, IMAGE), PraiseImage(IMAGE_ID, IMAGE), OpenGallery()):
            for context in (ANONYMOUS, replace(OWNER, read_only=True), replace(ADMIN, read_only=True)):
                self.assertRaises(Forbidden, self.call, context, op)

    def test_a_change_for_the_owner_is_refused_to_all_other_projects(self) -> None:
        for visibility in ("public", "community", "shared", "private"):
            op = FrameImage(IMAGE_ID, make_image(visibility=visibility))
            for context in (MEMBER, OTHER, Context(roles=("member",))):
                self.assertRaises(Forbidden, self.call, context, op)
            for context in (OWNER, ADMIN, CLOUDLESS_ADMIN):
                self.assertEqual("done", self.call(context, op))
        for context in (OWNER, Context(roles=("member",))):
            self.assertRaises(Forbidden, self.call, context, FrameImage(IMAGE_ID, make_image(owner=None)))

    def test_other_changes_are_left_to_the_policy(self) -> None:
        for context in (OWNER, MEMBER, OTHER, ADMIN):
            for op in (PraiseImage(IMAGE_ID, IMAGE), OpenGallery()):
                self.assertEqual("done", self.call(context, op))

    def test_a_read_costs_nothing_here(self) -> None:
        self.assertIsNone(AuthLayer().handler(MeasureImage))


class TestMembers(AuthCase):
    def test_owner_and_administrator_see_all_members(self) -> None:
        for context in (OWNER, ADMIN, CLOUDLESS_ADMIN):
            arrived = self.call(context, members.ListMembers(IMAGE_ID, IMAGE))
            self.assertEqual([members.ListMembers(IMAGE_ID, IMAGE, None)], arrived.seen)

    def test_a_member_sees_only_its_own_row(self) -> None:
        for asked in (None, "p3"):
            arrived = self.call(MEMBER, members.ListMembers(IMAGE_ID, IMAGE, asked))
            self.assertEqual([members.ListMembers(IMAGE_ID, IMAGE, "p2")], arrived.seen)

    def test_a_caller_without_a_project_sees_no_members(self) -> None:
        arrived = self.call(ANONYMOUS, members.ListMembers(IMAGE_ID, make_image(owner=None)))
        self.assertEqual("", arrived.seen[0].member_id)

    def test_only_shared_images_have_members(self) -> None:
        for visibility in ("public", "community", "private"):
            image = make_image(visibility=visibility)
            for op in (
                members.ListMembers(IMAGE_ID, image),
                members.AddMember(IMAGE_ID, image, "p2"),
                members.UpdateMember(IMAGE_ID, image, "p2", "accepted"),
                members.DeleteMember(IMAGE_ID, image, "p2"),
            ):
                for context in (OWNER, ADMIN):
                    self.refused(Forbidden, context, op)
            self.refused(NotFound, OWNER, members.GetMember(IMAGE_ID, image, "p2"))

    def test_one_membership_is_shown_to_the_owner_and_to_the_member(self) -> None:
        op = members.GetMember(IMAGE_ID, IMAGE, "p2")
        for context in (OWNER, MEMBER, ADMIN):
            self.assertEqual([op], self.call(context, op).seen)
        self.assertIn("p2", self.refused(NotFound, OTHER, op))
        self.refused(NotFound, ANONYMOUS, op)

    def test_the_member_project_sets_its_status_and_an_administrator_may(self) -> None:
        op = members.UpdateMember(IMAGE_ID, IMAGE, "p2", "accepted")
        for context in (MEMBER, ADMIN):
            self.assertEqual([op], self.call(context, op).seen)

    def test_the_owner_cannot_accept_for_a_member(self) -> None:
        self.refused(Forbidden, OWNER, members.UpdateMember(IMAGE_ID, IMAGE, "p2", "accepted"))

    def test_a_member_does_not_learn_of_another(self) -> None:
        self.refused(NotFound, OTHER, members.UpdateMember(IMAGE_ID, IMAGE, "p2", "accepted"))

    def test_a_member_cannot_end_its_membership_or_bring_others_in(self) -> None:
        self.refused(Forbidden, MEMBER, members.DeleteMember(IMAGE_ID, IMAGE, "p2"))
        self.refused(Forbidden, MEMBER, members.AddMember(IMAGE_ID, IMAGE, "p3"))


class TestNamespaces(AuthCase):
    def test_owner_and_administrator_may_change_a_namespace(self) -> None:
        for op in NAMESPACE_CHANGES:
            for context in (OWNER, ADMIN, CLOUDLESS_ADMIN):
                self.assertEqual([op], self.call(context, op).seen)

    def test_whoever_sees_a_namespace_cannot_change_it_for_that(self) -> None:
        for op in NAMESPACE_CHANGES:
            self.refused(Forbidden, OTHER, op)
            self.refused(Forbidden, replace(ADMIN, read_only=True), op)
            self.refused(Forbidden, OWNER, replace(op, found=make_namespace(owner=None)))

    def test_whoever_sees_a_namespace_reads_it(self) -> None:
        for op in (metadefs.GetNamespace("sample", NAMESPACE), metadef_parts.GetTags("sample", NAMESPACE)):
            for context in (OTHER, ANONYMOUS):
                self.assertEqual([op], self.call(context, op).seen)

    def test_namespace_is_looked_for_among_those_the_caller_may_see(self) -> None:
        for context, scope in ((OTHER, Scope("p2")), (ADMIN, Scope("p1", True)), (ANONYMOUS, Scope())):
            scope = replace(scope, project_id=context.project_id)
            found = self.call(context, metadefs.GetNamespace("sample"), load_metadef_namespace=NAMESPACE).seen
            self.assertEqual(metadefs.LoadNamespace("sample", scope), found[0])
            page = NamespacePage(())
            listed = self.call(context, metadefs.GetNamespaces(), get_metadef_namespaces=page).seen
            self.assertEqual([metadefs.GetNamespaces(scope=scope)], listed)

    def test_new_namespace_belongs_to_the_project_of_the_caller(self) -> None:
        bare = make_namespace(owner=None)
        for op in (metadefs.AddNamespace(NamespaceContent(bare)), metadefs.ModifyNamespace("sample", NAMESPACE, bare)):
            for context in (OWNER, ADMIN):
                (seen,) = self.call(context, op).seen
                written = seen.content.namespace if isinstance(seen, metadefs.AddNamespace) else seen.new  # type: ignore[attr-defined]
                self.assertEqual(context.project_id, written.owner)

    def test_only_administrators_give_a_namespace_to_another_project(self) -> None:
        theirs = make_namespace(owner="p2")
        for op in (
            metadefs.AddNamespace(NamespaceContent(theirs)),
            metadefs.ModifyNamespace("sample", NAMESPACE, theirs),
        ):
            self.refused(Forbidden, OWNER, op)
            self.assertEqual([op], self.call(ADMIN, op).seen)
