"""Reads ``schema-image.json``, in which an operator describes custom properties of images (api-images-custom)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

from oslo_config import cfg

from glance_mini.api.v2.schemas.shapes import Schema
from glance_mini.domain.errors import ConfigurationError

FILE_NAME = "schema-image.json"


@dataclass(frozen=True)
class CustomProperties:
    """Schemas of known custom properties by name, and the names that a new image must have."""

    schemas: Mapping[str, Schema]
    required: tuple[str, ...] = field(default=())


def read_custom_properties(conf: cfg.ConfigOpts) -> CustomProperties:
    """Return the properties in the file beside the configuration, or in the one that comes with the service.

    Raises ConfigurationError if it is neither a map of schemas nor ``{"properties": …, "required": […]}``.
    """
    path = conf.find_file(FILE_NAME)
    if path is None:
        return _from_text((resources.files("glance_mini") / "etc" / FILE_NAME).read_text(encoding="utf-8"), FILE_NAME)
    try:
        with open(path, encoding="utf-8") as file:
            return _from_text(file.read(), path)
    except OSError as error:
        raise ConfigurationError(reason=f"{path} cannot be read: {error.strerror}") from error


def _from_text(text: str, path: str) -> CustomProperties:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(reason=f"{path} is not JSON: {error}") from error
    required: object = ()
    if isinstance(content, dict) and "properties" in content and content.keys() <= {"properties", "required"}:
        required = content.get("required", ())
        content = content["properties"]
    if not isinstance(content, dict) or not all(isinstance(schema, dict) for schema in content.values()):
        raise ConfigurationError(reason=f"{path} must map names of properties to their schemas.")
    if not isinstance(required, list | tuple) or not all(isinstance(name, str) for name in required):
        raise ConfigurationError(reason=f"{path}: required must be a list of names.")
    return CustomProperties(content, tuple(required))
