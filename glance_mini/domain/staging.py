"""Staged data: data that was uploaded and waits for its import (api-data-stage, api-imports-nodes)."""

from dataclasses import dataclass, field
from datetime import datetime

STAGING_STORE = "os_glance_staging_store"
"""The id of the reserved store that holds staged data."""


@dataclass(frozen=True, slots=True)
class StagedData:
    """Data of one image in the staging area; ``size`` in bytes.

    ``store`` is the reserved store that holds it under ``url``. ``node_url`` is the URL of the node whose own disk
    holds it, None if all nodes share the staging area. ``created_at`` is None until the row exists.
    """

    image_id: str
    store: str
    url: str = field(repr=False)
    size: int
    node_url: str | None
    created_at: datetime | None = None
