"""The contract for namespaces of metadata definitions."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from glance_mini.domain import errors
from glance_mini.domain.metadefs import (
    MetadefLimits,
    Namespace,
    NamespaceContent,
    NamespaceQuery,
    TagDefinition,
)
from glance_mini.operations.base import DataCall
from glance_mini.operations.metadef_parts import (
    AddObject,
    AddProperty,
    AddTag,
    AddTags,
    DeleteObject,
    DeleteObjects,
    DeleteProperties,
    DeleteTag,
    DeleteTags,
    GetObject,
    GetObjects,
    GetProperties,
    GetProperty,
    GetTag,
    GetTags,
    ModifyObject,
    ModifyProperty,
    ModifyTag,
    RemoveProperty,
)
from glance_mini.operations.metadefs import (
    AddAssociation,
    DeleteNamespace,
    GetNamespace,
    GetNamespaces,
    ListAssociations,
    ListResourceTypes,
    ModifyNamespace,
    RemoveAssociation,
)
from glance_mini.testing.data_access.metadef_samples import BUS, FLAVOR, IMAGE, TUNING, MetadefBase
from glance_mini.testing.data_access.samples import (
    LATER,
    MINE,
    NOBODY,
    NOW,
    THEIRS,
)


class NamespaceContract(MetadefBase):
    def test_namespace_is_created_with_all_its_parts(self) -> None:
        made = self.add_whole()
        self.assertEqual((NOW, NOW), (made.namespace.created_at, made.namespace.updated_at))
        self.assertEqual({(NOW, NOW)}, {(part.created_at, part.updated_at) for part in made.properties})
        found = self.data.run(GetNamespace("Acme"))
        self.assertEqual(made.namespace, found.namespace)
        for kind in ("associations", "properties", "objects", "tags"):
            wanted = sorted(getattr(made, kind), key=lambda part: part.name)
            self.assertEqual(wanted, sorted(getattr(found, kind), key=lambda part: part.name), kind)
        self.assertEqual(BUS.definition, next(p for p in found.properties if p.name == "bus").definition)

    def test_namespace_that_cannot_be_created_whole_leaves_nothing(self) -> None:
        twice = (TagDefinition("a"), TagDefinition("a"))
        content = NamespaceContent(Namespace("Acme", owner="mine"), (FLAVOR,), (BUS,), (TUNING,), twice)
        self.assertRaises(errors.Duplicate, self.add_content, content)
        self.assertEqual((), self.data.run(ListResourceTypes()))
        self.assert_nothing_left()

    def test_name_is_taken_once(self) -> None:
        self.add_namespace()
        self.assertRaises(errors.Duplicate, self.add_namespace, owner="theirs")
        self.add_namespace("acme")
        self.add_namespace("Acme ")

    def test_who_sees_a_namespace(self) -> None:
        self.add_namespace("private", visibility="private")
        self.add_namespace("public", LATER)
        for scope, seen in ((MINE, {"private", "public"}), (THEIRS, {"public"}), (NOBODY, {"public"})):
            self.assertEqual(seen, set(self.names_of(scope)))
            self.assertEqual(seen & {"private"}, set(self.names_of(scope, visibility="private")))
        self.assertEqual(["public", "private"], self.names_of())
        self.assertRaises(errors.NotFound, self.load, "private", THEIRS)
        self.assertRaises(errors.NotFound, self.load, "none")
        self.assertEqual("private", self.load("private", MINE).name)

    def test_list_is_sorted_and_paged(self) -> None:
        names = [f"n{number}" for number in range(7)]
        for number, name in enumerate(names):
            self.add_namespace(name, NOW + timedelta(seconds=number // 3))
        for key in ("created_at", "updated_at", "namespace"):
            for direction, wanted in (("asc", names), ("desc", names[::-1])):
                found, marker = [], None
                while True:
                    query = NamespaceQuery(sort_key=key, sort_dir=direction, limit=2, marker=marker)
                    page = self.data.run(GetNamespaces(query, MINE))
                    found += [each.namespace.name for each in page.namespaces]
                    if page.next_marker is None:
                        break
                    marker = page.next_marker
                self.assertEqual(wanted, found, (key, direction))

    def test_unknown_marker_is_not_found(self) -> None:
        self.add_namespace()
        self.add_namespace("private", visibility="private")
        self.assertEqual([], self.names_of(THEIRS, marker="Acme"))
        for marker in ("none", "private"):
            self.assertRaises(errors.NotFound, self.names_of, THEIRS, marker=marker)

    def test_list_has_associations_and_is_filtered_by_them(self) -> None:
        self.add_namespace("none")
        self.add_content(NamespaceContent(Namespace("image", owner="mine"), (IMAGE,)), LATER)
        self.add_content(NamespaceContent(Namespace("both", owner="mine"), (FLAVOR, IMAGE)), LATER)
        page = self.data.run(GetNamespaces(NamespaceQuery(sort_key="namespace", sort_dir="asc")))
        self.assertEqual(
            [["OS::Glance::Image", "OS::Nova::Flavor"], ["OS::Glance::Image"], []],
            [[one.name for one in each.associations] for each in page.namespaces],
        )
        self.assertEqual("acme_", page.namespaces[1].associations[0].prefix)
        for types, wanted in (((FLAVOR.name,), {"both"}), ((FLAVOR.name, IMAGE.name), {"both", "image"})):
            self.assertEqual(wanted, set(self.names_of(resource_types=types)))
        self.assertEqual([], self.names_of(resource_types=("none",)))

    def test_modify_replaces_all_fields_and_keeps_the_parts(self) -> None:
        before = self.add_whole()
        new = Namespace("Other", visibility="public", protected=True, owner="theirs")
        changed = self.data.run(ModifyNamespace("Acme", new=new), LATER)
        wanted = replace(new, id=before.namespace.id, created_at=NOW, updated_at=LATER)
        self.assertEqual(wanted, changed.namespace)
        self.assertEqual({"OS::Glance::Image", "OS::Nova::Flavor"}, {each.name for each in changed.associations})
        found = self.data.run(GetNamespace("Other"))
        self.assertEqual((wanted, 2, 2), (found.namespace, len(found.properties), len(found.tags)))
        self.assertRaises(errors.NotFound, self.load)

    def test_modify_takes_no_name_of_another(self) -> None:
        self.add_namespace()
        self.add_namespace("Other")
        self.assertRaises(errors.Duplicate, self.data.run, ModifyNamespace("Acme", new=Namespace("Other")), NOW)
        self.assertEqual("mine", self.load().owner)

    def test_delete_leaves_nothing(self) -> None:
        made = self.add_whole()
        deleted = self.data.run(DeleteNamespace("Acme"), LATER)
        self.assertEqual(replace(made.namespace, updated_at=LATER, deleted_at=LATER), deleted)
        self.assert_nothing_left()

    def test_protected_namespace_and_its_parts_are_not_deleted(self) -> None:
        self.add_whole()
        self.data.run(ModifyNamespace("Acme", new=Namespace("Acme", protected=True, owner="mine")), NOW)
        before = self.data.run(GetNamespace("Acme"))
        for call in self._deletions("Acme"):
            self.assertRaises(errors.Forbidden, self.data.run, call, NOW)
        self.assertRaises(errors.Forbidden, self.data.run, AddTags("Acme", tags=("new",)), NOW)
        self.assertEqual(before, self.data.run(GetNamespace("Acme")))
        self.data.run(AddTags("Acme", tags=("new",), append=True), NOW)
        self.data.run(ModifyProperty("Acme", property_name="bus", new=BUS), NOW)

    def test_namespace_with_the_name_of_a_deleted_one_is_another_one(self) -> None:
        old = self.add_namespace()
        self.data.run(DeleteNamespace("Acme"), NOW)
        self.assertNotEqual(old.id, self.add_namespace().id)
        calls: list[DataCall[object]] = [
            AddTag("Acme", old, "a"),
            ModifyNamespace("Acme", old, Namespace("Acme")),
            GetTags("Acme", old),
            *self._deletions("Acme", old),
        ]
        for call in calls:
            self.assertRaises(errors.NotFound, self.data.run, call, NOW)

    def test_calls_on_a_namespace_that_does_not_exist(self) -> None:
        calls: list[DataCall[object]] = [
            GetNamespace("none"),
            ModifyNamespace("none", new=Namespace("none")),
            ListAssociations("none"),
            AddAssociation("none", new=FLAVOR),
            GetProperties("none"),
            GetProperty("none", property_name="bus"),
            AddProperty("none", new=BUS),
            ModifyProperty("none", property_name="bus", new=BUS),
            GetObjects("none"),
            GetObject("none", object_name="Tuning"),
            AddObject("none", new=TUNING),
            ModifyObject("none", object_name="Tuning", new=TUNING),
            GetTags("none"),
            GetTag("none", tag_name="fast"),
            AddTag("none", tag_name="fast"),
            AddTags("none", tags=("fast",)),
            ModifyTag("none", tag_name="fast", new="slow"),
            *self._deletions("none"),
        ]
        for call in calls:
            self.assertRaises(errors.NotFound, self.data.run, call, NOW)
        self.assertEqual((), self.data.run(ListResourceTypes()))

    def test_limits_of_namespaces_count_those_of_the_project(self) -> None:
        bounds = MetadefLimits(namespaces=2)
        for name in ("a", "b"):
            self.add_content(NamespaceContent(Namespace(name, owner="mine")), bounds=bounds)
        third = NamespaceContent(Namespace("c", owner="mine"))
        error = self.assertRaises(errors.LimitExceeded, self.add_content, third, bounds=bounds)
        self.assertEqual({"resource": "metadef namespaces", "limit": 2, "wanted": 3}, error.values)
        self.add_content(NamespaceContent(Namespace("c", owner="theirs")), bounds=bounds)
        moved = ModifyNamespace("c", new=Namespace("c", owner="mine"), bounds=bounds)
        self.assertRaises(errors.LimitExceeded, self.data.run, moved, NOW)
        self.data.run(ModifyNamespace("a", new=Namespace("renamed", owner="mine"), bounds=bounds), NOW)

    def _deletions(self, name: str, found: Namespace | None = None) -> Iterable[DataCall[object]]:
        return (
            DeleteNamespace(name, found),
            DeleteProperties(name, found),
            DeleteObjects(name, found),
            DeleteTags(name, found),
            RemoveAssociation(name, found, FLAVOR.name),
            RemoveProperty(name, found, "bus"),
            DeleteObject(name, found, "Tuning"),
            DeleteTag(name, found, "fast"),
        )
