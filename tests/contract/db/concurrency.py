"""The contract for callers at the same time: nothing acknowledged is lost, no limit is passed together."""

from concurrent.futures import ThreadPoolExecutor

from glance_mini.domain import errors
from glance_mini.domain.changes import PropertyChange, TagChange
from glance_mini.domain.quota import IMAGE_COUNT_TOTAL, NO_LIMITS, Limits
from tests.contract.db.samples import LATER, MINE, NOW, ContractBase, data_of, sample, stored


class ConcurrencyContract(ContractBase):
    def test_properties_added_at_once_are_all_kept(self):
        image = self.create()
        names = [f"p{number}" for number in range(24)]
        self.at_once(lambda name: self.change(image, PropertyChange("add", name, "x")), names)
        self.assertEqual(set(names), set(self.data.get_image(image.id, MINE).properties))

    def test_tags_added_at_once_are_all_kept(self):
        image = self.create()
        tags = [f"t{number}" for number in range(24)]
        self.at_once(lambda tag: self.change(image, TagChange("add", tag)), tags)
        self.assertEqual(set(tags), set(self.data.get_image(image.id, MINE).tags))

    def test_same_tag_added_at_once_is_kept_once(self):
        image = self.create()
        self.at_once(lambda _: self.change(image, TagChange("add", "same")), range(8))
        self.assertEqual(("same",), self.data.get_image(image.id, MINE).tags)

    def test_images_created_at_once_stay_within_the_limit(self):
        limits = Limits({IMAGE_COUNT_TOTAL: 5})
        results = self.at_once(lambda _: self.data.create_image(sample(), limits), range(20))
        refused = [one for one in results if isinstance(one, errors.LimitExceeded)]
        self.assertEqual(15, len(refused))
        self.assertEqual(5, self.data.get_usage("mine")[IMAGE_COUNT_TOTAL])

    def test_images_created_at_once_by_a_new_project_are_all_counted(self):
        results = self.at_once(lambda _: self.data.create_image(sample(owner="new"), NO_LIMITS), range(12))
        self.assertEqual([], [one for one in results if isinstance(one, Exception)])
        self.assertEqual(12, self.data.get_usage("new")[IMAGE_COUNT_TOTAL])

    def test_one_id_created_at_once_exists_once(self):
        image = sample()
        results = self.at_once(lambda _: self.data.create_image(image, NO_LIMITS), range(8))
        self.assertEqual(7, len([one for one in results if isinstance(one, errors.Duplicate)]))
        self.assertEqual(1, self.data.get_usage("mine")[IMAGE_COUNT_TOTAL])

    def test_member_limit_holds_for_members_added_at_once(self):
        image = self.create()
        self.at_once(lambda name: self.data.add_member(image.id, str(name), NOW, 3), range(12))
        self.assertEqual(3, len(self.data.list_members(image.id, None)))

    def test_expired_transfers_are_divided_among_callers(self):
        begun = {self.begin(self.create()).id for _ in range(12)}
        taken = self.at_once(lambda name: self.data.take_expired_transfers(str(name), (), LATER, LATER), range(6))
        ids = [one.id for some in taken for one in some]
        self.assertEqual((len(begun), begun), (len(ids), set(ids)))

    def test_due_deletions_are_divided_among_callers(self):
        for _ in range(12):
            self.data.delete_image(self.data.create_image(stored(), NO_LIMITS).id, NOW)
        taken = self.at_once(lambda _: self.data.take_due_deletions(LATER, LATER.replace(year=2030)), range(6))
        ids = [one.id for some in taken for one in some]
        self.assertEqual((12, 12), (len(ids), len(set(ids))))

    def test_upload_and_deletion_at_once_leave_no_live_image_without_a_claim(self):
        images = [self.create() for _ in range(8)]
        begun = {image.id: self.begin(image) for image in images}

        def race(job):
            image, deletes = job
            if deletes:
                return self.data.delete_image(image.id, NOW)
            return self.data.record_data(begun[image.id], data_of(), NOW)

        self.at_once(race, [(image, deletes) for image in images for deletes in (True, False)])
        for image in images:
            self.assertRaises(errors.NotFound, self.data.get_image, image.id, MINE)
        for transfer in begun.values():
            self.data.abort_transfer(transfer, NOW)
        self.assertEqual({0}, set(self.data.get_usage("mine").values()))

    def at_once(self, call, arguments):
        """Return what the calls return, or the service's errors that they raise."""

        def attempt(argument):
            try:
                return call(argument)
            except errors.Unavailable:
                raise
            except errors.GlanceMiniError as error:
                return error

        with ThreadPoolExecutor(len(list(arguments))) as pool:
            return list(pool.map(attempt, arguments))
