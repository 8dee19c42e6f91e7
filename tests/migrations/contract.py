"""What holds for the migrations on every database."""

from concurrent.futures import ThreadPoolExecutor

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from glance_mini.db.sqlalchemy import schema
from glance_mini.db.sqlalchemy.access import SqlDataAccess
from glance_mini.db.sqlalchemy.database import Database
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.db.sqlalchemy.images.sizes import BATCH, recount
from glance_mini.db.sqlalchemy.models import metadata
from glance_mini.domain import errors
from glance_mini.domain.image import Location
from glance_mini.domain.job import JobQuery
from glance_mini.domain.query import ImageQuery, Scope
from glance_mini.domain.quota import Limits
from glance_mini.operations.images import CreateImage, ListImages
from glance_mini.operations.jobs import GetJob
from glance_mini.operations.records import CountUsage, ListTrash
from glance_mini.operations.tasks import ListTasks
from glance_mini.testing.statements import count_statements

IMAGE_ID = "0a1b2c3d-0000-4000-8000-000000000000"

ROWS = {
    "0001": (
        "INSERT INTO images (id, name, status, visibility, owner, created_at, updated_at)"
        f" VALUES ('{IMAGE_ID}', 'old', 'active', 'shared', 'mine', '2026-01-02 03:04:05', '2026-01-02 03:04:05')",
        f"INSERT INTO image_tags (image_id, value, image_created_at) VALUES ('{IMAGE_ID}', 't', '2026-01-02 03:04:05')",
    ),
    "0002": (
        "INSERT INTO jobs (id, kind, created_at, updated_at, due_at, roles, input, state, priority, rank, checkpoint,"
        " message, attempts) VALUES ('j', 'hash', '2026-01-02 03:04:05', '2026-01-02 03:04:05', '2026-01-02 03:04:05',"
        " '[]', '{}', 'pending', 0, 0, '{}', '', 0)",
        "INSERT INTO staged_data (image_id, store, value, size, created_at)"
        f" VALUES ('{IMAGE_ID}', 'os_glance_staging_store', 'file:///x', 1, '2026-01-02 03:04:05')",
        "INSERT INTO pending_deletes (image_id, status, scrub_at)"
        f" VALUES ('{IMAGE_ID}', 'active', '2026-01-02 03:04:05')",
        "INSERT INTO outbox (event, priority, payload, caller, created_at)"
        " VALUES ('image.create', 'info', '{}', '{}', '2026-01-02 03:04:05')",
    ),
    "0003": (
        "UPDATE jobs SET host = 'http://node', stores = ',fast,cheap,' WHERE id = 'j'",
        "INSERT INTO deletions (image_id, value, meta_data, due_at, host)"
        f" VALUES ('{IMAGE_ID}', 'file:///y', '{{}}', '2026-01-02 03:04:05', 'http://node')",
    ),
    "0004": (
        "INSERT INTO image_properties (image_id, name, value, value_digest, image_created_at)"
        f" VALUES ('{IMAGE_ID}', 'p', 'ä', 'x', '2026-01-02 03:04:05')",
        "INSERT INTO image_locations (image_id, position, value, meta_data, status)"
        f" VALUES ('{IMAGE_ID}', 0, 'file:///x', '{{}}', 'active')",
    ),
    "0005": (
        "INSERT INTO image_properties (image_id, name, value, value_digest, image_created_at)"
        f" VALUES ('{IMAGE_ID}', 'null', NULL, 'y', '2026-01-02 03:04:05')",
    ),
    "0006": ("UPDATE jobs SET is_admin = true",),
    "0007": ("UPDATE jobs SET service_roles = '[\"service\"]', domain_id = 'd'",),
    "0008": ("INSERT INTO quota_limits (project_id, resource, maximum) VALUES ('mine', 'image_count_total', -1)",),
    "0009": (
        "INSERT INTO metadef_namespaces (namespace, visibility, created_at, updated_at)"
        " VALUES ('n', 'public', '2026-01-02 03:04:05', '2026-01-02 03:04:05')",
        "INSERT INTO metadef_tags (namespace_id, name, created_at, updated_at)"
        " SELECT id, 't', created_at, updated_at FROM metadef_namespaces",
    ),
    "0010": (
        "INSERT INTO cached_images (node, image_id, size, is_complete, hits, last_accessed, last_modified)"
        f" VALUES ('n', '{IMAGE_ID}', 1, true, 2, '2026-01-02 03:04:05', '2026-01-02 03:04:05')",
        f"INSERT INTO cache_queue (node, image_id, queued_at) VALUES ('n', '{IMAGE_ID}', '2026-01-02 03:04:05')",
    ),
    "0011": ("UPDATE images SET version = version + 1",),
    "0012": ("INSERT INTO call_keys (id, created_at, result) VALUES ('k', '2026-01-02 03:04:05', 'null')",),
    "0013": (
        "INSERT INTO image_links (id, image_id, digest, created_at, expires_at, roles, service_roles)"
        f" VALUES ('l', '{IMAGE_ID}', 'd', '2026-01-02 03:04:05', '2026-01-02 03:04:05', '[]', '[]')",
    ),
    "0014": (
        "INSERT INTO image_bases (image_id, base_id, depth, size, cluster_size, disk_index)"
        f" VALUES ('{IMAGE_ID}', 'b', 1, 2, 65536, '')",
        f"INSERT INTO block_hashes (image_id, part, hashes) VALUES ('{IMAGE_ID}', 0, '')",
    ),
    "0015": (
        "INSERT INTO issued_tokens (id, digest, user_id, credential, methods, issued_at, expires_at)"
        " VALUES ('t', 'd', 'u', 'c', '[]', '2026-01-02 03:04:05', '2026-01-02 03:04:05')",
    ),
    "0016": (
        "INSERT INTO upload_sessions (id, image_id, size, kind, received, metadata, parts, created_at, expires_at,"
        " is_finished, roles, service_roles, is_admin)"
        f" VALUES ('u', '{IMAGE_ID}', 2, 'whole', 1, '', '[]', '2026-01-02 03:04:05', '2026-01-02 03:04:05',"
        " false, '[]', '[]', false)",
    ),
    "0017": ("INSERT INTO event_log (created_at, type, body) VALUES ('2026-01-02 03:04:05', 'image.create', '{}')",),
    "0018": (
        "INSERT INTO verifications (job_id, began_at, counts) VALUES ('v', '2026-01-02 03:04:05', '{}')",
        "INSERT INTO findings (store, subject, kind, state, reason, found_at)"
        " VALUES ('s', 'x', 'missing', 'found', '', '2026-01-02 03:04:05')",
    ),
    "0019": (
        "INSERT INTO quota_spares (project_id, resource, shard, spare) VALUES ('mine', 'image_count_total', 0, 1)",
    ),
}
"""What stands in the tables after a revision, before the next one comes."""


class MigrationContract:
    """Mix into a ``testtools.TestCase`` and give it ``new_database``, which returns the address of an empty one."""

    def setUp(self):
        super().setUp()
        self.url = self.new_database()
        self.engine = self.open()

    def open(self) -> Engine:
        engine = make_engine(self.url)
        self.addCleanup(engine.dispose)
        return engine

    def test_migrations_make_what_the_models_say(self):
        schema.sync(self.engine)
        with self.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_server_default": False})
            self.assertEqual([], compare_metadata(context, metadata))

    def test_generated_columns_hold_what_the_models_say(self):
        made = self.audiences(lambda: schema.sync(self.engine))
        self.assertEqual(["project", "public", "public", "community"], made)
        self.engine = make_engine(self.new_database())
        self.addCleanup(self.engine.dispose)
        self.assertEqual(made, self.audiences(lambda: metadata.create_all(self.engine)))

    def test_every_step_keeps_the_rows_before_it(self):
        for revision in reversed(list(script().walk_revisions())):
            with self.engine.connect() as connection, schema.alone(connection):
                schema.upgrade(connection, revision.revision)
                for statement in ROWS[revision.revision]:
                    connection.execute(text(statement))
        self.assertIsNone(schema.check(self.engine))
        (image,) = SqlDataAccess(self.engine).run(ListImages(ImageQuery(tags=("t",)), Scope("mine"))).images
        self.assertEqual((IMAGE_ID, "old"), (image.id, image.name))
        self.assertEqual({"p": "ä", "null": None}, image.properties)
        with self.engine.connect() as connection:
            size = connection.execute(text("SELECT child_bytes FROM images")).scalar()
        self.assertEqual(len("pätfile:///x{}".encode()), size)

    def test_stores_and_hosts_are_taken_from_where_they_stood_before(self):
        metadata = '{"store":"os_glance_staging_store","host":"http://node"}'
        with self.engine.connect() as connection, schema.alone(connection):
            schema.upgrade(connection, "0002")
            for statement in (*ROWS["0001"], *ROWS["0002"]):
                connection.execute(text(statement))
            connection.execute(text(f"UPDATE jobs SET store = 'fast', image_id = '{IMAGE_ID}'"))
            connection.execute(text("UPDATE staged_data SET host = 'http://node'"))
            connection.execute(
                text(
                    "INSERT INTO deletions (image_id, value, meta_data, due_at)"
                    f" VALUES ('{IMAGE_ID}', 'file:///y', :metadata, '2026-01-02 03:04:05')"
                ),
                {"metadata": metadata},
            )
        schema.sync(self.engine)
        with self.engine.connect() as connection:
            job = connection.execute(text("SELECT stores, host FROM jobs WHERE id = 'j'")).one()
            self.assertEqual((",fast,", "http://node"), tuple(job))
            self.assertEqual("http://node", connection.execute(text("SELECT host FROM deletions")).scalar())

    def test_images_that_wait_for_their_deletion_get_a_job(self):
        with self.engine.connect() as connection, schema.alone(connection):
            schema.upgrade(connection, "0003")
            for statement in (*ROWS["0001"], *ROWS["0002"]):
                connection.execute(text(statement))
        schema.sync(self.engine)
        access = SqlDataAccess(self.engine)
        (job,) = access.run(ListTasks(JobQuery(kinds=("scrub",)))).jobs
        self.assertEqual((IMAGE_ID, "mine", "pending", -10), (job.image_id, job.project_id, job.state, job.priority))
        self.assertEqual([job.due_at], [image.scrub_at for image in access.run(ListTrash(2))])
        rank = text("SELECT rank FROM jobs ORDER BY rank DESC")
        with self.engine.connect() as connection:
            self.assertEqual([10, 0], list(connection.execute(rank).scalars()))

    def test_jobs_of_before_are_no_administrators(self):
        with self.engine.connect() as connection, schema.alone(connection):
            schema.upgrade(connection, "0004")
            for statement in (*ROWS["0001"], *ROWS["0002"]):
                connection.execute(text(statement))
            connection.execute(text("UPDATE jobs SET roles = '[\"admin\"]'"))
        schema.sync(self.engine)
        job = SqlDataAccess(self.engine).run(GetJob("j"))
        self.assertEqual((False, ()), (job.is_admin, job.service_roles))

    def test_sizes_that_old_nodes_left_wrong_are_counted_anew(self):
        schema.sync(self.engine)
        data = SqlDataAccess(self.engine)
        location = Location("file:///ä", {"store": "fast"})
        properties = {"p": "ö", "null": None}
        right = data.run(CreateImage(base={"owner": "p"}, properties=properties, locations=(location,))).id
        wrong = [data.run(CreateImage(base={"owner": "p"}, properties=properties)).id for _ in range(2)]
        with self.engine.connect() as connection:
            sizes = text("SELECT id, child_bytes FROM images")
            change = text("UPDATE images SET child_bytes = :n WHERE id = :id")
            before = dict(connection.execute(sizes).all())
            for number, image_id in enumerate(wrong):
                connection.execute(change, {"n": number, "id": image_id})
            plain = text(
                "INSERT INTO images (id, status, visibility, created_at, updated_at)"
                " VALUES (:id, 'queued', 'shared', '2026-01-02 03:04:05', '2026-01-02 03:04:05')"
            )
            connection.execute(plain, [{"id": f"{number:036}"} for number in range(BATCH)])
            self.assertEqual([2, 0], [recount(Database(self.engine)) for _ in range(2)])
            after = dict(connection.execute(sizes).all())
        self.assertEqual(before, {image_id: after[image_id] for image_id in before})
        self.assertEqual(len('pönullfile:///ä{"store":"fast"}'.encode()), after[right])

    def test_what_is_counted_in_advance_is_not_used_and_is_free_at_the_limit(self):
        schema.sync(self.engine)
        data = SqlDataAccess(self.engine)
        with self.engine.connect() as connection:
            connection.execute(
                text("INSERT INTO quota_usage (project_id, resource, used) VALUES ('p', 'image_count_total', 40)")
            )
            connection.execute(
                text(
                    "INSERT INTO quota_spares (project_id, resource, shard, spare)"
                    " VALUES ('p', 'image_count_total', 0, 30), ('p', 'image_count_total', 7, 8),"
                    " ('other', 'image_count_total', 0, 32), ('p', 'image_size_total', 0, 9)"
                )
            )
        self.assertEqual((2, 2), (self.count_of(data, "p"), self.count_of(data, None)))
        creates = [CreateImage(base={"owner": "p"}, limits=Limits({"image_count_total": 4})) for _ in range(3)]
        for create in creates[:2]:
            data.run(create)
        error = self.assertRaises(errors.LimitExceeded, data.run, creates[2])
        self.assertEqual({"resource": "image_count_total", "limit": 4, "wanted": 5}, error.values)
        self.assertEqual((4, 4), (self.count_of(data, "p"), self.count_of(data, None)))
        with self.engine.connect() as connection:
            rows = connection.execute(text("SELECT project_id, spare FROM quota_spares ORDER BY spare")).all()
        self.assertEqual([("p", 9), ("other", 32)], [tuple(row) for row in rows])

    def test_second_sync_does_nothing(self):
        self.assertEqual(schema.HEAD, schema.sync(self.engine))
        with count_statements(self.engine) as statements:
            self.assertEqual(schema.HEAD, schema.sync(self.engine))
        self.assertEqual([], [one for one in statements if one.startswith(("CREATE", "ALTER", "INSERT", "UPDATE"))])

    def test_several_processes_may_sync_at_once(self):
        engines = [self.open() for _ in range(4)]
        with ThreadPoolExecutor(len(engines)) as pool:
            self.assertEqual([schema.HEAD] * 4, list(pool.map(schema.sync, engines)))
        self.assertIsNone(schema.check(self.engine))

    def test_check_says_what_is_wrong(self):
        self.assertIn("has no tables", schema.check(self.engine))
        schema.sync(self.engine)
        for revision, words in (("0000", "must be at"), ("9999", "newer")):
            with self.engine.connect() as connection:
                connection.execute(text("UPDATE alembic_version SET version_num = :new"), {"new": revision})
            self.assertIn(words, schema.check(self.engine))

    def test_tables_of_a_newer_program_stay_as_they_are(self):
        schema.sync(self.engine)
        with self.engine.connect() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        self.assertEqual("9999", schema.sync(self.engine))

    def count_of(self, data, project):
        """Return how many images a project has, or all projects if it is None."""
        return data.run(CountUsage(project))["image_count_total"]

    def audiences(self, make):
        make()
        with self.engine.connect() as connection:
            for number, (visibility, owner) in enumerate(
                (("shared", "'p'"), ("private", "NULL"), ("public", "'p'"), ("community", "'p'"))
            ):
                connection.execute(
                    text(
                        "INSERT INTO images (id, status, visibility, owner, created_at, updated_at)"
                        f" VALUES ('{number}', 'active', '{visibility}', {owner}, '2026-01-02', '2026-01-02')"
                    )
                )
            rows = connection.execute(text("SELECT audience, sort_name, sort_size FROM images ORDER BY id")).all()
        self.assertEqual({("", 0)}, {(row.sort_name, row.sort_size) for row in rows})
        return [row.audience for row in rows]


def script() -> ScriptDirectory:
    """Return the revisions of the package."""
    config = Config()
    config.set_main_option("script_location", schema.MIGRATIONS)
    return ScriptDirectory.from_config(config)
