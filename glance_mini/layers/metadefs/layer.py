"""Holds custom properties of images to the namespaces that ``[metadefs] enforce`` names (api-metadefs-enforced).

It is loaded if a namespace is named. It checks what users write; the database checks, in the transaction that lets an
image have data, that no required property is missing.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Self, TypeVar

from oslo_config import cfg

from glance_mini.db.interface import DataAccess
from glance_mini.domain.changes import SETTABLE, PropertyChange
from glance_mini.domain.context import Context
from glance_mini.domain.errors import NotFound
from glance_mini.domain.fields import with_fields
from glance_mini.domain.image import Image, is_internal
from glance_mini.domain.quota import NO_LIMITS
from glance_mini.layers.base import Layer
from glance_mini.layers.metadefs.rules import ImageRules, PatternCompiler, open_compiler, rules_of
from glance_mini.layers.services import Services
from glance_mini.operations import images
from glance_mini.operations.base import ImageOperation, Operation
from glance_mini.operations.metadefs import GetNamespace

R = TypeVar("R")

LOG = logging.getLogger(__name__)

REMEMBERED = 10.0
"""Seconds for which a process remembers the namespaces."""


class EnforcedRules:
    """The rules of the namespaces ``names``, read again when they are older than ``REMEMBERED``; thread-safe.

    A namespace that does not exist has no rules; a warning says so at each reading. A database that does not answer
    raises Unavailable: rules that cannot be read never mean no rules.
    """

    def __init__(
        self,
        data: DataAccess,
        names: Sequence[str],
        compile_pattern: PatternCompiler,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._data = data
        self._names = tuple(names)
        self._compile_pattern = compile_pattern
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[float, ImageRules] | None = None

    def current(self) -> ImageRules:
        """Return the rules; raises Unavailable."""
        known = self._known
        # While one thread reads again, the others go on with what is known.
        if known is not None and (self._clock() < known[0] or self._lock.locked()):
            return known[1]
        with self._lock:
            if self._known is not known and self._known is not None:
                return self._known[1]
            rules = self._read()
            self._known = (self._clock() + REMEMBERED, rules)
            return rules

    def _read(self) -> ImageRules:
        contents = []
        for name in self._names:
            try:
                contents.append(self._data.run(GetNamespace(name)))
            except NotFound:
                LOG.warning("[metadefs] enforce names %s, which does not exist: it has no rules.", name)
        rules, problems = rules_of(contents, self._compile_pattern)
        for problem in problems:
            LOG.warning("[metadefs] enforce: %s", problem)
        return rules


class MetadefsLayer(Layer):
    """Checks the custom properties that users write, and adds what is required to the limits of writes."""

    name = "metadefs"

    def __init__(self, rules: EnforcedRules) -> None:
        self._rules = rules

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        return cls(EnforcedRules(services.data, conf.metadefs.enforce, open_compiler()))

    def surrounds(self, operation: type[Operation[object]]) -> bool:
        return issubclass(operation, ImageOperation) and any(field.name == "limits" for field in fields(operation))

    def around(self, context: Context, op: Operation[R]) -> R:
        """Add what is required to the limits of an operation that may let an image have data."""
        limits = replace(NO_LIMITS, required=self._rules.current().required)
        return self.below(context, with_fields(op, limits=limits))

    def create_image(self, context: Context, op: images.CreateImage) -> Image:
        rules = self._rules.current()
        for name, value in op.properties.items():
            if not is_internal(name):
                rules.check(name, value)
        return self.below(context, op)

    def update_image(self, context: Context, op: images.UpdateImage) -> Image:
        rules = self._rules.current()
        for change in op.changes:
            if isinstance(change, PropertyChange) and change.name not in SETTABLE and not is_internal(change.name):
                _check_change(rules, change, op.target)
        return self.around(context, op)


def _check_change(rules: ImageRules, change: PropertyChange, image: Image) -> None:
    if change.action == "move":
        if change.source in image.properties:
            rules.check(change.name, image.properties[change.source])
    elif change.action != "remove":
        rules.check(change.name, None if change.value is None else str(change.value))
