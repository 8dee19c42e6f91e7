"""The contract for calls on metadata definitions that are made at once."""

from glance_mini.domain import errors
from glance_mini.domain.metadefs import (
    Association,
    MetadefLimits,
    Namespace,
    NamespaceContent,
    ObjectDefinition,
)
from glance_mini.operations.metadef_parts import (
    AddObject,
    AddTag,
    GetTags,
)
from glance_mini.operations.metadefs import (
    AddAssociation,
    DeleteNamespace,
    ListResourceTypes,
)
from glance_mini.testing.data_access.metadef_samples import FLAVOR, MetadefBase
from glance_mini.testing.data_access.samples import (
    NOW,
)

CLIENTS = 24


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
