"""What reads cost in statements, and that each order of a list comes from an index."""

import itertools
from datetime import timedelta

from fixtures import MonkeyPatch
from testtools import TestCase
from testtools.matchers import Contains, HasLength

from glance_mini.db.sqlalchemy.images import listing
from glance_mini.db.sqlalchemy.images.shape import SINGLE
from glance_mini.domain.query import EVERYTHING, SORT_KEYS, ImageQuery
from glance_mini.operations.event_log import ReadEvents
from glance_mini.operations.images import ListImages
from glance_mini.operations.records import LoadImage, MoveToTrash
from glance_mini.testing.data_access.job_samples import job
from glance_mini.testing.data_access.samples import MINE, NOW, creation, location, sample, stored
from glance_mini.testing.statements import count_statements
from tests.unit.db.test_sqlite import open_on


class TestStatements(TestCase):
    def setUp(self):
        super().setUp()
        self.data = open_on("sqlite://")
        self.addCleanup(self.data.close)
        self.images = [
            self.insert(
                sample(
                    created_at=NOW + timedelta(seconds=number),
                    tags=("t", "u"),
                    properties={"p": "1", "q": "2"},
                    locations=(location("a"), location("b")),
                )
            )
            for number in range(100)
        ]

    def test_get_is_one_statement(self):
        with count_statements(self.data.engine) as statements:
            self.data.run(LoadImage(self.images[0].id, MINE))
        self.assertThat(statements, HasLength(1))

    def test_list_of_any_length_is_one_statement_and_one_for_its_marker_and_one_for_its_filters(self):
        for limit, query in itertools.product((1, 100), ({}, {"tags": ("t",)}, {"properties": {"p": "1", "q": "2"}})):
            more = 1 if query else 0
            with count_statements(self.data.engine) as statements:
                page = self.data.run(ListImages(ImageQuery(limit=limit, **query), MINE))
            self.assertThat(page.images, HasLength(limit))
            self.assertThat(statements, HasLength(1 + more))
            with count_statements(self.data.engine) as statements:
                self.data.run(ListImages(ImageQuery(limit=limit, marker=self.images[50].id, **query), MINE))
            self.assertThat(statements, HasLength(2 + more))

    def test_number_of_filters_beyond_a_few_changes_neither_the_number_of_statements_nor_their_subqueries(self):
        lengths = set()
        for number in (SINGLE + 1, 32):
            properties = {f"key{each}": "1" for each in range(number)}
            with count_statements(self.data.engine) as statements:
                self.data.run(ListImages(ImageQuery(properties=properties), MINE))
            self.assertThat(statements, HasLength(2))
            lengths.add(statements[1].count("SELECT"))
        self.assertThat(lengths, HasLength(1))

    def test_few_filters_are_each_looked_up_by_the_whole_key(self):
        of_property = "ix_image_properties_list (value_digest=? AND image_created_at=? AND image_id=?)"
        of_tag = "sqlite_autoindex_image_tags_1 (image_id=? AND value=?)"
        for query, keys in (
            (ImageQuery(properties={"p": "1", "q": "2"}), (of_property,)),
            (ImageQuery(tags=("t", "u")), (of_tag,)),
            (ImageQuery(properties={"p": "1"}, tags=("t",)), (of_property, of_tag)),
        ):
            self.assertTrue(any(key in self.plan(query, MINE) for key in keys), query)

    def test_every_order_is_read_from_its_index(self):
        for key, direction in itertools.product(SORT_KEYS, ("asc", "desc")):
            sort = tuple(dict.fromkeys((name, direction) for name in (key, "created_at", "id")))
            for marker in (None, self.images[50].id):
                plan = self.plan(ImageQuery(sort=sort, marker=marker), EVERYTHING)
                self.assertThat(plan, Contains(f"ix_images_list_{key} "))
                # The page itself, of at most ``limit`` rows, is put in order again when it is joined.
                self.assertEqual(1, plan.count("USE TEMP B-TREE FOR ORDER BY"), plan)

    def test_list_of_deleted_images_is_one_statement_and_led_by_an_index(self):
        image = self.insert(stored())
        self.data.run(MoveToTrash(image.id, timedelta(days=1), job(kind="scrub", image_id=image.id)), NOW)
        query = ImageQuery(one_of={"status": ("pending_delete",)})
        for scope in (MINE, EVERYTHING):
            with count_statements(self.data.engine) as statements:
                self.assertThat(self.data.run(ListImages(query, scope)).images, HasLength(1))
            self.assertThat(statements, HasLength(1))
            self.assertThat(self.plan(query, scope), Contains("ix_images_list_status "))

    def test_filter_by_property_and_tag_is_led_by_its_index(self):
        for query, index in (
            (ImageQuery(properties={"p": "1"}), "ix_image_properties_list"),
            (ImageQuery(tags=("t",)), "ix_image_tags_list"),
        ):
            for scope in (MINE, EVERYTHING):
                self.assertThat(self.plan(query, scope), Contains(index))

    def test_of_two_very_common_conditions_the_one_whose_images_are_further_apart_is_read(self):
        for name, number in (("COMMON", 2), ("VERY_COMMON", 4)):
            self.useFixture(MonkeyPatch(f"glance_mini.db.sqlalchemy.images.listing.{name}", number))
        for cached in (listing._count_children, listing._count_audiences):
            cached.cache_clear()
            self.addCleanup(cached.cache_clear)
        for number in range(-40, 40):
            tags = {"fifth"} if number % 5 == 0 else set()
            time = NOW + timedelta(seconds=200 + number)
            self.insert(sample(created_at=time, tags=(*tags, "mine")))
            self.insert(sample(created_at=time, owner="theirs", visibility="private", tags=("theirs",)))
        for tag, direction, index in (
            ("fifth", "asc", "ix_image_tags_list"),
            ("fifth", "desc", "ix_image_tags_list"),
            ("t", "asc", "ix_images_list_owner"),
            ("mine", "desc", "ix_images_list_owner"),
            ("theirs", "desc", "ix_images_list_owner"),
        ):
            query = ImageQuery(tags=(tag,), sort=(("created_at", direction), ("id", direction)))
            self.assertThat(self.plan(query, MINE), Contains(f"{index} "), query)

    def test_look_at_the_log_of_events_is_two_statements_and_reads_no_other_rows(self):
        for call in (ReadEvents(90, (), 10), ReadEvents(90, (3, 5), 10)):
            found = []
            with count_statements(self.data.engine, found.append):
                self.data.run(call)
            self.assertThat(found, HasLength(2))
            with self.data.engine.connect() as connection:
                plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {found[0][0]}", found[0][1])]
            self.assertEqual(["SEARCH event_log USING INTEGER PRIMARY KEY (rowid>?)"], plan)

    def insert(self, image):
        """Create an image as it is and return it."""
        return self.data.run(creation(image), image.created_at)

    def plan(self, query, scope):
        """Return how SQLite would answer a list."""
        found = []
        with count_statements(self.data.engine, found.append):
            self.data.run(ListImages(query, scope))
        with self.data.engine.connect() as connection:
            statement, values = found[-1]
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            return "\n".join(row[3] for row in rows)
