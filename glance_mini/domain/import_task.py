"""The input of the legacy task type ``import``, which creates an image and imports its data (api-tasks)."""

from collections.abc import Mapping

from glance_mini.domain.errors import Invalid

KIND = "import"
"""The type of the task, and the kind of its job."""

INPUT_FIELDS = frozenset({"import_from", "import_from_format", "image_properties"})
"""The fields of the input that a task keeps."""

_SCHEMES = ("http://", "https://")


def source_of(values: Mapping[str, object]) -> str:
    """Return the URL of the data from the task input ``values``; raises Invalid."""
    source = values.get("import_from")
    if not isinstance(source, str) or not source.startswith(_SCHEMES):
        raise Invalid(reason="import_from must be a URL with the scheme http or https.")
    return source


def description_of(values: Mapping[str, object]) -> dict[str, object]:
    """Return the properties of the new image, with the formats that an import needs; raises Invalid.

    The properties are not validated, like the body of a request that creates an image.
    """
    properties = values.get("image_properties", {})
    if not isinstance(properties, Mapping):
        raise Invalid(reason="image_properties must be an object.")
    if "id" in properties:
        raise Invalid(reason="image_properties cannot choose the id of the image.")
    described = {"disk_format": values.get("import_from_format"), "container_format": "bare", **properties}
    if not isinstance(values.get("import_from_format", ""), str):
        raise Invalid(reason="import_from_format must be a string.")
    if described["disk_format"] is None:
        raise Invalid(reason="The disk format is missing: set import_from_format or disk_format in image_properties.")
    if described["container_format"] is None:
        raise Invalid(reason="container_format of image_properties cannot be null.")
    return described
