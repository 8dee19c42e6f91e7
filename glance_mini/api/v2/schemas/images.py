"""The schema of an image: base properties as configured, and custom ones that the operator describes (api-schemas)."""

from collections.abc import Mapping, Sequence

from glance_mini.api.v2.schemas.shapes import ITEM_LINKS, ObjectSchema, Schema, collection, full
from glance_mini.domain.query import VISIBILITIES
from glance_mini.domain.status import STATUSES

MAX_TEXT = 255
"""The largest number of characters of a name, an owner, a tag, a property name or a URL."""

MAX_MINIMUM = 2**31 - 1

UUID_LENGTH = 36
UUID_PATTERN = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"

_TEXT = {"type": "string", "maxLength": MAX_TEXT}
_MAYBE_TEXT = {"type": ["null", "string"], "maxLength": MAX_TEXT}
_SHOWN_TEXT = {"type": "string", "readOnly": True}


def image_schema(
    container_formats: Sequence[str],
    disk_formats: Sequence[str],
    custom: Mapping[str, Schema],
    required: Sequence[str] = (),
) -> ObjectSchema:
    """Return the schema of an image; ``custom`` describes known custom properties, which it marks as not base."""
    properties = _base(container_formats, disk_formats)
    for name, description in custom.items():
        properties.setdefault(name, {**description, "is_base": False})
    return full("image", properties, additional={"type": "string"}, required=required, links=ITEM_LINKS)


def images_schema(image: ObjectSchema) -> ObjectSchema:
    """Return the schema of a page of images."""
    return collection("images", image)


def _base(container_formats: Sequence[str], disk_formats: Sequence[str]) -> dict[str, Schema]:
    return {
        "id": {
            "type": "string",
            "pattern": UUID_PATTERN,
            # In Python ``$`` also matches before a line feed at the end.
            "maxLength": UUID_LENGTH,
            "description": "The unique id of the image.",
        },
        "name": {**_MAYBE_TEXT, "description": "A name for people; it need not be unique."},
        "status": {
            "type": "string",
            "readOnly": True,
            "enum": list(STATUSES),
            "description": "The status of the image.",
        },
        "visibility": {"type": "string", "enum": list(VISIBILITIES), "description": "Who may see the image."},
        "protected": {"type": "boolean", "description": "Whether the image is protected from deletion."},
        "os_hidden": {"type": "boolean", "description": "Whether lists leave the image out."},
        "checksum": {
            "type": ["null", "string"],
            "readOnly": True,
            "maxLength": 32,
            "description": "MD5 of the data in hexadecimal.",
        },
        "os_hash_algo": {
            "type": ["null", "string"],
            "readOnly": True,
            "maxLength": 64,
            "description": "The algorithm of os_hash_value.",
        },
        "os_hash_value": {
            "type": ["null", "string"],
            "readOnly": True,
            "maxLength": 128,
            "description": "Digest of the data in hexadecimal, by os_hash_algo.",
        },
        "owner": {**_MAYBE_TEXT, "description": "The project that the image belongs to."},
        "size": {"type": ["null", "integer"], "readOnly": True, "description": "Size of the data in bytes."},
        "virtual_size": {
            "type": ["null", "integer"],
            "readOnly": True,
            "description": "Size of the virtual disk in bytes.",
        },
        "container_format": {
            "type": ["null", "string"],
            "enum": [None, *container_formats],
            "description": "The format of the container around the disk.",
        },
        "disk_format": {
            "type": ["null", "string"],
            "enum": [None, *disk_formats],
            "description": "The format of the disk.",
        },
        "created_at": {**_SHOWN_TEXT, "description": "When the image was made."},
        "updated_at": {**_SHOWN_TEXT, "description": "When the image last changed."},
        "tags": {"type": "array", "items": _TEXT, "description": "Words to find the image by."},
        "min_ram": _minimum("Memory in MB that a server needs at least."),
        "min_disk": _minimum("Disk in GB that a server needs at least."),
        "self": {**_SHOWN_TEXT, "description": "The path of the image."},
        "file": {**_SHOWN_TEXT, "description": "The path of its data."},
        "schema": {**_SHOWN_TEXT, "description": "The path of this schema."},
        "direct_url": {**_SHOWN_TEXT, "description": "Where the data is stored, if that is shown."},
        "stores": {**_SHOWN_TEXT, "description": "The stores that hold the data, separated by commas."},
        "locations": {
            "type": "array",
            "items": _location(),
            "description": "Where the data is stored, if that is shown.",
        },
    }


def _minimum(description: str) -> Schema:
    return {"type": "integer", "minimum": 0, "maximum": MAX_MINIMUM, "description": description}


def _location() -> Schema:
    return {
        "type": "object",
        "properties": {
            "url": _TEXT,
            "metadata": {"type": "object"},
            "validation_data": {
                "type": "object",
                "writeOnly": True,
                "additionalProperties": False,
                "properties": {
                    "checksum": {"type": "string", "minLength": 32, "maxLength": 32},
                    "os_hash_algo": {"type": "string", "maxLength": 64},
                    "os_hash_value": {"type": "string", "maxLength": 128},
                },
                "required": ["os_hash_algo", "os_hash_value"],
            },
        },
        "required": ["url", "metadata"],
    }
