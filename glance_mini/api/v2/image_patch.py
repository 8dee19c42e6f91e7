"""Reads a JSON patch of an image as changes (api-images-update): media types, pointers and allowed paths.

It does not know the image that is changed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glance_mini.api.errors import UnsupportedPatchType
from glance_mini.api.v2.image_rules import ImageRules
from glance_mini.api.v2.locations import add_locations, remove_location, replace_locations
from glance_mini.domain.changes import SETTABLE, Change, ImageChanges, PropertyChange
from glance_mini.domain.errors import Forbidden, Invalid
from glance_mini.domain.image_values import base_value, custom_value

OLD_TYPE = "application/openstack-images-v2.0-json-patch"
NEW_TYPE = "application/openstack-images-v2.1-json-patch"

_ACTIONS = ("add", "replace", "remove")
_BAD_ESCAPE = re.compile(r"~(?![01])")


@dataclass(frozen=True, slots=True)
class _Step:
    """One operation of a patch. ``action`` is a ``PropertyChange.action``; the paths are decoded pointers."""

    action: str
    path: tuple[str, ...]
    value: Any
    source: tuple[str, ...] = ()


class ImagePatch:
    """Reads patches; locations may claim a digest of ``hash_algorithm`` only.

    ``locations``: clients may change the locations of images.
    """

    def __init__(self, rules: ImageRules, *, locations: bool, hash_algorithm: str) -> None:
        self._rules = rules
        self._has_locations = locations
        self._hash_algorithm = hash_algorithm

    def changes(self, media_type: str, steps: Sequence[object]) -> ImageChanges:
        """Return the changes that the decoded body ``steps`` asks for; raises Invalid, Forbidden, Conflict."""
        read = _read_new if media_type == NEW_TYPE else _read_old
        return tuple(self._change(read(step)) for step in steps)

    def _change(self, step: _Step) -> Change:
        name = step.path[0]
        if step.action == "move":
            return self._move(step)
        if name == "locations":
            return self._change_locations(step)
        if len(step.path) > 1:
            raise Invalid(reason=f"Path /{'/'.join(step.path)} is too deep for property {name}.")
        self._rules.check_change(name)
        if step.action == "remove":
            return PropertyChange("remove", name)
        value = self._rules.types.written(name, step.value)
        self._rules.check_values({name: value})
        return PropertyChange(step.action, name, base_value(value) if name in SETTABLE else custom_value(value))

    def check_moves(self, changes: ImageChanges, properties: Mapping[str, str | None]) -> None:
        """Raise Invalid unless what ``changes`` move fits its new name; ``properties`` are those of the image now."""
        known: dict[str, object] = dict(properties)
        for change in changes:
            if not isinstance(change, PropertyChange):
                continue
            if change.action == "move" and change.source in known:
                value = known.pop(change.source)
                self._rules.check_move(change.name, value)
                known[change.name] = value
            elif change.action == "remove":
                known.pop(change.name, None)
            elif change.action != "move":
                known[change.name] = change.value

    def _move(self, step: _Step) -> Change:
        for path in (step.source, step.path):
            if len(path) > 1 or path[0] in SETTABLE or path[0] == "locations":
                raise Invalid(reason=f"Only custom properties can be moved, not /{'/'.join(path)}.")
            self._rules.check_change(path[0])
        (source,), (name,) = step.source, step.path
        return PropertyChange("move", name, source=source)

    def _change_locations(self, step: _Step) -> Change:
        wanted = 1 if step.action == "replace" else 2
        if len(step.path) != wanted:
            raise Invalid(reason=f"The path to {step.action} locations must have {wanted} parts.")
        if not self._has_locations:
            raise Forbidden(reason="The locations of images are not shown here and cannot be changed.")
        if step.action == "remove":
            return remove_location(step.path[1])
        values = step.value if step.action == "replace" else [step.value]
        self._rules.check_values({"locations": values})
        if step.action == "replace":
            return replace_locations(values, self._hash_algorithm)
        return add_locations(step.path[1], values, self._hash_algorithm)


def has_moves(changes: ImageChanges) -> bool:
    """Return whether one of ``changes`` gives a property another name."""
    return any(isinstance(change, PropertyChange) and change.action == "move" for change in changes)


def check_patch_type(media_type: str) -> None:
    """Raise UnsupportedPatchType unless ``media_type`` is one of the two patch types."""
    if media_type not in (OLD_TYPE, NEW_TYPE):
        raise UnsupportedPatchType(wanted=f"{OLD_TYPE}, {NEW_TYPE}")


def _read_new(step: object) -> _Step:
    """Read ``{"op": …, "path": …, "value": …}`` (RFC 6902)."""
    fields = _fields(step)
    action = fields.get("op")
    if action == "move":
        return _Step("move", _decode_pointer(fields.get("path")), None, _decode_pointer(fields.get("from")))
    if action not in _ACTIONS:
        raise Invalid(reason=f"The member 'op' of an operation must be one of {', '.join(_ACTIONS)}, move.")
    return _step(action, action, fields.get("path"), fields)


def _read_old(step: object) -> _Step:
    """Read ``{"add": <path>, "value": …}`` (draft 4 of what became RFC 6902); there ``add`` does not overwrite."""
    fields = _fields(step)
    named = [action for action in _ACTIONS if action in fields]
    if len(named) != 1:
        raise Invalid(reason=f"An operation must have exactly one of the members {', '.join(_ACTIONS)}.")
    action = named[0]
    return _step("create" if action == "add" else action, action, fields[action], fields)


def _fields(step: object) -> dict[str, object]:
    if not isinstance(step, dict):
        raise Invalid(reason="Each operation of a patch must be an object.")
    return step


def _step(action: str, member: str, pointer: object, fields: dict[str, object]) -> _Step:
    path = _decode_pointer(pointer)
    if member != "remove" and "value" not in fields:
        raise Invalid(reason=f"The operation '{member}' needs the member 'value'.")
    return _Step(action, path, fields.get("value"))


def _decode_pointer(pointer: object) -> tuple[str, ...]:
    """Return the parts of a JSON pointer (RFC 6901); raises Invalid, also for an empty part."""
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise Invalid(reason="The path of an operation must be a string that begins with '/'.")
    parts = pointer[1:].split("/")
    if "" in parts:
        raise Invalid(reason="The path of an operation must not have empty parts.")
    if _BAD_ESCAPE.search(pointer):
        raise Invalid(reason="In the path of an operation '~' must be followed by '0' or '1'.")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)
