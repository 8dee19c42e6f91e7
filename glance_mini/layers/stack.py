"""Composes the configured layers once, at start, and is the only access to them.

Loading fails closed: any error in a layer stops the start with a message that names package, layer and method,
because a silently missing layer would be a security hole.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from oslo_config import cfg

from glance_mini.domain.context import Context
from glance_mini.domain.errors import ConfigurationError, Forbidden, NotFound
from glance_mini.layers.base import CONTRACT, Handler, Layer
from glance_mini.layers.services import Services
from glance_mini.operations import OPERATIONS, ImageOperation, NamespaceOperation, Operation
from glance_mini.operations.data import UploadData
from glance_mini.operations.metadefs import LoadNamespace
from glance_mini.operations.records import LoadImage
from glance_mini.plugins import PluginKind

R = TypeVar("R")

LAYERS = PluginKind("Layer", "glance_mini.layers", Layer)
REQUIRED = ("auth", "policy", "database")
BUILT_IN = frozenset({"auth", "property_protection", "metadefs", "notifier", "policy", "quota", "location", "database"})

_BY_NAME = {operation.name: operation for operation in OPERATIONS}
_OWN_METHODS = frozenset(name for name in dir(Layer) if not name.startswith("_")) | {"around"}


class Stack:
    """Layers in order, outermost first, wired so that each operation passes only the layers that handle it."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        """Wire ``layers``; raises ConfigurationError if they do not form a complete stack."""
        self._layers = tuple(layers)
        for layer in self._layers:
            _check_layer(layer)
        self._paths = {operation.name: self._find_path(operation) for operation in OPERATIONS}
        for position, layer in enumerate(self._layers):
            layer.bind({name: handler for name in _BY_NAME if (handler := self._next(name, position + 1))})
        self._first = {name: handler for name in _BY_NAME if (handler := self._next(name, 0))}

    def call(self, context: Context, op: Operation[R]) -> R:
        """Return the result of ``op`` for the caller ``context``.

        The target of an operation on an image or a namespace is loaded first; raises NotFound if the caller may not see
        it. If a layer refuses the operation, a target that any layer hides from the caller is not found either.
        """
        if op.writes:
            context = context.caused_by(op.name, op.store if isinstance(op, UploadData) else None)
        op = self._with_target(context, op)
        try:
            return self._first[op.name](context, op)
        except (Forbidden, NotFound) as refusal:
            self._hide(context, op, refusal)
            raise

    def permit(self, context: Context, op: Operation[object]) -> None:
        """Raise what the layers refuse the caller whatever the values of ``op`` are; errors as ``call``.

        It is for values that are dear to check: nobody pays for those of a caller who may not send any.
        """
        op = self._with_target(context, op)
        try:
            for layer in self._layers:
                layer.permit(context, op)
        except (Forbidden, NotFound) as refusal:
            self._hide(context, op, refusal)
            raise

    def _with_target(self, context: Context, op: Operation[R]) -> Operation[R]:
        """Return ``op`` with its image or namespace; raises NotFound if the caller may not see it."""
        if isinstance(op, ImageOperation) and op.image is None:
            wanted = LoadImage(op.image_id, purpose=op.name, of_deleted=op.of_deleted)
            return replace(op, image=self._first["load_image"](context, wanted))
        if isinstance(op, NamespaceOperation) and op.found is None:
            name = LoadNamespace(op.namespace)
            return replace(op, found=self._first["load_metadef_namespace"](context, name))
        return op

    def _hide(self, context: Context, op: Operation[object], refusal: Exception) -> None:
        """Raise NotFound in place of ``refusal`` if any layer hides the target of ``op`` from the caller."""
        if isinstance(op, ImageOperation) and any(layer.hides(context, op.target) for layer in self._layers):
            raise NotFound(kind="image", id=op.image_id) from refusal
        if isinstance(op, NamespaceOperation) and any(
            layer.hides_namespace(context, op.target) for layer in self._layers
        ):
            raise NotFound(kind="namespace", id=op.namespace) from refusal

    def path(self, name: str) -> tuple[str, ...]:
        """Return the names of the layers that handle the operation ``name``, outermost first."""
        return tuple(self._layers[position].name for position in self._paths[name])

    def close(self) -> None:
        """Close every layer, outermost first."""
        for layer in self._layers:
            layer.close()

    def _find_path(self, operation: type[Operation[object]]) -> tuple[int, ...]:
        answering = [n for n, layer in enumerate(self._layers) if operation.name in layer.answers]
        if len(answering) != 1:
            who = ", ".join(_describe(self._layers[n]) for n in answering) or "no layer"
            raise ConfigurationError(reason=f"Operation {operation.name} is answered by {who}; it needs one layer.")
        return tuple(n for n, layer in enumerate(self._layers[: answering[0] + 1]) if layer.handler(operation))

    def _next(self, name: str, start: int) -> Handler | None:
        for position in self._paths[name]:
            if position >= start:
                return self._layers[position].handler(_BY_NAME[name])
        return None


def load_stack(conf: cfg.ConfigOpts, services: Services) -> Stack:
    """Return the stack that ``[domain] layers`` names, built from entry points; raises ConfigurationError."""
    names = layer_names(conf)
    for name in REQUIRED:
        if name not in names:
            raise ConfigurationError(reason=f"[domain] layers must name {name}.")
    classes = LAYERS.load(names, "[domain] layers")
    return Stack(list(LAYERS.build(classes, lambda layer: layer.from_config(conf, services)).values()))


def layer_names(conf: cfg.ConfigOpts) -> list[str]:
    """Return the layers to load, outermost first.

    Property protection follows auth if its rules file is configured; metadefs is next if a namespace is enforced.
    """
    names = list(conf.domain.layers)
    if conf.metadefs.enforce and "metadefs" not in names and "auth" in names:
        names.insert(names.index("auth") + 1, "metadefs")
    if conf.property_protection_file and "property_protection" not in names and "auth" in names:
        names.insert(names.index("auth") + 1, "property_protection")
    return names


def has_further_layers(conf: cfg.ConfigOpts) -> bool:
    """Return whether there are layers of other packages, which may hide images by rules of their own."""
    return not set(layer_names(conf)) <= BUILT_IN


def _check_layer(layer: Layer) -> None:
    if layer.contract != CONTRACT:
        raise ConfigurationError(
            reason=f"{_describe(layer)} is for layer contract {layer.contract}; this release supports {CONTRACT}."
        )
    public = {name for name in dir(layer) if not name.startswith("_") and callable(getattr(layer, name))}
    unknown = sorted(public - _OWN_METHODS - set(_BY_NAME))
    if unknown:
        raise ConfigurationError(reason=f"{_describe(layer)} has the method {unknown[0]}, which is not an operation.")
    for name in sorted(layer.answers):
        if name not in _BY_NAME or layer.handler(_BY_NAME[name]) is None:
            raise ConfigurationError(reason=f"{_describe(layer)} answers {name} without such a method or operation.")


def _describe(layer: Layer) -> str:
    return f"Layer {layer.name} ({type(layer).__module__}:{type(layer).__qualname__})"
