"""``glance-mini-manage images`` as an operator types it."""

import json
from datetime import timedelta
from uuid import uuid4

from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.domain.bases import Delta, NewLink, described
from glance_mini.domain.image import Location
from glance_mini.domain.transfer import StoredData, Transfer
from glance_mini.operations.outbox import TakeEvents
from glance_mini.operations.records import BeginTransfer, ListRemovals, LoadImage, MoveToTrash, RecordData
from glance_mini.testing.data_access.samples import creation
from glance_mini.testing.samples import IMAGE_ID, TIME, make_image, make_job
from tests.unit.cmd.test_commands import CommandTestCase


class ImageCommandsTest(CommandTestCase):
    def setUp(self):
        super().setUp()
        engine = make_engine(f"sqlite:///{self.state.path}/glance-mini.db")
        schema.sync(engine)
        self.data = SqlDataAccess(engine)
        self.addCleanup(self.data.close)
        self.data.run(creation(make_image()))

    def test_deleted_image_is_listed_with_the_end_of_its_time(self):
        self.delete(timedelta(hours=1))
        code, out, _ = self.manage("images", "deleted")
        self.assertEqual(0, code)
        head, row = (line.split() for line in out.splitlines())
        self.assertEqual(["ID", "NAME", "OWNER", "SIZE", "RESTORABLE_UNTIL"], head)
        self.assertEqual([IMAGE_ID, "sample", "p1", "4", "2026-01-02T04:04:05Z"], row)

    def test_restored_image_is_seen_again_and_listed_no_more(self):
        self.delete()
        self.assertEqual((0, "active\n"), self.manage("images", "restore", IMAGE_ID)[:2])
        self.assertEqual("active", self.data.run(LoadImage(IMAGE_ID)).status)
        self.assertEqual(1, len(self.manage("images", "deleted")[1].splitlines()))

    def test_restoration_is_an_event_and_the_end_of_an_image_is_none(self):
        with self.state.config_file.open("a") as file:
            file.write("[notifications]\ndelivery = outbox\n[oslo_messaging_notifications]\ndriver = log\n")
        self.delete()
        self.manage("images", "restore", IMAGE_ID)
        self.delete()
        self.manage("images", "scrub", IMAGE_ID, "--yes")
        [event] = self.data.run(TakeEvents("test", timedelta(hours=1), 10))
        self.assertEqual(("image.update", IMAGE_ID), (event.type, event.payload["id"]))

    def test_image_is_deleted_for_good_before_its_time(self):
        self.delete(timedelta(days=365_000))
        self.assertEqual((0, "deleted\n"), self.manage("images", "scrub", IMAGE_ID, "--yes")[:2])
        self.assertEqual(1, len(self.manage("images", "deleted")[1].splitlines()))
        self.assertEqual(1, len(self.data.run(ListRemovals(IMAGE_ID))))

    def test_image_that_was_not_deleted_is_left_alone(self):
        for command in ("restore", "scrub"):
            code, _, err = self.manage("images", command, IMAGE_ID)
            self.assertEqual(1, code)
            self.assertIn(IMAGE_ID, err)
        self.assertEqual("active", self.data.run(LoadImage(IMAGE_ID)).status)

    def test_chain_shows_bases_and_what_is_based_on_the_image(self):
        base = self.data.run(LoadImage(IMAGE_ID))
        queued = make_image(id=str(uuid4()), name="top", status="queued", size=None, locations=(), disk_format="qcow2")
        self.data.run(creation(queued))
        transfer = Transfer("t", queued.id, "p1", "process", "file", "name", 0)
        self.data.run(BeginTransfer(transfer, timedelta(minutes=1)))
        place = Location("file:///top", described(Delta(base.id, 700)))
        self.data.run(RecordData(transfer, StoredData(place, 9000, 8000, None, None, None, link=NewLink(3, 65536))))
        for image_id, places in ((queued.id, ["the image", "base 1"]), (base.id, ["based on it", "the image"])):
            code, out, _ = self.manage("images", "chain", image_id, "--format", "json")
            self.assertEqual(0, code)
            self.assertEqual(places, [row["place"] for row in json.loads(out)])
        self.assertEqual(
            [("top", 9000, 700), ("sample", 4, 4)], [(r["name"], r["size"], r["stored_bytes"]) for r in json.loads(out)]
        )
        self.assertEqual(1, self.manage("images", "chain", str(uuid4()))[0])

    def delete(self, keep=timedelta(0)):
        """Delete the image so that it can be restored for ``keep``."""
        job = make_job(id=str(uuid4()), kind="scrub", image_id=IMAGE_ID)
        self.data.run(MoveToTrash(IMAGE_ID, keep, job), TIME)
