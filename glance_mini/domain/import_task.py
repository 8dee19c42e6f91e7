"""The input of a task of the old kind, ``import``, which makes an image and imports its data (api-tasks)."""

from collections.abc import Mapping
from typing import Any

from glance_mini.domain.errors import Invalid

KIND = "import"
"""The type of the task, and the kind of its job."""

_SCHEMES = ("http://", "https://")


def source_of(values: Mapping[str, object]) -> str:
    """Return the address of the data that ``values``, the input, name; Invalid."""
    source = values.get("import_from")
    if not isinstance(source, str) or not source.startswith(_SCHEMES):
        raise Invalid(reason="import_from must be a web address, of the scheme http or https.")
    return source


def description_of(values: Mapping[str, object]) -> dict[str, Any]:
    """Return the description of the new image, with the formats that an import needs; Invalid.

    What the description says is as unchecked as the body of a request that creates an image.
    """
    properties = values.get("image_properties", {})
    if not isinstance(properties, Mapping):
        raise Invalid(reason="image_properties must be an object.")
    if "id" in properties:
        raise Invalid(reason="image_properties cannot choose the id of the image.")
    described = {"disk_format": values.get("import_from_format"), "container_format": "bare", **properties}
    if not isinstance(values.get("import_from_format", ""), str):
        raise Invalid(reason="import_from_format must be a text.")
    if described["disk_format"] is None:
        raise Invalid(reason="The format of the disk must be told, by import_from_format or in image_properties.")
    if described["container_format"] is None:
        raise Invalid(reason="container_format of image_properties cannot be null.")
    return described
