"""The shapes that all operations share: what the API asks, and what the layers ask of the database."""

from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from glance_mini.domain.image import Image

R = TypeVar("R", covariant=True)


@dataclass(frozen=True)
class Operation(Generic[R]):
    """One thing that can be asked, with a result of type ``R``; ``name`` is the layer method that handles it.

    ``internal`` operations are sent by layers to the layers below: they have no policy rule and ``around`` does not
    see them. ``writes``: whether it may change something.
    """

    name: ClassVar[str]
    internal: ClassVar[bool] = False
    writes: ClassVar[bool] = True


@dataclass(frozen=True)
class DataCall(Operation[R]):
    """An operation that the data access layer answers as it stands: ``DataAccess.run`` is given it.

    It holds plain values only, as its result does. ``may_repeat``: whether a second run, after a first one whose
    answer was lost, does no harm; reads always may.
    """

    internal: ClassVar[bool] = True
    may_repeat: ClassVar[bool] = False


@dataclass(frozen=True)
class DataQuery(DataCall[R]):
    """A data call that only reads."""

    writes: ClassVar[bool] = False
    may_repeat: ClassVar[bool] = True


@dataclass(frozen=True)
class ImageOperation(Operation[R]):
    """An operation on one image; ``Stack.call`` loads the complete target into ``image`` before the first layer.

    ``for_owner``: only for the image's owner and administrators. ``of_deleted``: the target may be an image that was
    deleted and can be restored; all other operations do not find it.
    """

    for_owner: ClassVar[bool] = False
    of_deleted: ClassVar[bool] = False

    image_id: str
    image: Image | None = None

    @property
    def target(self) -> Image:
        """The loaded image; only for layers, which never see an operation without one."""
        assert self.image is not None, f"{self.name} was sent without its target"
        return self.image
