"""What a layer is: one class with a method for each operation it changes, and ``below`` to hand on.

Composition and the checks at start are the stack's; see ``stack``.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, TypeVar

from oslo_config import cfg

from glance_mini.domain.context import Context
from glance_mini.layers.services import Services
from glance_mini.operations.base import Operation

CONTRACT = 1
"""The layer contract that this release speaks; a layer names the one it was written for."""

R = TypeVar("R")

Handler = Callable[[Context, Any], Any]


class Layer:
    """Base of all layers. A layer object is shared by all threads: state of a request stays in locals.

    Handlers are methods named as the operation, ``(context, op)``, returning its result. ``around``, if there is one,
    handles the public operations that have no method of their own and that ``surrounds`` accepts. ``answers`` names the
    operations that the layer completes itself.
    """

    name: ClassVar[str]
    contract: ClassVar[int] = CONTRACT
    answers: ClassVar[frozenset[str]] = frozenset()

    _below: Mapping[str, Handler]

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        """Return the layer as configured; raises ConfigurationError where that cannot be."""
        return cls()

    def bind(self, below: Mapping[str, Handler]) -> None:
        """Take the next handler for each operation; called once, by the stack."""
        self._below = below

    def surrounds(self, operation: type[Operation[Any]]) -> bool:
        """Return whether ``around`` handles a public operation that has no method of its own here."""
        return True

    def handler(self, operation: type[Operation[Any]]) -> Handler | None:
        """Return what handles ``operation`` in this layer; None: the layer is not on its path."""
        own: Handler | None = getattr(self, operation.name, None)
        if own is None and not operation.internal and self.surrounds(operation):
            own = getattr(self, "around", None)
        return own

    def below(self, context: Context, op: Operation[R]) -> R:
        """Return the result of ``op`` from the next layer that is interested in it.

        ``op`` may be the operation that came, a rewritten copy or another operation.
        """
        result: R = self._below[op.name](context, op)
        return result

    def close(self) -> None:
        """Release what the layer holds; called once, at shutdown."""
