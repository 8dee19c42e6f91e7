"""Rows of images in the trash, as the list of the trash shows them."""

from dataclasses import replace

from glance_mini.db.sqlalchemy.dynamic import AnyRow
from glance_mini.db.sqlalchemy.images import rows
from glance_mini.domain.image import SCRUB_AT_PROPERTY, Image


def to_image(row: AnyRow) -> Image:
    """Return the image of a row of ``image_columns`` and ``scrub_at``, which becomes a property of the image."""
    image = rows.to_image(row)
    until = f"{row.scrub_at.isoformat(timespec='seconds')}Z"
    return replace(image, properties={**image.properties, SCRUB_AT_PROPERTY: until})
