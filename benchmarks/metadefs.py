"""Lists of metadata definitions: the namespaces of ``etc/metadefs`` with their resource types."""

import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.scenarios import Figure, Meter
from benchmarks.service import Service

FILES = Path(__file__).parent.parent / "etc" / "metadefs"
"""The definitions, whose files Glance reads too."""

PATHS = {
    "list of 25 namespaces": "/v2/metadefs/namespaces?limit=25",
    "namespaces of a resource type": "/v2/metadefs/namespaces?limit=25&resource_types=OS::Glance::Image",
}


def load(service: Service) -> None:
    """Load the definitions into the database of a service."""
    words = [sys.executable, "-m", "glance_mini.cmd.manage", "db", "load_metadefs", str(FILES)]
    subprocess.run([*words, "--config-file", service.folder / "glance-mini.conf"], check=True, capture_output=True)


def load_into_glance(manage: Sequence[str | Path]) -> None:
    """Load the definitions by the command ``glance-manage``."""
    subprocess.run([*manage, "db_load_metadefs", FILES], check=True, capture_output=True)


def lists(meter: Meter, count: int) -> list[Figure]:
    """Return the cost of each list, whose namespaces must have resource types."""
    figures = []
    for name, path in PATHS.items():
        spaces = meter.client.call("GET", path)["namespaces"]
        if len(spaces) < 15 or not all(space["resource_type_associations"] for space in spaces):
            raise RuntimeError(f"{len(spaces)} namespaces came")
        figures.append(meter.measure(name, [partial(meter.client.call, "GET", path)] * count))
    return figures
