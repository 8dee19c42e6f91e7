"""The validator of values that clients send: JSON Schema, but stricter about whole numbers."""

import jsonschema


def _is_integer(_checker: object, value: object) -> bool:
    """Return whether ``value`` was written as a whole number; JSON Schema itself accepts 1.0 too."""
    return isinstance(value, int) and not isinstance(value, bool)


StrictValidator = jsonschema.validators.extend(
    jsonschema.Draft7Validator,
    type_checker=jsonschema.Draft7Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)
