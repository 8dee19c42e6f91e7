"""Makes what a page takes for granted: ``python -m tests.manual.made WHAT PATH``, from its hidden commands.

``failed-job FILE`` adds a failed job to the database of the configuration FILE and prints its id. ``glance DIR`` makes
the database of a Glance with one image, and its configuration ``DIR/glance-api.conf``.
"""

import sys
from datetime import timedelta
from pathlib import Path

from glance_mini import conf as configuration
from glance_mini.domain.clock import utcnow
from glance_mini.notifications.opening import open_data
from glance_mini.operations.jobs import AddJob, ClaimJob, FinishJob
from tests.unit.migration.glance_file import GlanceFile
from tests.unit.workers.support import make_job

HOUR = timedelta(hours=1)


def failed_job(path: str) -> None:
    """Print the id of a new job that has failed."""
    with open_data(configuration.load(files=[Path(path)])) as data:
        data.run(AddJob(make_job()), utcnow())
        claimed = data.run(ClaimJob("manual", ("script",), HOUR), utcnow())
        data.run(FinishJob(claimed, "failure", None, "It broke.", HOUR), utcnow())
        print(claimed.id)


def glance(path: str) -> None:
    """Make the database and the configuration of a Glance in a directory."""
    directory = Path(path)
    with GlanceFile() as made:
        made.add_image()
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "glance.db").write_bytes(made.path.read_bytes())
        text = made.config_file.read_text().replace(str(made.root), str(directory.resolve()))
        (directory / "glance-api.conf").write_text(text)


if __name__ == "__main__":
    {"failed-job": failed_job, "glance": glance}[sys.argv[1]](sys.argv[2])
