"""A layer that answers everything and remembers what came: the bottom of a stack in a test of one layer."""

from collections.abc import Callable, Mapping

from glance_mini.domain.context import Context
from glance_mini.layers.base import Layer
from glance_mini.operations import OPERATIONS, Operation

Answer = Callable[[Context, Operation[object]], object]


class Recorder(Layer):
    """Answers each operation with what ``answers_with`` says of its name, a value or a function, else None.

    ``seen`` holds the operations in the order in which they arrived.
    """

    name = "recorder"
    answers = frozenset(operation.name for operation in OPERATIONS)

    def __init__(self, answers_with: Mapping[str, object] | None = None, answers: frozenset[str] | None = None) -> None:
        """``answers``: the operations it completes, where the layers above complete some themselves; None: all."""
        self.seen: list[Operation[object]] = []
        self._answers_with = dict(answers_with or {})
        if answers is not None:
            self.answers = answers  # type: ignore[misc]

    def __getattr__(self, name: str) -> Answer:
        if name.startswith("_") or name not in self.answers:
            raise AttributeError(name)
        return self._record

    @property
    def names(self) -> list[str]:
        """Return the names of the operations that arrived, in order."""
        return [op.name for op in self.seen]

    def _record(self, context: Context, op: Operation[object]) -> object:
        self.seen.append(op)
        answer = self._answers_with.get(op.name)
        return answer(context, op) if callable(answer) else answer


def recorder_below(*layers: Layer, answers_with: Mapping[str, object] | None = None) -> Recorder:
    """Return a recorder that answers what ``layers``, which will stand above it, do not."""
    taken = frozenset().union(*(layer.answers for layer in layers))
    return Recorder(answers_with, frozenset(operation.name for operation in OPERATIONS) - taken)
