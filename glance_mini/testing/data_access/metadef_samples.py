"""Metadata definitions for the contract, and what its tests of them share."""

from datetime import datetime

from glance_mini.domain.metadefs import (
    Association,
    MetadefLimits,
    Namespace,
    NamespaceContent,
    NamespaceQuery,
    ObjectDefinition,
    PropertyDefinition,
    TagDefinition,
)
from glance_mini.domain.query import EVERYTHING, Scope
from glance_mini.operations.metadefs import (
    AddNamespace,
    GetNamespace,
    GetNamespaces,
    LoadNamespace,
)
from glance_mini.testing.data_access.samples import (
    NOW,
    ContractBase,
)

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
