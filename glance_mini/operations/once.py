"""Data calls for callers that may lose an answer: a write that is done once, whatever is sent twice.

``RunOnce`` stands around a call and is none of ``OPERATIONS``: no layer sends it.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Generic, TypeVar

from glance_mini.operations.base import MIGRATE, DataCall, Operation, Role

R = TypeVar("R", covariant=True)

MAX_KEY = 64
"""The most characters of a key, all of them ASCII."""


@dataclass(frozen=True)
class RunOnce(DataCall[R], Generic[R]):
    """Return the result of ``call``, which is a write; if a call with ``key`` was done before, return its result.

    The key is recorded in the transaction of the call. A call that raised an error has recorded nothing, and is tried
    again. Two calls with one key that run at the same time are done one after the other. Raises what ``call`` raises.
    """

    name: ClassVar[str] = "run_once"
    may_repeat: ClassVar[bool] = True
    key: str
    call: DataCall[R]


@dataclass(frozen=True)
class PurgeKeys(DataCall[int]):
    """Remove up to ``max_rows`` keys that were recorded longer than ``older_than`` ago; return their number."""

    name: ClassVar[str] = "purge_keys"
    may_repeat: ClassVar[bool] = True
    callers: ClassVar[frozenset[Role]] = MIGRATE
    older_than: timedelta
    max_rows: int


OPERATIONS: tuple[type[Operation[object]], ...] = (PurgeKeys,)
