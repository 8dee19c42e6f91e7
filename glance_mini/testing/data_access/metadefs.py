"""The contract for metadata definitions."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from glance_mini.domain import errors
from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.image import Image
from glance_mini.domain.metadefs import (
    Association,
    MetadefLimits,
    Namespace,
    NamespaceContent,
    NamespaceQuery,
    ObjectDefinition,
    ObjectPage,
    PartQuery,
    PropertyDefinition,
    PropertyPage,
    TagDefinition,
    TagPage,
)
from glance_mini.domain.query import EVERYTHING, Scope
from glance_mini.domain.quota import Limits
from glance_mini.operations.base import DataCall
from glance_mini.operations.images import UpdateImage
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
    AddNamespace,
    DeleteNamespace,
    GetNamespace,
    GetNamespaces,
    ListAssociations,
    ListResourceTypes,
    LoadNamespace,
    ModifyNamespace,
    RemoveAssociation,
)
from glance_mini.operations.records import BeginTransfer, LoadImage
from glance_mini.testing.data_access.samples import (
    LATER,
    LEASE,
    MINE,
    NOBODY,
    NOW,
    THEIRS,
    ContractBase,
    stored,
    transfer,
)

CLIENTS = 24

Page = PropertyPage | ObjectPage | TagPage

BUS = PropertyDefinition("bus", {"title": "Bus", "type": "string", "enum": ["scsi", "virtio"]})
DEPTH = PropertyDefinition("depth", {"title": "Tiefe ü", "type": "integer", "minimum": 1, "default": None})
TUNING = ObjectDefinition("Tuning", "How fast", ("depth",), {"depth": {"title": "Depth", "type": "integer"}})
BARE = ObjectDefinition("Bare")
IMAGE = Association("OS::Glance::Image", "acme_", "image")
FLAVOR = Association("OS::Nova::Flavor")

ODD_NAMES = ("x" * 80, "\N{GRINNING FACE}" * 80, "a/b%2Fc%", "../..", " ", "a b ", "ä'\"\\;--")
"""Names that are long, of four bytes each, or hold what has a meaning elsewhere."""


class MetadefBase(ContractBase):
    def add_namespace(self, name: str = "Acme", at: datetime = NOW, **values: object) -> Namespace:
        """Create a public namespace of the project ``mine``, without parts, and return it."""
        fields: dict[str, object] = {"visibility": "public", "owner": "mine", **values}
        return self.add_content(NamespaceContent(Namespace(name, **fields)), at).namespace  # type: ignore[arg-type]

    def add_content(
        self, content: NamespaceContent, at: datetime = NOW, bounds: MetadefLimits | None = None
    ) -> NamespaceContent:
        """Create a namespace with its parts and return it."""
        return self.data.run(AddNamespace(content, bounds or MetadefLimits()), at)

    def add_whole(self, name: str = "Acme") -> NamespaceContent:
        """Create a namespace with two parts of each kind and return it."""
        tags = (TagDefinition("fast"), TagDefinition("safe"))
        namespace = Namespace(name, "Disks of Acme", "What they do", "private", owner="mine")
        return self.add_content(NamespaceContent(namespace, (IMAGE, FLAVOR), (BUS, DEPTH), (BARE, TUNING), tags))

    def names_of(self, scope: Scope = EVERYTHING, **query: object) -> list[str]:
        """Return the names of the namespaces of a page."""
        page = self.data.run(GetNamespaces(NamespaceQuery(**query), scope))  # type: ignore[arg-type]
        return [each.namespace.name for each in page.namespaces]

    def assert_nothing_left(self) -> None:
        """Fail if a namespace exists, or if a new one of the name ``Acme`` has parts of an earlier one."""
        self.assertEqual([], self.names_of())
        self.add_namespace()
        self.assertEqual(NamespaceContent(self.load()), self.data.run(GetNamespace("Acme")))

    def load(self, name: str = "Acme", scope: Scope = EVERYTHING) -> Namespace:
        return self.data.run(LoadNamespace(name, scope))


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


class MetadefPartContract(MetadefBase):
    def test_associations_and_their_types(self) -> None:
        self.add_namespace()
        added = self.data.run(AddAssociation("Acme", new=IMAGE), LATER)
        self.assertEqual(replace(IMAGE, created_at=LATER, updated_at=LATER), added)
        self.assertRaises(errors.Duplicate, self.data.run, AddAssociation("Acme", new=IMAGE), NOW)
        self.data.run(AddAssociation("Acme", new=FLAVOR), NOW)
        self.assertEqual([IMAGE.name, FLAVOR.name], [one.name for one in self.data.run(ListAssociations("Acme"))])
        removed = self.data.run(RemoveAssociation("Acme", resource_type=IMAGE.name), LATER)
        self.assertEqual(replace(added, deleted_at=LATER), removed)
        call = RemoveAssociation("Acme", resource_type=IMAGE.name)
        self.assertRaises(errors.NotFound, self.data.run, call, NOW)
        types = self.data.run(ListResourceTypes())
        self.assertEqual([(IMAGE.name, LATER), (FLAVOR.name, NOW)], [(one.name, one.created_at) for one in types])

    def test_property_is_added_replaced_renamed_and_removed(self) -> None:
        self.add_namespace()
        added = self.data.run(AddProperty("Acme", new=BUS), NOW)
        self.assertEqual(replace(BUS, created_at=NOW, updated_at=NOW), added)
        self.assertEqual(added, self.data.run(GetProperty("Acme", property_name="bus")))
        self.assertRaises(errors.Duplicate, self.data.run, AddProperty("Acme", new=BUS), NOW)
        other = PropertyDefinition("other", DEPTH.definition)
        changed = self.data.run(ModifyProperty("Acme", property_name="bus", new=other), LATER)
        self.assertEqual(replace(other, created_at=NOW, updated_at=LATER), changed)
        self.assertRaises(errors.NotFound, self.data.run, GetProperty("Acme", property_name="bus"))
        self.data.run(AddProperty("Acme", new=BUS), NOW)
        for name, error in (("other", errors.Duplicate), ("none", errors.NotFound)):
            call = ModifyProperty("Acme", property_name="bus" if name == "other" else name, new=other)
            self.assertRaises(error, self.data.run, call, NOW)
        removed = self.data.run(RemoveProperty("Acme", property_name="other"), LATER)
        self.assertEqual(replace(changed, deleted_at=LATER), removed)
        self.assertEqual(["bus"], [each.name for each in self.data.run(GetProperties("Acme")).properties])

    def test_property_is_found_by_its_name_on_a_resource_type(self) -> None:
        self.add_whole()
        call = GetProperty("Acme", property_name="acme_bus", resource_type=IMAGE.name)
        self.assertEqual("bus", self.data.run(call).name)
        self.assertEqual("bus", self.data.run(replace(call, property_name="bus", resource_type=FLAVOR.name)).name)
        for name, kind in (("bus", IMAGE.name), ("acme_bus", None), ("acme_bus", FLAVOR.name), ("bus", "none")):
            call = GetProperty("Acme", property_name=name, resource_type=kind)
            self.assertRaises(errors.NotFound, self.data.run, call)

    def test_object_is_added_replaced_renamed_and_deleted(self) -> None:
        self.add_namespace()
        added = self.data.run(AddObject("Acme", new=TUNING), NOW)
        self.assertEqual(replace(TUNING, created_at=NOW, updated_at=NOW), added)
        self.assertRaises(errors.Duplicate, self.data.run, AddObject("Acme", new=TUNING), NOW)
        changed = self.data.run(ModifyObject("Acme", object_name="Tuning", new=BARE), LATER)
        self.assertEqual(replace(BARE, created_at=NOW, updated_at=LATER), changed)
        self.assertEqual(changed, self.data.run(GetObject("Acme", object_name="Bare")))
        deleted = self.data.run(DeleteObject("Acme", object_name="Bare"), LATER)
        self.assertEqual(replace(changed, deleted_at=LATER), deleted)
        for call in (GetObject("Acme", object_name="Bare"), DeleteObject("Acme", object_name="Bare")):
            self.assertRaises(errors.NotFound, self.data.run, call)

    def test_tag_is_added_renamed_and_deleted(self) -> None:
        self.add_namespace()
        added = self.data.run(AddTag("Acme", tag_name="fast"), NOW)
        self.assertEqual(TagDefinition("fast", NOW, NOW), added)
        self.assertRaises(errors.Duplicate, self.data.run, AddTag("Acme", tag_name="fast"), NOW)
        self.data.run(AddTag("Acme", tag_name="safe"), NOW)
        self.assertRaises(errors.Duplicate, self.data.run, ModifyTag("Acme", tag_name="fast", new="safe"), NOW)
        changed = self.data.run(ModifyTag("Acme", tag_name="fast", new="slow"), LATER)
        self.assertEqual(TagDefinition("slow", NOW, LATER), changed)
        self.assertEqual(changed, self.data.run(GetTag("Acme", tag_name="slow")))
        self.assertEqual(LATER, self.data.run(DeleteTag("Acme", tag_name="slow"), LATER).deleted_at)
        self.assertRaises(errors.NotFound, self.data.run, GetTag("Acme", tag_name="slow"))

    def test_tags_are_replaced_or_appended(self) -> None:
        self.add_namespace()
        written = self.data.run(AddTags("Acme", tags=("a", "b")), NOW)
        self.assertEqual((["a", "b"], 0), ([each.name for each in written.tags], written.removed))
        written = self.data.run(AddTags("Acme", tags=("b", "c")), LATER)
        self.assertEqual((["b", "c"], 2), ([each.name for each in written.tags], written.removed))
        self.data.run(AddTags("Acme", tags=("d",), append=True), LATER)
        self.assertEqual({"b", "c", "d"}, self._tags())
        for call in (AddTags("Acme", tags=("e", "d"), append=True), AddTags("Acme", tags=("e", "e"))):
            self.assertRaises(errors.Duplicate, self.data.run, call, LATER)
        self.assertEqual({"b", "c", "d"}, self._tags())
        self.data.run(AddTags("Acme"), LATER)
        self.assertEqual(set(), self._tags())

    def test_all_parts_of_a_kind_are_deleted(self) -> None:
        self.add_whole()
        self.add_whole("Other")
        for call in (DeleteProperties("Acme"), DeleteObjects("Acme"), DeleteTags("Acme")):
            self.assertEqual(self.load(), self.data.run(call, LATER))
            self.data.run(call, LATER)
        found = self.data.run(GetNamespace("Acme"))
        self.assertEqual(((), (), (), 2), (found.properties, found.objects, found.tags, len(found.associations)))
        other = self.data.run(GetNamespace("Other"))
        self.assertEqual((2, 2, 2), (len(other.properties), len(other.objects), len(other.tags)))

    def test_parts_come_in_pages(self) -> None:
        names = [f"p{number}" for number in range(5)]
        properties = tuple(PropertyDefinition(name) for name in names)
        objects = tuple(ObjectDefinition(name) for name in names)
        self.add_content(NamespaceContent(Namespace("Acme"), (), properties, objects))
        for number, name in enumerate(names):
            self.data.run(AddTag("Acme", tag_name=name), NOW + timedelta(seconds=number // 2))
        by_name = PartQuery(limit=2)
        by_time = PartQuery("created_at", "desc", limit=2)
        for query, wanted in ((by_name, names), (by_time, names[::-1])):
            found = self._paged(lambda one: self.data.run(GetTags("Acme", query=one)), "tags", query)
            self.assertEqual(wanted, found)
        found = self._paged(lambda one: self.data.run(GetProperties("Acme", query=one)), "properties", by_name)
        self.assertEqual(names, found)
        self.assertEqual(
            names, self._paged(lambda one: self.data.run(GetObjects("Acme", query=one)), "objects", by_name)
        )
        unknown = PartQuery(marker="none")
        for each in (GetProperties("Acme", query=unknown), GetObjects("Acme", query=unknown)):
            self.assertRaises(errors.NotFound, self.data.run, each)
        self.assertRaises(errors.NotFound, self.data.run, GetTags("Acme", query=unknown))

    def test_odd_names_are_kept(self) -> None:
        for name in ODD_NAMES:
            namespace = Namespace(name, name, owner="mine")
            parts = (PropertyDefinition(name, {"title": name}),), (ObjectDefinition(name),), (TagDefinition(name),)
            made = self.add_content(NamespaceContent(namespace, (Association(name, name, name),), *parts))
            self.assertEqual(made, self.data.run(GetNamespace(name)))
            self.assertEqual(name, self.data.run(GetTag(name, tag_name=name)).name)
            self.assertEqual([name], self.names_of(resource_types=(name,)))
        self.assertEqual(set(ODD_NAMES), set(self.names_of()))

    def test_number_of_parts_is_limited(self) -> None:
        bounds = MetadefLimits(associations=1, properties=1, objects=1, tags=1)
        self.add_namespace()
        first = (
            AddAssociation("Acme", new=IMAGE, bounds=bounds),
            AddProperty("Acme", new=BUS, bounds=bounds),
            AddObject("Acme", new=TUNING, bounds=bounds),
            AddTag("Acme", tag_name="a", bounds=bounds),
        )
        second = (
            AddAssociation("Acme", new=FLAVOR, bounds=bounds),
            AddProperty("Acme", new=DEPTH, bounds=bounds),
            AddObject("Acme", new=BARE, bounds=bounds),
            AddTag("Acme", tag_name="b", bounds=bounds),
            AddTags("Acme", tags=("b",), append=True, bounds=bounds),
            AddTags("Acme", tags=("b", "c"), bounds=bounds),
        )
        for call in first:
            self.data.run(call, NOW)
        for further in second:
            self.assertRaises(errors.LimitExceeded, self.data.run, further, NOW)
        self.assertEqual([IMAGE.name], [each.name for each in self.data.run(ListResourceTypes())])
        self.data.run(AddTags("Acme", tags=("b",), bounds=bounds), NOW)
        whole = NamespaceContent(Namespace("Other"), (), (BUS, DEPTH))
        self.assertRaises(errors.LimitExceeded, self.add_content, whole, bounds=bounds)

    def test_number_of_resource_types_is_limited(self) -> None:
        bounds = MetadefLimits(resource_types=1)
        self.add_namespace()
        self.data.run(AddAssociation("Acme", new=IMAGE, bounds=bounds), NOW)
        self.assertRaises(errors.LimitExceeded, self.data.run, AddAssociation("Acme", new=FLAVOR, bounds=bounds), NOW)
        self.add_namespace("Other")
        self.data.run(AddAssociation("Other", new=IMAGE, bounds=bounds), NOW)

    def test_size_of_definitions_is_limited_in_bytes(self) -> None:
        bounds = MetadefLimits(definition_bytes=100, total_bytes=150)
        self.add_namespace()
        fits = PropertyDefinition("fits", {"title": "ü" * 40})
        self.data.run(AddProperty("Acme", new=fits, bounds=bounds), NOW)
        for new in (
            PropertyDefinition("longer", {"title": "ü" * 50}),
            PropertyDefinition("another", fits.definition),
        ):
            self.assertRaises(errors.LimitExceeded, self.data.run, AddProperty("Acme", new=new, bounds=bounds), NOW)
        larger = replace(fits, definition={"title": "ü" * 50})
        call = ModifyProperty("Acme", property_name="fits", new=larger, bounds=bounds)
        self.assertRaises(errors.LimitExceeded, self.data.run, call, NOW)
        described = ObjectDefinition("described", "x" * 80)
        self.assertRaises(errors.LimitExceeded, self.data.run, AddObject("Acme", new=described, bounds=bounds), NOW)
        self.assertEqual(1, len(self.data.run(GetProperties("Acme")).properties))

    def _paged(self, read: Callable[[PartQuery], Page], field: str, query: PartQuery) -> list[str]:
        """Return the names of all parts, read by pages."""
        found: list[str] = []
        while True:
            page = read(query)
            found += [part.name for part in getattr(page, field)]
            if page.next_marker is None:
                return found
            query = replace(query, marker=page.next_marker)

    def _tags(self) -> set[str]:
        return {tag.name for tag in self.data.run(GetTags("Acme")).tags}


class MetadefConcurrencyContract(MetadefBase):
    def test_one_namespace_created_at_once_exists_once(self) -> None:
        results = self.at_once(lambda number: self.add_namespace(owner=str(number)), range(CLIENTS))
        made = [one for one in results if isinstance(one, Namespace)]
        refused = [one for one in results if isinstance(one, errors.Duplicate)]
        self.assertEqual((1, CLIENTS - 1), (len(made), len(refused)))
        self.assertEqual(made[0], self.load())

    def test_one_tag_created_at_once_exists_once(self) -> None:
        self.add_namespace()
        results = self.at_once(lambda _: self.data.run(AddTag("Acme", tag_name="same")), range(CLIENTS))
        self.assertEqual(CLIENTS - 1, len([one for one in results if isinstance(one, errors.Duplicate)]))
        self.assertEqual(1, len(self.data.run(GetTags("Acme")).tags))

    def test_one_new_type_associated_at_once_exists_once(self) -> None:
        names = [f"n{number}" for number in range(8)]
        for name in names:
            self.add_namespace(name)
        self.all_at_once(lambda name: self.data.run(AddAssociation(name, new=FLAVOR)), names)
        self.assertEqual(1, len(self.data.run(ListResourceTypes())))

    def test_limits_hold_for_what_is_added_at_once(self) -> None:
        bounds = MetadefLimits(namespaces=3, tags=5)
        self.add_namespace()
        tags = [AddTag("Acme", tag_name=str(number), bounds=bounds) for number in range(12)]
        self.at_once(self.data.run, tags)
        self.assertEqual(5, len(self.data.run(GetTags("Acme")).tags))
        contents = [NamespaceContent(Namespace(str(number), owner="mine")) for number in range(12)]
        self.at_once(lambda content: self.add_content(content, bounds=bounds), contents)
        self.assertEqual(3, len(self.names_of()))

    def test_namespace_deleted_while_parts_are_added_leaves_no_orphans(self) -> None:
        def attempt(number: int) -> object:
            if number == CLIENTS // 2:
                return self.data.run(DeleteNamespace("Acme"))
            if number % 2:
                return self.data.run(AddObject("Acme", new=ObjectDefinition(f"o{number}")))
            return self.data.run(AddAssociation("Acme", new=Association(f"t{number}")))

        for _ in range(3):
            self.add_namespace()
            results = self.at_once(attempt, range(CLIENTS))
            refused = [one for one in results if isinstance(one, errors.GlanceMiniError)]
            self.assertEqual(set(), {type(one) for one in refused} - {errors.NotFound})
            self.assert_nothing_left()
            self.data.run(DeleteNamespace("Acme"), NOW)


class RequiredPropertyContract(MetadefBase):
    """Properties without which an image gets no data."""

    required = Limits(required=("distro",))

    def test_transfer_of_an_image_without_a_required_property_does_not_begin(self) -> None:
        image = self.create()
        begin = BeginTransfer(transfer(image), LEASE, self.required)
        error = self.assertRaises(errors.PropertyRequired, self.data.run, begin, NOW)
        self.assertEqual({"name": "distro", "id": image.id}, error.values)
        self.assertEqual("queued", self.data.run(LoadImage(image.id)).status)
        self.data.run(BeginTransfer(transfer(image), LEASE, self.required, to_staging=True), NOW)
        complete = self.create(properties={"distro": "leap"})
        self.assertEqual("saving", self.data.run(BeginTransfer(transfer(complete), LEASE, self.required), NOW).status)

    def test_required_property_of_an_image_with_data_stays(self) -> None:
        image = self.create(properties={"distro": "leap", "other": "x"})
        self.begin(image)
        for change in (PropertyChange("remove", "distro"), PropertyChange("move", "other", source="distro")):
            call = UpdateImage(image.id, changes=(change,), limits=self.required)
            self.assertRaises(errors.PropertyRequired, self.data.run, call, NOW)
        remove = UpdateImage(image.id, changes=(PropertyChange("remove", "other"),), limits=self.required)
        self.assertEqual({"distro": "leap"}, self.data.run(remove, NOW).properties)

    def test_required_property_that_was_never_there_is_not_asked_for_in_a_change(self) -> None:
        image = self.insert(stored())
        call = UpdateImage(image.id, changes=(PropertyChange("add", "color", "red"),), limits=self.required)
        self.assertEqual({"color": "red"}, self.data.run(call, NOW).properties)

    def test_removal_and_upload_at_once_leave_no_image_with_data_and_without_the_property(self) -> None:
        images = [self.create(properties={"distro": "leap"}) for _ in range(8)]

        def race(choice: tuple[Image, bool]) -> Image:
            image, removes = choice
            if removes:
                change = PropertyChange("remove", "distro")
                return self.data.run(UpdateImage(image.id, changes=(change,), limits=self.required), NOW)
            return self.data.run(BeginTransfer(transfer(image), LEASE, self.required), NOW)

        self.at_once(race, [(image, removes) for image in images for removes in (True, False)])
        for image in images:
            found = self.data.run(LoadImage(image.id))
            self.assertEqual(found.status == "saving", "distro" in found.properties)


class MetadefContract(NamespaceContract, MetadefPartContract, MetadefConcurrencyContract, RequiredPropertyContract):
    """The calls about metadata definitions."""
