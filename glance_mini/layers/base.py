"""The base class of layers: a layer has a method for each operation that it handles, and calls ``below`` to hand on.

``stack`` composes the layers and checks them at start.
"""

from collections.abc import Mapping
from typing import ClassVar, Protocol, Self, TypeVar

from oslo_config import cfg

from glance_mini.domain.context import Context
from glance_mini.domain.image import Image
from glance_mini.domain.metadefs import Namespace
from glance_mini.layers.services import Services
from glance_mini.operations.base import Operation

CONTRACT = 1
"""The version of the layer contract in this release; a layer names the version it was written for."""

R = TypeVar("R")


class Handler(Protocol):
    """What takes an operation: the method of a layer, or ``Layer.below``, which hands it to the next layer."""

    def __call__(self, context: Context, op: Operation[R], /) -> R:
        """Return the result of ``op``."""
        ...


class Layer:
    """Base class of all layers. All threads share a layer object, so state of a request stays in local variables.

    Handlers are methods with the name of the operation; they take ``(context, op)`` and return its result. ``around``,
    if a layer has it, handles the public operations that have no method of their own and that ``surrounds`` accepts.
    ``answers`` names the operations that the layer completes itself.
    """

    name: ClassVar[str]
    contract: ClassVar[int] = CONTRACT
    answers: ClassVar[frozenset[str]] = frozenset()

    _below: Mapping[str, Handler]

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        """Return the configured layer; raises ConfigurationError if the configuration is invalid."""
        return cls()

    def bind(self, below: Mapping[str, Handler]) -> None:
        """Take the next handler for each operation; called once, by the stack."""
        self._below = below

    def surrounds(self, operation: type[Operation[object]]) -> bool:
        """Return whether ``around`` handles a public operation that has no method of its own here."""
        return True

    def handler(self, operation: type[Operation[object]]) -> Handler | None:
        """Return the handler of ``operation`` in this layer; None if the layer is not on its path."""
        own: Handler | None = getattr(self, operation.name, None)
        if own is None and not operation.internal and self.surrounds(operation):
            own = getattr(self, "around", None)
        return own

    def permit(self, context: Context, op: Operation[object]) -> None:
        """Raise what this layer refuses, whatever the values of ``op`` are; its target is loaded.

        The stack asks before values are checked that are dear to check. The method of the operation decides again.
        """

    def hides(self, context: Context, image: Image) -> bool:
        """Return whether the caller may not know that ``image``, which ``load_image`` has found, exists.

        The stack asks after a refusal by any layer, and then answers that there is no such image.
        """
        return False

    def hides_namespace(self, context: Context, namespace: Namespace) -> bool:
        """Return the same of a namespace of metadata definitions, which ``load_metadef_namespace`` has found."""
        return False

    def below(self, context: Context, op: Operation[R]) -> R:
        """Return the result of ``op`` from the next layer that handles it.

        ``op`` may be the received operation, a changed copy or another operation.
        """
        return self._below[op.name](context, op)

    def close(self) -> None:
        """Release what the layer holds; called once, at shutdown."""
