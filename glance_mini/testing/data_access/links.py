"""The contract for links to the data of images."""

from datetime import datetime, timedelta
from uuid import uuid4

from glance_mini.domain import errors
from glance_mini.domain.image import Image
from glance_mini.domain.job import SCRUB, Job
from glance_mini.domain.links import Link
from glance_mini.operations.images import RestoreImage
from glance_mini.operations.links import AddLink, DeleteLink, FindLink, GetLink, ListLinks, PurgeLinks
from glance_mini.operations.records import MarkDeleted, MoveToTrash, PurgeImages
from glance_mini.testing.data_access.samples import LATER, MUCH_LATER, NOW, ContractBase, stored

LIFETIME = timedelta(minutes=10)
AFTER = NOW + LIFETIME
A_MOMENT = timedelta(microseconds=1)


class LinkContract(ContractBase):
    def test_link_is_found_by_the_hash_of_its_secret_with_all_that_is_known_of_its_maker(self) -> None:
        image = self.insert(stored())
        maker = Link(
            id=str(uuid4()),
            image_id=image.id,
            user_id="ü",
            project_id="mine",
            size=2**40,
            store="fast",
            roles=("member", "reader"),
            service_roles=("service",),
            user_domain_id="d0",
            project_domain_id="d1",
            domain_id="d2",
            system_scope="all",
        )
        link = self.data.run(AddLink(image.id, digest="d" * 64, lifetime=LIFETIME, link=maker), NOW)
        self.assertEqual((NOW, AFTER), (link.created_at, link.expires_at))
        self.assertEqual(link, self.data.run(FindLink("d" * 64), NOW))
        self.assertEqual((link,), self.data.run(ListLinks(image.id), NOW))
        self.assertEqual(link, self.data.run(GetLink(image.id, link.id), NOW))

    def test_link_is_found_by_its_id_with_its_image_while_it_is_valid(self) -> None:
        image, elsewhere = self.insert(stored()), self.insert(stored())
        link = self.add_link(image)
        self.assertEqual(link, self.data.run(GetLink(image.id, link.id), AFTER - A_MOMENT))
        for call, at in (
            (GetLink(image.id, link.id), AFTER),
            (GetLink(elsewhere.id, link.id), NOW),
            (GetLink(image.id, "none"), NOW),
        ):
            self.assertRaises(errors.LinkNotFound, self.data.run, call, at)

    def test_secret_that_no_link_has_is_not_found(self) -> None:
        self.add_link(self.insert(stored()))
        self.assertRaises(errors.LinkNotFound, self.data.run, FindLink("e" * 64), NOW)

    def test_link_ends_at_its_time(self) -> None:
        image = self.insert(stored())
        link = self.add_link(image)
        last = AFTER - A_MOMENT
        self.assertEqual([link.id], self.links_of(image, at=last))
        self.assertEqual(link, self.data.run(FindLink(digest(link)), last))
        self.assertEqual([], self.links_of(image, at=AFTER))
        self.assertRaises(errors.LinkNotFound, self.data.run, FindLink(digest(link)), AFTER)

    def test_links_of_one_image_are_listed_in_the_order_of_their_end(self) -> None:
        image = self.insert(stored())
        late = self.add_link(image, lifetime=2 * LIFETIME)
        early = self.add_link(image)
        self.add_link(self.insert(stored()))
        self.assertEqual([early.id, late.id], self.links_of(image))

    def test_links_of_one_maker_are_those_of_one_user_in_one_project(self) -> None:
        image = self.insert(stored())
        makers = (("ann", "mine"), ("bob", "mine"), ("ann", "theirs"), (None, None))
        made = {maker: self.add_link(image, *maker) for maker in makers}
        self.assertEqual(4, len(self.links_of(image)))
        for maker, link in made.items():
            self.assertEqual(maker, link.maker)
            self.assertEqual((link,), self.data.run(ListLinks(image.id, maker=maker), NOW))

    def test_link_that_was_ended_is_not_found(self) -> None:
        image = self.insert(stored())
        link, other = self.add_link(image), self.add_link(image)
        self.data.run(DeleteLink(image.id, link_id=link.id), NOW)
        self.assertRaises(errors.LinkNotFound, self.data.run, FindLink(digest(link)), NOW)
        self.assertEqual([other.id], self.links_of(image))
        self.assertRaises(errors.LinkNotFound, self.data.run, DeleteLink(image.id, link_id=link.id), NOW)

    def test_link_of_another_maker_or_of_another_image_is_not_ended(self) -> None:
        image, elsewhere = self.insert(stored()), self.insert(stored())
        link = self.add_link(image, "ann", "mine")
        for call in (
            DeleteLink(image.id, link_id=link.id, maker=("bob", "mine")),
            DeleteLink(image.id, link_id=link.id, maker=("ann", None)),
            DeleteLink(elsewhere.id, link_id=link.id),
        ):
            self.assertRaises(errors.LinkNotFound, self.data.run, call, NOW)
        self.assertEqual([link.id], self.links_of(image))
        self.data.run(DeleteLink(image.id, link_id=link.id, maker=("ann", "mine")), NOW)

    def test_limit_counts_the_valid_links_of_the_project_on_all_images(self) -> None:
        image, elsewhere = self.insert(stored()), self.insert(stored())
        self.add_link(image, limit=2)
        self.add_link(elsewhere, limit=2)
        self.add_link(image, "ann", "theirs", limit=1)
        error = self.assertRaises(errors.LimitExceeded, self.add_link, image, limit=2)
        self.assertEqual({"resource": "links_per_project", "limit": 2, "wanted": 3}, error.values)
        self.data.run(self.new_link(image, limit=2), AFTER)
        self.assertRaises(errors.LimitExceeded, self.add_link, image, "ann", "new", limit=0)

    def test_callers_without_a_project_count_together(self) -> None:
        image = self.insert(stored())
        self.add_link(image, None, None, limit=1)
        self.assertRaises(errors.LimitExceeded, self.add_link, image, "root", None, limit=1)

    def test_links_made_at_once_do_not_pass_the_limit_together(self) -> None:
        images = [self.insert(stored()) for _ in range(8)]
        results = self.at_once(lambda image: self.add_link(image, limit=3), images)
        self.assertEqual(3, sum(isinstance(each, Link) for each in results))

    def test_image_that_is_not_there_gets_no_link(self) -> None:
        image = self.insert(stored())
        self.data.run(MarkDeleted(image.id), NOW)
        self.assertRaises(errors.NotFound, self.add_link, image)

    def test_links_do_not_come_back_with_a_restored_image(self) -> None:
        image = self.insert(stored())
        link, other = self.add_link(image), self.add_link(self.insert(stored()))
        job = Job(str(uuid4()), SCRUB, image_id=image.id)
        self.data.run(MoveToTrash(image.id, timedelta(days=1), job), NOW)
        self.data.run(RestoreImage(image.id), NOW)
        self.assertRaises(errors.LinkNotFound, self.data.run, FindLink(digest(link)), NOW)
        self.assertEqual(other, self.data.run(FindLink(digest(other)), NOW))

    def test_links_go_with_the_row_of_their_image(self) -> None:
        image = self.insert(stored(locations=()))
        link = self.add_link(image, lifetime=timedelta(days=1000))
        self.data.run(MarkDeleted(image.id), LATER)
        self.assertEqual(1, self.data.run(PurgeImages(timedelta(days=1), 10), MUCH_LATER))
        self.assertRaises(errors.LinkNotFound, self.data.run, FindLink(digest(link)), MUCH_LATER)

    def test_links_that_have_expired_are_removed_in_batches(self) -> None:
        image = self.insert(stored())
        for _ in range(3):
            self.add_link(image)
        self.add_link(image, lifetime=2 * LIFETIME)
        self.assertEqual(0, self.data.run(PurgeLinks(2), NOW))
        removed = [self.data.run(PurgeLinks(2), AFTER) for _ in range(3)]
        self.assertEqual([2, 1, 0], removed)
        self.assertEqual(1, len(self.links_of(image, at=AFTER)))

    def new_link(
        self,
        image: Image,
        user_id: str | None = "ann",
        project_id: str | None = "mine",
        lifetime: timedelta = LIFETIME,
        limit: int | None = None,
    ) -> AddLink:
        """Return the call that makes a link."""
        link = Link(str(uuid4()), image.id, user_id=user_id, project_id=project_id)
        return AddLink(image.id, digest=digest(link), lifetime=lifetime, link=link, limit=limit)

    def add_link(
        self,
        image: Image,
        user_id: str | None = "ann",
        project_id: str | None = "mine",
        lifetime: timedelta = LIFETIME,
        limit: int | None = None,
    ) -> Link:
        """Make a link at ``NOW`` and return it."""
        return self.data.run(self.new_link(image, user_id, project_id, lifetime, limit), NOW)

    def links_of(self, image: Image, at: datetime = NOW) -> list[str]:
        """Return the ids of the links of an image at a time."""
        return [link.id for link in self.data.run(ListLinks(image.id), at)]


def digest(link: Link) -> str:
    """Return a hash that no other link of the tests has."""
    return link.id.replace("-", "").ljust(64, "0")
