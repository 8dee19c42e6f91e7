"""The shapes that all operations share."""

from dataclasses import dataclass
from typing import ClassVar

from glance_mini.domain.image import Image


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked; ``name`` is the layer method that handles it.

    ``internal`` operations are sent by layers to the layers below: they have no policy rule and ``around`` does not
    see them.
    """

    name: ClassVar[str]
    internal: ClassVar[bool] = False


@dataclass(frozen=True)
class ImageOperation(Operation):
    """An operation on one image; ``Stack.call`` loads the complete target into ``image`` before the first layer.

    ``of_deleted``: the target may be an image that was deleted and can be restored; for all others there is none.
    """

    of_deleted: ClassVar[bool] = False

    image_id: str
    image: Image | None = None

    @property
    def target(self) -> Image:
        """The loaded image; only for layers, which never see an operation without one."""
        assert self.image is not None, f"{self.name} was sent without its target"
        return self.image
