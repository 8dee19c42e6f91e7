"""A migration that is killed in the middle and begun again ends as one that nobody has disturbed."""

import json
import subprocess
import sys
import time
from pathlib import Path

import fixtures
from sqlalchemy import delete, select, update

from benchmarks.migration import BEGIN, fill_glance
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.db.sqlalchemy.models import (
    image_locations,
    image_members,
    image_properties,
    image_tags,
    image_tombstones,
    images,
    quota_usage,
)
from glance_mini.migration import glance_tables
from tests.integration.base import ServiceTestCase

IMAGES = 4000
DEADLINE = 120.0

CONFIGURATION = """\
[DEFAULT]
enabled_backends = images:file
[glance_store]
default_backend = images
[images]
filesystem_store_datadir = {root}/images
[database]
connection = {url}
"""

TABLES = (images, image_properties, image_tags, image_locations, image_members, image_tombstones, quota_usage)


class KilledMigration:
    server: str

    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        glance = self.fresh_database(self.server)
        fill_glance(glance, IMAGES)
        self.bury_some(glance)
        self.glance = self.write("glance-api.conf", glance)

    def write(self, name, url):
        """Write a configuration file for the database at ``url`` and return its path."""
        path = self.root / name
        path.write_text(CONFIGURATION.format(root=self.root, url=url))
        return path

    def bury_some(self, url):
        """Make every hundredth image a deleted one."""
        engine = make_engine(url)
        with engine.connect() as connection:
            ids = connection.execute(select(glance_tables.images.c.id)).scalars().all()[::100]
            gone = {"status": "deleted", "deleted": True, "deleted_at": BEGIN}
            connection.execute(update(glance_tables.images).where(glance_tables.images.c.id.in_(ids)).values(gone))
            children = glance_tables.image_properties
            connection.execute(delete(children).where(children.c.image_id.in_(ids)))
        engine.dispose()

    def start(self, config):
        """Start a run into the database that ``config`` names."""
        command = [sys.executable, "-m", "glance_mini.cmd.manage", "migrate-from-glance", "--config", str(self.glance)]
        process = subprocess.Popen(
            [*command, "--format", "json", "--config-file", str(config)], stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(process.wait, DEADLINE)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        return process

    def target(self, name):
        """Return a new database with our tables: its engine and its configuration file."""
        url = self.fresh_database(self.server)
        config = self.write(name, url)
        command = [sys.executable, "-m", "glance_mini.cmd.manage", "db", "sync", "--config-file", str(config)]
        subprocess.run(command, check=True, capture_output=True, timeout=DEADLINE)
        engine = make_engine(url)
        self.addCleanup(engine.dispose)
        return engine, config

    def rows(self, engine):
        """Return what the tables hold, without the numbers of locations."""
        with engine.connect() as connection:
            return {
                table.name: sorted(
                    repr(row)
                    for row in connection.execute(
                        select(*(column for column in table.c if column is not image_locations.c.id))
                    )
                )
                for table in TABLES
            }

    def kill_after(self, config, engine, table, count):
        """Start a run and kill it when ``table`` has more than ``count`` rows; return how many it has then."""
        process = self.start(config)
        deadline = time.monotonic() + DEADLINE
        while self.count(engine, table) <= count:
            self.assertIsNone(process.poll(), "the run has ended before it was killed")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        process.kill()
        process.wait(DEADLINE)
        return self.count(engine, table)

    def count(self, engine, table):
        with engine.connect() as connection:
            return connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()

    def test_two_kills_and_a_third_run_end_as_one_run(self):
        undisturbed, config = self.target("undisturbed.conf")
        self.assertEqual(0, self.start(config).wait(DEADLINE))
        expected = self.rows(undisturbed)
        self.assertEqual(IMAGES - IMAGES // 100, len(expected["images"]))
        engine, config = self.target("killed.conf")
        first = self.kill_after(config, engine, "images", 0)
        self.assertLess(first, len(expected["images"]))
        second = self.kill_after(config, engine, "images", first)
        self.assertLess(first, second)
        process = self.start(config)
        out, _ = process.communicate(timeout=DEADLINE)
        report = json.loads(out)
        self.assertEqual(second, report["images"]["unchanged"])
        self.assertEqual(len(expected["images"]) - second, report["images"]["added"])
        self.assertEqual(expected, self.rows(engine))


class TestOnPostgresql(KilledMigration, ServiceTestCase):
    server = "postgresql"


class TestOnMariadb(KilledMigration, ServiceTestCase):
    server = "mariadb"
