"""The names under which data is stored: those that the contract of drivers allows (``Driver.write``)."""

import re

from glance_mini_store import errors

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,199}")


def is_name(text: str) -> bool:
    """Return whether a write may have the name ``text``."""
    return _NAME.fullmatch(text) is not None


def check_name(name: str) -> None:
    """Raise Invalid unless a write may have ``name``."""
    if not is_name(name):
        raise errors.Invalid(reason=f"{name!r} is not a name of 1 to 200 letters, digits, hyphens and underscores")
