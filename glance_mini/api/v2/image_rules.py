"""The names and values that clients may give an image in any call (api-images-properties, api-images-custom)."""

from collections.abc import Mapping

from jsonschema.protocols import Validator

from glance_mini.api.v2.property_types import PropertyTypes
from glance_mini.api.v2.schemas.images import MAX_TEXT
from glance_mini.api.v2.schemas.shapes import ObjectSchema
from glance_mini.api.v2.schemas.strict import StrictValidator
from glance_mini.domain.errors import Forbidden, Invalid
from glance_mini.domain.image import is_internal

SHOWN_ONLY = frozenset({"direct_url", "self", "file", "schema"})
READ_ONLY = SHOWN_ONLY | {
    *("created_at", "updated_at", "status", "checksum", "size", "virtual_size", "os_hash_algo", "os_hash_value")
}
RESERVED = frozenset({"location", "deleted", "deleted_at"})

_MAX_MESSAGE = 300


class ImageRules:
    """Checks what clients send against the image schema."""

    def __init__(self, schema: ObjectSchema) -> None:
        self._validators: Mapping[str, Validator] = {
            name: StrictValidator(subschema) for name, subschema in schema["properties"].items()
        }
        self._required = schema.get("required", ())
        self.types = PropertyTypes(schema)

    def typed(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return ``values``; texts for custom properties of another type become values of that type."""
        return {name: self.types.written(name, value) for name, value in values.items()}

    def without_progress(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return ``values`` without empty properties of the service, which a copy of an imported image has."""
        return {name: value for name, value in values.items() if not (is_internal(name) and value in ("", None))}

    def check_new(self, values: Mapping[str, object]) -> None:
        """Check the ``values`` of a new image; raises Forbidden for a name, Invalid for a value."""
        for name in values:
            if name in READ_ONLY or name in ("stores", "locations"):
                raise Forbidden(reason=f"Attribute '{name}' is read-only.")
            _check_reserved(name)
        for name in self._required:
            if name not in values:
                raise Invalid(reason=f"Property '{name}' is required.")
        self.check_values(values)

    def check_move(self, name: str, value: object) -> None:
        """Raise Invalid unless the stored ``value`` of another property fits the schema of the custom ``name``."""
        self.check_values({name: self.types.written(name, value)})

    def check_change(self, name: str) -> None:
        """Raise Forbidden unless clients may change the property ``name``."""
        if name in READ_ONLY or name == "id":
            raise Forbidden(reason=f"Attribute '{name}' is read-only.")
        _check_reserved(name)

    def check_values(self, values: Mapping[str, object]) -> None:
        """Raise Invalid unless each value fits the schema."""
        for name, value in values.items():
            validator = self._validators.get(name)
            if validator is not None:
                _check_by_schema(name, value, validator)
            else:
                _check_custom(name, value)


def _check_reserved(name: str) -> None:
    if name in RESERVED or is_internal(name):
        raise Forbidden(reason=f"Attribute '{_cut(name)}' is reserved.")


def _check_custom(name: str, value: object) -> None:
    if not name or len(name) > MAX_TEXT:
        raise Invalid(reason=f"The name of a property has 1 to {MAX_TEXT} characters, not {len(name)}.")
    if not isinstance(value, str):
        raise Invalid(reason=f"Property '{name}' must be a string.")


def _check_by_schema(name: str, value: object, validator: Validator) -> None:
    error = next(validator.iter_errors(value), None)
    if error is not None:
        where = "".join(f"[{part}]" for part in error.absolute_path)
        raise Invalid(reason=f"Property '{name}'{_cut(where)} does not fit its schema: {_cut(error.message)}")


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_MESSAGE else text[:_MAX_MESSAGE] + "…"
