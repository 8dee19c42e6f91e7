"""The contract for the loading and removal of whole namespaces."""

from dataclasses import replace

from glance_mini.domain import errors
from glance_mini.domain.metadefs import Association, Namespace, NamespaceContent, PropertyDefinition, TagDefinition
from glance_mini.operations.metadef_loading import (
    ADDED,
    CHANGED,
    KEEP,
    KEPT,
    MERGE,
    OVERWRITE,
    PREFER_NEW,
    RemoveNamespaces,
    WriteNamespaces,
)
from glance_mini.operations.metadefs import GetNamespace, ListResourceTypes
from glance_mini.testing.data_access.metadef_samples import BARE, BUS, DEPTH, FLAVOR, IMAGE, TUNING, MetadefBase
from glance_mini.testing.data_access.samples import LATER, NOW

NEW_BUS = PropertyDefinition("bus", {"title": "New bus", "type": "string"})
NEW_IMAGE = replace(IMAGE, prefix="new_")
NEW_BARE = replace(BARE, description="No more")
VOLUME = Association("OS::Cinder::Volume")
SIZE = PropertyDefinition("size", {"title": "Size", "type": "integer"})
OTHER = NamespaceContent(
    Namespace("Acme", "New name", "New text", "public", True, "theirs"),
    (NEW_IMAGE, VOLUME),
    (NEW_BUS, SIZE),
    (NEW_BARE,),
    (TagDefinition("fast"), TagDefinition("new")),
)
"""What comes for the namespace of ``add_whole``: some parts that it lacks, some that differ, some that it has."""


class MetadefLoadingContract(MetadefBase):
    def write(self, content: NamespaceContent, mode: str) -> str:
        """Write one namespace later than the others were made; return what has become of it."""
        (done,) = self.data.run(WriteNamespaces((content,), mode), LATER)
        return done

    def parts(self, name: str = "Acme") -> dict[str, object]:
        """Return what each part of a namespace says, by its kind and name."""
        found = self.data.run(GetNamespace(name))
        said: dict[str, object] = {f"type {a.name}": (a.prefix, a.properties_target) for a in found.associations}
        said |= {f"property {p.name}": p.definition["title"] for p in found.properties}
        said |= {f"object {o.name}": o.description for o in found.objects}
        return said | {f"tag {t.name}": None for t in found.tags}

    def test_unknown_namespace_is_added_in_every_mode(self) -> None:
        for mode in (KEEP, MERGE, PREFER_NEW, OVERWRITE):
            name = f"Acme {mode}"
            content = replace(OTHER, namespace=replace(OTHER.namespace, name=name))
            self.assertEqual(ADDED, self.write(content, mode))
            found = self.data.run(GetNamespace(name)).namespace
            self.assertEqual(("theirs", True, LATER), (found.owner, found.protected, found.created_at))
            self.assertEqual(8 - 1, len(self.parts(name)))

    def test_known_namespace_is_kept(self) -> None:
        self.add_whole()
        before = self.data.run(GetNamespace("Acme"))
        self.assertEqual(KEPT, self.write(OTHER, KEEP))
        self.assertEqual(before, self.data.run(GetNamespace("Acme")))

    def test_merging_adds_what_is_missing_and_changes_nothing_else(self) -> None:
        self.add_whole()
        before = self.parts()
        self.assertEqual(CHANGED, self.write(OTHER, MERGE))
        added: dict[str, object] = {"type OS::Cinder::Volume": (None, None), "property size": "Size", "tag new": None}
        self.assertEqual(before | added, self.parts())
        found = self.load()
        self.assertEqual(("Disks of Acme", "private", False), (found.display_name, found.visibility, found.protected))
        self.assertEqual((NOW, LATER), (found.created_at, found.updated_at))

    def test_merging_can_prefer_what_is_new(self) -> None:
        self.add_whole()
        before = self.parts()
        self.assertEqual(CHANGED, self.write(OTHER, PREFER_NEW))
        new: dict[str, object] = {
            "type OS::Cinder::Volume": (None, None),
            "property size": "Size",
            "tag new": None,
            "type OS::Glance::Image": ("new_", "image"),
            "property bus": "New bus",
            "object Bare": "No more",
        }
        self.assertEqual(before | new, self.parts())
        found = self.load()
        self.assertEqual(("New name", "New text"), (found.display_name, found.description))
        self.assertEqual(("public", True, "mine"), (found.visibility, found.protected, found.owner))

    def test_overwriting_leaves_nothing_of_before(self) -> None:
        self.add_whole()
        self.assertEqual(CHANGED, self.write(OTHER, OVERWRITE))
        self.assertEqual(
            {
                "type OS::Glance::Image": ("new_", "image"),
                "type OS::Cinder::Volume": (None, None),
                "property bus": "New bus",
                "property size": "Size",
                "object Bare": "No more",
                "tag fast": None,
                "tag new": None,
            },
            self.parts(),
        )
        self.assertEqual(("New name", "theirs"), (self.load().display_name, self.load().owner))

    def test_merging_the_same_again_changes_nothing(self) -> None:
        self.add_whole()
        self.write(OTHER, PREFER_NEW)
        before = self.data.run(GetNamespace("Acme"))
        for mode in (MERGE, PREFER_NEW):
            self.assertEqual(KEPT, self.write(OTHER, mode))
        self.assertEqual(before, self.data.run(GetNamespace("Acme")))

    def test_protected_namespaces_are_written_too(self) -> None:
        self.add_namespace(protected=True)
        self.assertEqual(CHANGED, self.write(OTHER, OVERWRITE))
        self.assertEqual(CHANGED, self.write(NamespaceContent(Namespace("Acme")), PREFER_NEW))
        self.assertFalse(self.load().protected)

    def test_several_are_written_together_or_not_at_all(self) -> None:
        self.add_whole()
        good = NamespaceContent(Namespace("Good"), properties=(BUS, DEPTH), objects=(TUNING,))
        twice = NamespaceContent(Namespace("Twice"), tags=(TagDefinition("a"), TagDefinition("a")))
        self.assertRaises(errors.Duplicate, self.data.run, WriteNamespaces((good, OTHER, twice), MERGE))
        self.assertEqual(["Acme"], self.names_of())
        self.assertEqual("Disks of Acme", self.load().display_name)
        self.assertEqual((ADDED, KEPT), self.data.run(WriteNamespaces((good, OTHER))))
        self.assertEqual(["Acme", "Good"], sorted(self.names_of()))

    def test_all_are_removed_with_their_parts_and_the_types_stay(self) -> None:
        self.add_whole()
        self.add_namespace("Protected", protected=True)
        types = [IMAGE.name, FLAVOR.name]
        self.assertEqual(types, [each.name for each in self.data.run(ListResourceTypes())])
        self.assertEqual([2, 0], [self.data.run(RemoveNamespaces()) for _ in range(2)])
        self.assertEqual(types, [each.name for each in self.data.run(ListResourceTypes())])
        self.assert_nothing_left()
