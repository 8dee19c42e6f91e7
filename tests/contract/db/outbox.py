"""The contract for stored events: there with their change or not at all, given out once and in order (DESIGN)."""

from glance_mini.db.outbox_interface import OutboxEvent
from glance_mini.domain import errors
from glance_mini.domain.changes import PropertyChange
from glance_mini.domain.quota import NO_LIMITS
from tests.contract.db.job_samples import LAPSED, LEASE, JobContractBase, job
from tests.contract.db.samples import LATER, NOW, sample


def event(kind="image.update", image_id="i", **values):
    """Return an event that is not stored yet."""
    return OutboxEvent(kind, {"name": "ü", "size": 2**40}, NOW, "warn", {"roles": ["member"]}, image_id, **values)


class OutboxContract(JobContractBase):
    def test_event_comes_back_as_it_was_stored(self):
        self.outbox.add_events([event(), event("image.send", image_id=None)])
        first, second = self.take()
        self.assertEqual(event(id=first.id), first)
        self.assertEqual(event("image.send", None, id=second.id), second)
        self.assertEqual(2, self.outbox.count_events())

    def test_event_is_stored_with_the_change_it_tells_of(self):
        image = self.telling().create_image(sample(), NO_LIMITS)
        self.telling().update_image(image.id, (PropertyChange("add", "a", "b"),), LATER, NO_LIMITS)
        self.assertEqual([{"id": image.id, "status": "queued"}] * 2, [one.payload for one in self.take()])

    def test_change_that_fails_stores_no_event(self):
        image = self.telling().create_image(sample(), NO_LIMITS)
        self.assertRaises(errors.Duplicate, self.telling().create_image, image, NO_LIMITS)
        self.assertEqual(1, self.outbox.count_events())

    def test_event_that_cannot_be_made_undoes_the_change(self):
        def fail(result):
            raise ZeroDivisionError

        image = sample()
        self.assertRaises(ZeroDivisionError, self.data.with_events(fail).create_image, image, NO_LIMITS)
        self.assertRaises(errors.NotFound, self.image, image)

    def test_other_calls_store_no_events(self):
        self.telling()
        self.create()
        self.telling().get_usage("mine")
        self.assertEqual(0, self.outbox.count_events())

    def test_changes_of_jobs_can_be_told_of(self):
        telling = self.jobs.with_events(lambda one: [OutboxEvent("task.create", {"id": one.id}, NOW)])
        added = telling.add_job(job())
        self.assertEqual([{"id": added.id}], [one.payload for one in self.take()])

    def test_events_are_given_to_one_dispatcher_until_its_claim_ends(self):
        self.outbox.add_events([event(), event(image_id=None)])
        taken = self.take("first")
        self.assertEqual([], self.take("second", LEASE))
        self.assertEqual(taken, self.take("second", LAPSED))

    def test_finished_events_do_not_come_again(self):
        self.outbox.add_events([event(), event(image_id="j")])
        first, second = self.take()
        self.outbox.finish_events([first.id])
        self.assertEqual([second], self.take(now=LAPSED))
        self.outbox.finish_events([second.id, second.id])
        self.assertEqual(0, self.outbox.count_events())

    def test_released_events_come_again_unless_another_one_has_them(self):
        self.outbox.add_events([event()])
        (taken,) = self.take("first")
        self.outbox.release_events("second", [taken.id])
        self.assertEqual([], self.take("second"))
        self.outbox.release_events("first", [taken.id])
        self.assertEqual([taken], self.take("second"))

    def test_later_events_of_an_image_wait_for_the_earlier_ones(self):
        self.outbox.add_events([event("1"), event("2"), event("3", image_id="j"), event("4", image_id=None)])
        (first,) = self.take("first", rows=1)
        others = self.take("second")
        self.assertEqual(["3", "4"], [one.type for one in others])
        self.outbox.finish_events([first.id])
        self.assertEqual(["2"], [one.type for one in self.take("second")])

    def test_ids_of_published_events_are_not_given_again(self):
        self.outbox.add_events([event()])
        (first,) = self.take()
        self.outbox.finish_events([first.id])
        self.outbox.add_events([event()])
        self.assertGreater(self.take()[0].id, first.id)

    def test_events_of_changes_at_once_are_in_the_order_of_the_changes(self):
        image = self.create()

        def change(name):
            def tell(changed):
                return [OutboxEvent("image.update", {"has": sorted(changed.properties)}, NOW, image_id=image.id)]

            changes = (PropertyChange("add", name, "x"),)
            return self.data.with_events(tell).update_image(image.id, changes, LATER, NO_LIMITS)

        self.at_once(change, "abcdefgh")
        self.assertEqual([1, 2, 3, 4, 5, 6, 7, 8], [len(one.payload["has"]) for one in self.take()])

    def test_events_taken_at_once_go_to_one_dispatcher_each(self):
        self.outbox.add_events([event(image_id=str(number % 5)) for number in range(60)])
        taken = self.at_once(lambda name: self.take(name, rows=20), "abcdef")
        ids = [one.id for some in taken for one in some]
        self.assertEqual(len(ids), len(set(ids)))

    def telling(self):
        """Return the data access whose changes of images store an event."""

        def tell(image):
            return [OutboxEvent("image.update", {"id": image.id, "status": image.status}, NOW, image_id=image.id)]

        return self.data.with_events(tell)

    def take(self, process="dispatcher", now=NOW, rows=100):
        return list(self.outbox.take_events(process, now, LEASE, rows))
