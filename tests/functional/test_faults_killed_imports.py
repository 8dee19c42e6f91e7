"""Fifty imports whose workers are killed at random moments until all are done, without a broker all the time."""

import hashlib
import os
import random
import signal
import time
import zlib
from collections import Counter
from pathlib import Path

import testtools
from sqlalchemy import select
from testtools.content import text_content

from glance_mini import conf as configuration
from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.db.sqlalchemy.models import image_locations, images, jobs, outbox, staged_data, transfers
from tests.functional.faults import SHORT_LEASES, start_service, workers_of
from tests.functional.importing import DIRECT, begin_import, entries, stage, web
from tests.functional.test_worker import WorkerProcess
from tests.http_server.running import eventually
from tests.ports import free_port
from tests.unit.store.web import Page, WebServer

WAIT_SECONDS = 150
AT_LEAST = 4
"""Imports under way until enough workers were killed."""
FROM_WEB = 1
"""A number of an import from the web."""
SLOW, QUICK = 2.0, 0.2
"""Seconds that a download takes."""
COMPRESSED = 31
"""What makes zlib write gzip."""


class KilledImports:
    """Mix into a case. Each job leaves its mark in a work directory, the staging area and the store."""

    count = 50
    enough = 2
    """How many workers of each kind must be killed; until then the web server takes its time."""

    def database(self):
        """Return the options that name the database."""
        return {}

    def setUp(self):
        super().setUp()
        seed = random.randrange(2**32)
        self.addDetail("seed", text_content(str(seed)))
        self.random = random.Random(seed)
        self.web = self.useFixture(WebServer())
        options = {
            "DEFAULT": {"transport_url": f"rabbit://guest:guest@127.0.0.1:{free_port()}/"},
            "oslo_messaging_notifications": {"driver": "messagingv2"},
            "notifications": {"delivery": "outbox"},
            "workers": {"lease_seconds": 2, "poll_interval": 0.2, "threads": 2},
            "import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": self.web.port},
            "image_import_opts": {"image_import_plugins": "image_decompression"},
        }
        self.service = start_service(self, SHORT_LEASES, options, self.database())
        conf = configuration.load(files=[self.service.state / "glance-mini.conf"])
        self.engine = make_engine(conf.database.connection)
        self.addCleanup(self.engine.dispose)
        self.alone = None
        self.dead = set()

    def test_all_are_done_once_and_nothing_is_left_over(self):
        wanted = dict(self.begin(number) for number in range(self.count))
        kills = self.kill_until_done(wanted)
        self.addDetail("kills", text_content(str(kills)))
        self.assertLessEqual(self.enough, fewest(kills), kills)
        attempts = [job.attempts for job in self.rows(jobs)]
        # A worker that was killed in a job has begun it, and another one has begun it again.
        self.assertLessEqual(len(wanted) + kills.total(), sum(attempts))
        self.assertEqual({"success": len(wanted)}, Counter(job.state for job in self.rows(jobs)))
        found = {image.id: (image.status, image.size, image.os_hash_value) for image in self.rows(images)}
        self.assertEqual({key: ("active", len(data), sha512(data)) for key, data in wanted.items()}, found)
        self.assert_done_once(wanted)
        self.assert_nothing_left()

    def assert_done_once(self, wanted):
        """Each image has become active once, and has one location with the right data."""
        activated = Counter(event.image_id for event in self.rows(outbox) if event.event == "image.activate")
        self.assertEqual(dict.fromkeys(wanted, 1), activated)
        places = {row.image_id: Path(row.value.removeprefix("file://")) for row in self.rows(image_locations)}
        self.assertEqual(len(wanted), len(self.rows(image_locations)))
        self.assertEqual(set(places.values()), set(entries(self.service, "images")))
        for key, data in wanted.items():
            self.assertEqual(sha512(data), sha512(places[key].read_bytes()))

    def assert_nothing_left(self):
        """Neither bytes nor records of what was under way."""
        self.assertEqual([], entries(self.service, "staging", "work"))
        self.assertEqual([], [*self.rows(staged_data), *self.rows(transfers)])

    def begin(self, number):
        """Return the id of an image whose import has begun, from the staging area or the web, and its data."""
        data = self.random.randbytes(self.random.randrange(1_000_000, 3_000_000))
        image = self.service.create_image()
        if number % 2:
            self.web.pages[f"/{image}"] = Page(data, seconds=SLOW)
            begin_import(self.service, image, web(self.web.url(f"/{image}")))
        else:
            self.assertEqual(204, stage(self.service, image, packed(data)).status_code)
            begin_import(self.service, image, DIRECT)
        return image, data

    def kill_until_done(self, wanted):
        """Return how many workers were killed in the middle of a job: of the service, and beside it.

        Where the imports are done before enough were killed, because one kind of worker was slow to start, further
        ones begin and are added to those ``wanted``.
        """
        kills, end = Counter(), time.monotonic() + WAIT_SECONDS
        while len(left := self.unfinished()) or fewest(kills) < self.enough:
            self.assertLess(time.monotonic(), end, "the imports do not end")
            if len(left) < AT_LEAST and fewest(kills) < self.enough:
                wanted.update([self.begin(FROM_WEB)])
            if self.alone is None or self.alone.process.poll() is not None:
                self.alone = self.useFixture(WorkerProcess(self.service.state))
            # The moments come later and later, so that a machine with too much to do comes to an end as well.
            time.sleep(self.random.uniform(0, 0.5 + 0.25 * kills.total()))
            if victim := self.choose(kills):
                kills += self.kill(victim)
            if fewest(kills) >= self.enough:
                for page in self.web.pages.values():
                    page.seconds = QUICK
        return kills

    def choose(self, kills):
        """Return a living worker that has a job now, of the kind that was killed less, None where there is none."""
        alive = {self.alone.process.pid: "alone", **dict.fromkeys(workers_of(self.service), "served")}
        busy = {pid_of(job) for job in self.unfinished() if job.state == "processing"} - self.dead
        return min(busy & set(alive), key=lambda pid: kills[alive[pid]], default=None)

    def kill(self, victim):
        """Kill a worker and return its kind, unless its last job has just come to an end."""
        os.kill(victim, signal.SIGKILL)
        self.dead.add(victim)
        kind = "served"
        if victim == self.alone.process.pid:
            self.alone.end(signal.SIGKILL)
            kind = "alone"
        eventually(lambda: not is_running(victim), "the worker was dead")
        has_job = any(job.state == "processing" and pid_of(job) == victim for job in self.unfinished())
        return Counter({kind: int(has_job)})

    def unfinished(self):
        """Return the jobs that have not ended."""
        return [job for job in self.rows(jobs) if job.state not in ("success", "failure")]

    def rows(self, table):
        """Return what is in a table."""
        with self.engine.connect() as connection:
            return connection.execute(select(table)).all()


class SqliteKilledImportsTest(KilledImports, testtools.TestCase):
    """All processes share one file."""


def fewest(kills):
    """Return how many were killed of the kind of which fewer were."""
    return min(kills["alone"], kills["served"])


def pid_of(job):
    """Return the process that has a job."""
    return int(job.process.split(":")[1])


def is_running(pid):
    """Tell whether a process lives; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def sha512(data):
    """Return the digest by which the service knows its data."""
    return hashlib.sha512(data).hexdigest()


def packed(data):
    """Return ``data`` as gzip writes it."""
    packer = zlib.compressobj(1, wbits=COMPRESSED)
    return packer.compress(data) + packer.flush()
