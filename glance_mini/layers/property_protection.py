"""Protects custom properties by role or policy rule (api-protection); loaded if a rules file is configured.

Results are redacted in a copy. Writes carry only changes, so a write never loses a property that the caller cannot
see.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Self

from oslo_config import cfg

from glance_mini.domain.changes import SETTABLE, PropertyChange
from glance_mini.domain.context import Context
from glance_mini.domain.errors import PropertyProtected
from glance_mini.domain.image import Image, is_internal
from glance_mini.domain.property_rules import PropertyRules
from glance_mini.domain.property_rules import load as load_rules
from glance_mini.domain.query import Page
from glance_mini.layers.base import Layer
from glance_mini.layers.services import Services
from glance_mini.operations import data, images
from glance_mini.policies.enforcer import Enforcer


class PropertyProtectionLayer(Layer):
    """Checks create, update and delete of custom properties by name, and removes unreadable ones from results."""

    name = "property_protection"

    def __init__(self, rules: PropertyRules, enforcer: Enforcer) -> None:
        self._rules = rules
        self._enforcer = enforcer

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        path, rule_format = conf.property_protection_file, conf.property_protection_rule_format
        rules = load_rules(path, rule_format, services.enforcer.has_rule)
        return cls(rules, services.enforcer)

    def get_image(self, context: Context, op: images.GetImage) -> Image:
        return self._redact(context, self.below(context, op))

    def list_images(self, context: Context, op: images.ListImages) -> Page:
        if not all(self._allows(context, "read", name) for name in op.query.properties):
            return Page(images=())
        page: Page = self.below(context, op)
        may_read = cache(lambda name: self._allows(context, "read", name))
        return replace(page, images=tuple(_redacted(image, may_read) for image in page.images))

    def create_image(self, context: Context, op: images.CreateImage) -> Image:
        for name in op.properties:
            self._require(context, "create", name)
        return self._redact(context, self.below(context, op))

    def update_image(self, context: Context, op: images.UpdateImage) -> Image:
        for change in op.changes:
            if isinstance(change, PropertyChange) and change.name not in SETTABLE:
                self._require(context, _action(change, op.target), change.name)
                if change.action == "move":
                    for action in ("read", "delete"):
                        self._require(context, action, change.source)
        return self._redact(context, self.below(context, op))

    def upload_data(self, context: Context, op: data.UploadData) -> Image:
        return self._redact(context, self.below(context, op))

    def _require(self, context: Context, action: str, name: str) -> None:
        if not self._allows(context, action, name):
            raise PropertyProtected(name=name)

    def _allows(self, context: Context, action: str, name: str) -> bool:
        if is_internal(name):
            return True
        roles = context.roles + context.service_roles
        # Reading silently leaves out properties; only refusals with an error are counted and logged.
        ask = self._enforcer.would_allow if action == "read" else self._enforcer.check
        return self._rules.allows(action, name, roles, lambda rule: ask(rule, {}, context))

    def _redact(self, context: Context, image: Image) -> Image:
        return _redacted(image, lambda name: self._allows(context, "read", name))


def _redacted(image: Image, may_read: Callable[[str], bool]) -> Image:
    readable = {name: value for name, value in image.properties.items() if may_read(name)}
    return image if len(readable) == len(image.properties) else replace(image, properties=readable)


def _action(change: PropertyChange, image: Image) -> str:
    if change.action == "remove":
        return "delete"
    if change.action == "replace" or change.name in image.properties:
        return "update"
    return "create"
