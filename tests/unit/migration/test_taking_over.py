"""What is taken over from a Glance database, what is left out and why, and that nothing in it is changed."""

import csv
import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

from sqlalchemy.exc import OperationalError

from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.domain import errors
from glance_mini.domain.bases import Delta, described
from glance_mini.domain.clock import utcnow
from glance_mini.domain.image import Location
from glance_mini.domain.query import EVERYTHING
from glance_mini.migration import glance_database, glance_rows
from glance_mini.migration import glance_tables as tables
from glance_mini.migration.encryption import LocationCipher
from glance_mini.operations.jobs import GetJob
from glance_mini.operations.members import ListMembers
from glance_mini.operations.metadefs import GetNamespace
from glance_mini.operations.migration import ListBuried, ListRecords
from glance_mini.operations.records import ListTrash, LoadImage
from glance_mini.testing.data_access.samples import creation, stored
from tests.unit.cmd.test_commands import CommandTestCase
from tests.unit.migration.glance_file import BEGIN, HOUR, GlanceFile

KEY = "0123456789abcdef"

STORED_BY_GLANCE = (
    "9S0UkLk5geo0Ad84nPJwaLHGomQ0Y3ESkZx1zlCecp4IM7X0oWDQr37sV_KgGa0YUzKPddDqvYv465XASZ3GWkTjrc0tHJ2QLfhZY0hxZfU="
)
"""A location in the database of a Glance 33 whose ``metadata_encryption_key`` was ``KEY``."""


PLACE = ("file:///i/1", {"store": "images"})


class MigrationCase(CommandTestCase):
    more = ""

    def setUp(self):
        super().setUp()
        self.glance = self.useFixture(GlanceFile(self.more))
        engine = make_engine(f"sqlite:///{self.state.path}/glance-mini.db")
        schema.sync(engine)
        self.data = SqlDataAccess(engine)
        self.addCleanup(self.data.close)

    def migrate(self, *words, config=None):
        """Return the report of a run."""
        config = config or self.glance.config_file
        code, out, err = self.manage("migrate-from-glance", "--config", str(config), "--format", "json", *words)
        self.assertEqual(0, code, err)
        return json.loads(out)

    def image(self, image_id):
        """Return an image as it was taken over, with locations that have no numbers."""
        image = self.data.run(LoadImage(image_id, EVERYTHING))
        return replace(image, locations=tuple(replace(each, id=None) for each in image.locations))

    def reasons(self, report):
        """Return the reasons of all remarks by the id of the thing."""
        return {remark["id"]: remark["reason"] for remark in report["first_remarks"]}


class TestImages(MigrationCase):
    def test_an_image_is_taken_over_with_all_that_belongs_to_it(self):
        key = self.glance.add_image(
            {"os_distro": "ü", "none": None}, ["b", "a", "b"], [PLACE], {"p2": "accepted"},
            checksum="c" * 32, os_hash_algo="sha512", os_hash_value="d" * 128, protected=True, os_hidden=True,
            virtual_size=200, min_disk=3, min_ram=4, visibility="community", updated_at=BEGIN + HOUR,
        )  # fmt: skip
        report = self.migrate()
        self.assertEqual({"added": 1, "changed": 0, "unchanged": 0, "kept": 0}, report["images"])
        image = self.image(key)
        self.assertEqual(
            ("disk", "p1", "community", True, True, 100, 200, 3, 4, "c" * 32, "sha512", "d" * 128),
            (image.name, image.owner, image.visibility, image.protected, image.os_hidden, image.size,
             image.virtual_size, image.min_disk, image.min_ram, image.checksum, image.os_hash_algo,
             image.os_hash_value),
        )  # fmt: skip
        self.assertEqual((BEGIN, BEGIN + HOUR), (image.created_at, image.updated_at))
        self.assertEqual({"os_distro": "ü", "none": None}, image.properties)
        self.assertEqual({"a", "b"}, set(image.tags))
        self.assertEqual((Location(*PLACE),), image.locations)
        self.assertEqual(["p2"], [member.member_id for member in self.data.run(ListMembers(key))])

    def test_rows_that_glance_has_deleted_are_no_part_of_the_image(self):
        key = self.glance.add_image()
        gone = {"deleted": True, "deleted_at": BEGIN + HOUR, "image_id": key}
        self.glance.insert(tables.image_properties, name="p", value="v", **gone)
        self.glance.insert(tables.image_tags, value="t", **gone)
        self.glance.insert(tables.image_members, member="m", status="pending", can_share=False, **gone)
        self.glance.insert(tables.image_locations, value="file:///x", meta_data="{}", status="deleted", **gone)
        self.migrate()
        image = self.image(key)
        self.assertEqual(({}, (), ()), (dict(image.properties), image.tags, image.locations))
        self.assertEqual((), self.data.run(ListMembers(key)))

    def test_a_transfer_that_runs_there_leaves_a_queued_image_without_data(self):
        keys = [
            self.glance.add_image(
                {"os_glance_import_task": "t", "p": "v"}, locations=[("file:///i", {"store": "images"})], status=status
            )
            for status in ("saving", "uploading", "importing")
        ]
        report = self.migrate()
        for key in keys:
            image = self.image(key)
            self.assertEqual(
                ("queued", None, (), {"p": "v"}), (image.status, image.size, image.locations, image.properties)
            )
        self.assertEqual(set(keys), set(self.reasons(report)))
        self.assertEqual({}, report["left_out"])

    def test_an_image_in_the_trash_keeps_what_was_deleted_with_it(self):
        end = BEGIN + HOUR
        key = self.glance.add_image(
            {"p": "v"}, ["t"], [("file:///i", {"store": "images"}, {"status": "pending_delete"})], {"m": "accepted"},
            status="pending_delete", deleted=True, deleted_at=end,
        )  # fmt: skip
        before = {"deleted": True, "deleted_at": end - timedelta(minutes=5)}
        self.glance.insert(tables.image_tags, image_id=key, value="removed before", **before)
        self.migrate()
        [record] = self.data.run(ListRecords("", 10))
        self.assertEqual(({"p": "v"}, ("t",)), (record.image.properties, record.image.tags))
        self.assertEqual(1, len(record.image.locations))
        self.assertEqual(["m"], [member.member_id for member in record.members])
        self.assertEqual([(key, record.scrub_at)], [(one.id, one.scrub_at) for one in self.data.run(ListTrash(10))])

    def test_a_deleted_image_is_nothing_but_its_id(self):
        key = self.glance.add_image({"p": "v"}, status="deleted", deleted=True, deleted_at=BEGIN)
        report = self.migrate()
        self.assertEqual(1, report["deleted_images"]["added"])
        self.assertEqual([key], [one.id for one in self.data.run(ListBuried("", 10))])

    def test_what_cannot_be_stored_is_left_out_with_the_reason(self):
        bad = {
            self.glance.add_image(status="melted"): "its status 'melted' is unknown",
            self.glance.add_image(name="x" * 256): "its name is longer than 255 characters",
            self.glance.add_image({"p": "a\0b"}): "its property p has a character that cannot be stored",
            self.glance.add_image({"k" * 256: "v"}): "its name of a property is longer than 255 characters",
            self.glance.add_image(tags=["t" * 256]): "its tag is longer than 255 characters",
            self.glance.add_image(locations=[("file:///i", "[")]): "its metadata of a location is not JSON",
        }
        good = self.glance.add_image()
        file = self.root / "report.csv"
        report = self.migrate("--report", str(file))
        self.assertEqual(({"image": len(bad)}, 1), (report["left_out"], report["images"]["added"]))
        self.assertEqual("disk", self.image(good).name)
        self.assertEqual(bad, self.reasons(report))
        rows = list(csv.DictReader(file.open()))
        self.assertEqual(bad, {row["id"]: row["reason"] for row in rows})
        self.assertEqual({"True"}, {row["is_left_out"] for row in rows})


class TestLocations(MigrationCase):
    def stores_of(self, *locations):
        """Return the metadata of the locations of one image after a run, and the remarks."""
        key = self.glance.add_image(locations=locations)
        report = self.migrate()
        return [each.metadata for each in self.image(key).locations], [*self.reasons(report).values()]

    def test_a_location_without_a_store_gets_the_one_that_holds_it(self):
        place = f"file://{self.state.path}/images/x"
        self.assertEqual(([{"store": "images"}], []), self.stores_of((place, {})))

    def test_the_key_of_old_releases_is_read(self):
        self.assertEqual(([{"store": "images"}], []), self.stores_of(("file:///x", {"backend": "images"})))

    def test_a_store_that_is_not_here_is_told(self):
        found = self.stores_of(("file:///x", {"store": "gone"}), ("rbd://a/b/c/snap", {}))
        self.assertEqual([{"store": "gone"}, {}], found[0])
        self.assertEqual(1, len(found[1]))

    def test_locations_of_the_web_are_trusted_only_if_an_operator_says_so(self):
        self.glance.add_image(locations=[("http://10.0.0.1/x", {})])
        self.migrate()
        [record] = self.data.run(ListRecords("", 10))
        self.assertFalse(record.image.locations[0].is_trusted)
        self.assertEqual(1, self.migrate("--trust-locations")["images"]["changed"])
        [record] = self.data.run(ListRecords("", 10))
        self.assertTrue(record.image.locations[0].is_trusted)


class TestEncryptedLocations(MigrationCase):
    more = f"metadata_encryption_key = {KEY}"

    def test_what_glance_has_written_is_read(self):
        url = "file:///srv/migrate-images/11111111-2222-4333-8444-555555555555"
        self.assertEqual(url, LocationCipher(KEY).decrypt(STORED_BY_GLANCE))

    def test_what_is_encrypted_here_is_read_again_and_never_the_same(self):
        cipher = LocationCipher(KEY)
        for length in range(40):
            url = f"file:///{'x' * length}"
            self.assertEqual(url, cipher.decrypt(cipher.encrypt(url)))
        self.assertNotEqual(cipher.encrypt("file:///a"), cipher.encrypt("file:///a"))

    def test_encrypted_and_older_plain_locations_are_taken_over(self):
        stored = LocationCipher(KEY).encrypt("file:///secret")
        keys = [self.glance.add_image(locations=[(each, {"store": "images"})]) for each in (stored, "file:///plain")]
        self.migrate()
        self.assertEqual(["file:///secret", "file:///plain"], [self.image(key).locations[0].url for key in keys])

    def test_what_another_key_has_encrypted_is_left_out_and_not_shown(self):
        stored = LocationCipher(KEY[::-1]).encrypt("file:///secret")
        key = self.glance.add_image(locations=[(stored, {"store": "images"})])
        report = self.migrate()
        reason = "a location cannot be read; metadata_encryption_key is missing or is another one"
        self.assertEqual({key: reason}, self.reasons(report))
        self.assertNotIn(stored, json.dumps(report))

    def test_a_key_of_a_wrong_length_is_refused(self):
        error = self.assertRaises(errors.ConfigurationError, LocationCipher, "short")
        self.assertIn("16, 24 or 32", str(error))


class TestOtherThings(MigrationCase):
    def test_tasks_are_taken_over_until_they_expire(self):
        later = utcnow() + HOUR
        ended = self.glance.add_task(
            expires_at=later, input='{"a": 1}', result='{"image_id": "i"}', message="done", user_id="u", request_id="r"
        )
        running = self.glance.add_task(status="processing", expires_at=later)
        self.glance.add_task(expires_at=BEGIN)
        odd = self.glance.add_task(type="clone", expires_at=later)
        report = self.migrate()
        self.assertEqual((2, {"task": 1}), (report["tasks"]["added"], report["left_out"]))
        job = self.data.run(GetJob(ended))
        self.assertEqual(
            ("api_image_import", "success", {"a": 1}, {"image_id": "i"}, "done", "p1", "u", "r"),
            (job.kind, job.state, job.input, job.result, job.message, job.project_id, job.user_id, job.request_id),
        )
        self.assertEqual("failure", self.data.run(GetJob(running)).state)
        self.assertEqual({running, odd}, set(self.reasons(report)))

    def test_namespaces_are_taken_over_with_their_parts(self):
        self.glance.add_namespace(description="x" * 600, visibility="public", protected=True)
        report = self.migrate()
        self.assertEqual(1, report["namespaces"]["added"])
        self.assertEqual({"OS::Some": "its description was cut to 500 characters"}, self.reasons(report))
        found = self.data.run(GetNamespace("OS::Some"))
        self.assertEqual(
            ("public", True, "admin"), (found.namespace.visibility, found.namespace.protected, found.namespace.owner)
        )
        self.assertEqual([("OS::Some::Type", "hw_")], [(one.name, one.prefix) for one in found.associations])
        self.assertEqual({"title": "P", "type": "string"}, found.properties[0].definition)
        self.assertEqual((("a", "b"), {"a": {"title": "A"}}), (found.objects[0].required, found.objects[0].properties))
        self.assertEqual(["t"], [tag.name for tag in found.tags])
        self.assertEqual(1, self.migrate()["namespaces"]["unchanged"])


class TestSource(MigrationCase):
    def test_the_file_stays_as_it_is_and_a_rehearsal_writes_nothing_here(self):
        self.glance.add_image({"p": "v"}, ["t"])
        self.glance.add_namespace()
        before = sha256(self.glance.path.read_bytes()).digest()
        files = sorted(self.glance.root.iterdir())
        rehearsed = self.migrate("--dry-run")
        self.assertEqual((), self.data.run(ListRecords("", 10)))
        self.assertRaises(errors.NotFound, self.data.run, GetNamespace("OS::Some"))
        self.assertEqual({**rehearsed, "dry_run": False}, self.migrate())
        self.assertEqual(
            (before, files), (sha256(self.glance.path.read_bytes()).digest(), sorted(self.glance.root.iterdir()))
        )

    def test_the_connection_cannot_write(self):
        with glance_database.reading(self.glance.url) as connection:
            error = self.assertRaises(OperationalError, connection.exec_driver_sql, "DELETE FROM images")
        self.assertIn("readonly", str(error))

    def test_pages_are_bounded_by_the_bytes_of_their_texts(self):
        for _ in range(4):
            self.glance.add_image({"p": "x" * 3_000_000})
        self.patch(glance_rows, "PAGE_BYTES", 7_000_000)
        with glance_database.reading(self.glance.url) as connection:
            self.assertEqual([2, 2], [len(page) for page in glance_rows.read_images(connection)])

    def test_a_database_that_is_not_one_of_glance_is_named(self):
        with self.glance.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE images RENAME COLUMN os_hidden TO hidden")
        code, out, err = self.manage("migrate-from-glance", "--config", str(self.glance.config_file))
        self.assertEqual((1, ""), (code, out))
        self.assertIn("images of the Glance database has no os_hidden", err)

    def test_a_missing_database_is_named_without_its_password(self):
        text = self.glance.config_file.read_text()
        for url, words in (
            ("sqlite:////nowhere/glance.db", "/nowhere/glance.db"),
            ("postgresql://glance:hidden@127.0.0.1:1/glance", "127.0.0.1:1"),
            ("oracle://glance:hidden@h/glance", "SQLite, PostgreSQL or MySQL"),
        ):
            self.glance.config_file.write_text(text.replace(self.glance.url, url))
            code, out, err = self.manage("migrate-from-glance", "--config", str(self.glance.config_file))
            self.assertEqual((1, ""), (code, out))
            self.assertIn(words, err)
            self.assertNotIn("hidden", err)

    def test_the_lines_of_the_stores_are_written_for_their_owner_alone(self):
        file = self.root / "stores.conf"
        self.assertEqual({"images": "file"}, self.migrate("--stores-file", str(file))["stores"])
        lines = ["[DEFAULT]", "enabled_backends = images:file", "", "[glance_store]", "default_backend = images", ""]
        lines += ["[images]", f"filesystem_store_datadir = {self.glance.root}/images", ""]
        self.assertEqual(lines, file.read_text().splitlines())
        self.assertEqual(0o600, file.stat().st_mode & 0o777)
        code, _, err = self.manage(
            "migrate-from-glance", "--config", str(self.glance.config_file), "--stores-file", str(file)
        )
        self.assertEqual((1, 1), (code, err.count("\n")))


class TestTheWayBack(MigrationCase):
    def test_what_goes_back_comes_again_as_it_was(self):
        self.glance.add_image({"p": "v"}, ["t"], [("file:///i", {"store": "images"})], {"m": "accepted"})
        self.glance.add_image(
            locations=[("file:///j", {"store": "images"}, {"status": "pending_delete"})],
            status="pending_delete", deleted=True, deleted_at=BEGIN + HOUR,
        )  # fmt: skip
        gone = self.glance.add_image(status="deleted", deleted=True, deleted_at=BEGIN)
        self.glance.add_task(expires_at=utcnow() + HOUR, input="{}", result="{}")
        self.glance.add_namespace()
        self.migrate()
        before = self.data.run(ListRecords("", 10))
        back = self.useFixture(GlanceFile(f"metadata_encryption_key = {KEY}"))
        words = ("export", "--to-glance", "--config", str(back.config_file), "--format", "json")
        code, out, err = self.manage(*words)
        self.assertEqual(0, code, err)
        counts = {"images": 2, "deleted_images": 1, "tasks": 1, "namespaces": 1}
        self.assertEqual(counts, {key: value for key, value in json.loads(out).items() if key in counts})
        again = self.migrate(config=back.config_file)
        self.assertEqual(before, self.data.run(ListRecords("", 10)))
        self.assertEqual(
            [2, 1, 1, 1], [again[f"{kind}s"]["unchanged"] for kind in ("image", "deleted_image", "task", "namespace")]
        )
        self.assertEqual([gone], [one.id for one in self.data.run(ListBuried("", 10))])
        with back.engine.connect() as connection:
            [url] = connection.exec_driver_sql("SELECT value FROM image_locations WHERE status = 'active'").scalars()
        self.assertNotIn("file", url)

    def test_an_incremental_image_does_not_go_back_and_the_report_says_why(self):
        base, own = stored(), described(Delta("b", 700))
        delta = stored(locations=(Location("file:///top", own),))
        for image in (base, delta):
            self.data.run(creation(image))
        back = self.useFixture(GlanceFile(""))
        code, out, err = self.manage("export", "--to-glance", "--config", str(back.config_file), "--format", "json")
        self.assertEqual(0, code, err)
        report = json.loads(out)
        self.assertEqual(1, report["images"])
        self.assertIn("coalesce", self.reasons(report)[delta.id])
        with back.engine.connect() as connection:
            self.assertEqual([base.id], connection.exec_driver_sql("SELECT id FROM images").scalars().all())

    def test_keys_of_the_service_in_foreign_metadata_are_not_believed(self):
        taken = self.glance.add_image(locations=[("file:///i", {"store": "images", **described(Delta("b", 700))})])
        self.migrate()
        self.assertIsNone(self.image(taken).base)

    def test_a_database_with_images_is_refused(self):
        self.glance.add_image()
        code, out, err = self.manage("export", "--to-glance", "--config", str(self.glance.config_file))
        self.assertEqual((1, ""), (code, out))
        self.assertIn("has images", err)
