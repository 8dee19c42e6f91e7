"""Capabilities as a bit mask (api-library-compat): what a store can do, and the decorator that checks it."""

import enum
import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from glance_mini_store.compat import exceptions

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="StoreCapability")


class BitMasks(enum.IntEnum):
    """The bits. A mask contains another one if it has all of its bits."""

    NONE = 0
    ALL = 255
    READ_ACCESS = 1
    READ_OFFSET = 3
    READ_CHUNK = 5
    READ_RANDOM = 7
    WRITE_ACCESS = 8
    WRITE_OFFSET = 24
    WRITE_CHUNK = 40
    WRITE_RANDOM = 56
    RW_ACCESS = 9
    RW_OFFSET = 27
    RW_CHUNK = 45
    RW_RANDOM = 63
    DRIVER_REUSABLE = 64


class StoreCapability:
    """Holds the capabilities of a store. ``_CAPABILITIES`` of a class is what a new object has."""

    _CAPABILITIES: int = BitMasks.NONE

    def __init__(self) -> None:
        self._capabilities = int(self._CAPABILITIES)

    @property
    def capabilities(self) -> int:
        """Return the mask."""
        return self._capabilities

    @staticmethod
    def contains(x: int, y: int) -> bool:
        """Return whether ``x`` has all bits of ``y``."""
        return x & y == y

    def update_capabilities(self) -> None:
        """Set the capabilities again from the state of the backend; does nothing by default."""

    def is_capable(self, *capabilities: int) -> bool:
        """Return whether the store has all of these capabilities."""
        return self.contains(self._capabilities, functools.reduce(int.__or__, map(int, capabilities), 0))

    def set_capabilities(self, *dynamic_capabilities: int) -> None:
        """Add capabilities."""
        for each in dynamic_capabilities:
            self._capabilities |= int(each)

    def unset_capabilities(self, *dynamic_capabilities: int) -> None:
        """Take capabilities away."""
        for each in dynamic_capabilities:
            self._capabilities &= ~int(each)


def check(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Return ``get``, ``add`` or ``delete`` of a store so that it first checks the capabilities that it needs.

    ``get`` raises StoreGetNotSupported, or StoreRandomGetNotSupported for a part of the data; ``add`` raises
    StoreAddDisabled, ``delete`` StoreDeleteNotSupported. Other methods are not checked.
    """
    demand = _DEMANDS.get(method.__name__)

    def checked(store: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if demand is not None:
            demand(store, args, kwargs)
        return method(store, *args, **kwargs)

    functools.update_wrapper(checked, method)
    return checked


_Demand = Callable[[StoreCapability, tuple[object, ...], dict[str, object]], None]


def _for_get(store: StoreCapability, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
    """Check ``get(location, offset=0, chunk_size=None, context=None)``."""
    offset = kwargs.get("offset", args[1] if len(args) > 1 else 0)
    chunk_size = kwargs.get("chunk_size", args[2] if len(args) > 2 else None)
    if not store.is_capable(BitMasks.READ_ACCESS):
        raise exceptions.StoreGetNotSupported()
    if (offset and not store.is_capable(BitMasks.READ_OFFSET)) or (
        chunk_size and not store.is_capable(BitMasks.READ_CHUNK)
    ):
        raise exceptions.StoreRandomGetNotSupported(offset=offset, chunk_size=chunk_size)


def _for_add(store: StoreCapability, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
    if not store.is_capable(BitMasks.WRITE_ACCESS):
        raise exceptions.StoreAddDisabled()


def _for_delete(store: StoreCapability, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
    if not store.is_capable(BitMasks.WRITE_ACCESS):
        raise exceptions.StoreDeleteNotSupported()


_DEMANDS: dict[str, _Demand] = {"get": _for_get, "add": _for_add, "delete": _for_delete}
