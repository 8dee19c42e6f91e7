"""The contract for what belongs to namespaces: associations, properties, objects and tags."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from glance_mini.domain import errors
from glance_mini.domain.metadefs import (
    Association,
    MetadefLimits,
    Namespace,
    NamespaceContent,
    ObjectDefinition,
    ObjectPage,
    PartQuery,
    PropertyDefinition,
    PropertyPage,
    TagDefinition,
    TagPage,
)
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
    GetNamespace,
    ListAssociations,
    ListResourceTypes,
    RemoveAssociation,
)
from glance_mini.testing.data_access.metadef_samples import (
    BARE,
    BUS,
    DEPTH,
    FLAVOR,
    IMAGE,
    ODD_NAMES,
    TUNING,
    MetadefBase,
)
from glance_mini.testing.data_access.samples import (
    LATER,
    NOW,
)

Page = PropertyPage | ObjectPage | TagPage


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
