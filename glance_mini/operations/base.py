"""Base classes of all operations: those that the API calls, and those that the layers send to the database."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Generic, TypeVar

from glance_mini.domain.image import Image
from glance_mini.domain.metadefs import Namespace

R = TypeVar("R", covariant=True)


class Role(StrEnum):
    """What a node may be that reaches the data through a registry; each role is a set of data calls.

    ``migrate`` is for the commands of operators.
    """

    API = "api"
    WORKER = "worker"
    READONLY = "readonly"
    MIGRATE = "migrate"


API: frozenset[Role] = frozenset({Role.API})
WORKER: frozenset[Role] = frozenset({Role.WORKER})
MIGRATE: frozenset[Role] = frozenset({Role.MIGRATE})


@dataclass(frozen=True)
class Operation(Generic[R]):
    """One operation with a result of type ``R``; ``name`` is the layer method that handles it.

    Layers send ``internal`` operations to the layers below: they have no policy rule and ``around`` does not
    handle them. ``writes``: whether it may change something.
    """

    name: ClassVar[str]
    internal: ClassVar[bool] = False
    writes: ClassVar[bool] = True


@dataclass(frozen=True)
class DataCall(Operation[R]):
    """An operation that the data access layer answers directly, by ``DataAccess.run``.

    It and its result hold plain values only. ``may_repeat``: whether a second run does no harm after a first one whose
    answer was lost; this is always true of reads. ``callers``: the roles of nodes that may send it to a registry.
    """

    internal: ClassVar[bool] = True
    may_repeat: ClassVar[bool] = False
    callers: ClassVar[frozenset[Role]] = API | WORKER


@dataclass(frozen=True)
class DataQuery(DataCall[R]):
    """A data call that only reads."""

    writes: ClassVar[bool] = False
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = frozenset(Role)


@dataclass(frozen=True)
class ImageOperation(Operation[R]):
    """An operation on one image; ``Stack.call`` loads the complete target into ``image`` before the first layer.

    ``for_owner``: only for the image's owner and administrators. ``of_deleted``: the target may be an image in the
    trash; all other operations do not find such an image.
    """

    for_owner: ClassVar[bool] = False
    of_deleted: ClassVar[bool] = False

    image_id: str
    image: Image | None = None

    @property
    def target(self) -> Image:
        """The loaded image. Only layers use it, because they never receive an operation without one."""
        assert self.image is not None, f"{self.name} was sent without its target"
        return self.image


@dataclass(frozen=True)
class NamespaceOperation(Operation[R]):
    """An operation on one namespace of metadata definitions or on a part of it.

    ``Stack.call`` finds the namespace by its name before the first layer and puts it into ``found``.
    """

    namespace: str
    found: Namespace | None = None

    @property
    def target(self) -> Namespace:
        """The namespace that was found. Only layers use it, because they never receive an operation without one."""
        assert self.found is not None, f"{self.name} was sent without its target"
        return self.found
