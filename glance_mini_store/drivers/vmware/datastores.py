"""The configured datastores: their names and weights, and which one gets new data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from glance_mini_store import errors


@dataclass(frozen=True)
class Datastore:
    """A datastore by the inventory path of its datacenter and its name."""

    datacenter: str
    name: str

    def __str__(self) -> str:
        return f"{self.datacenter}:{self.name}"


def datastores_from(values: Iterable[str]) -> dict[Datastore, int]:
    """Return the weight of each configured datastore. Raises BadStoreConfiguration."""
    found: dict[Datastore, int] = {}
    for value in values:
        datacenter, name, weight = _parts(value)
        datastore = Datastore(datacenter, name)
        if datastore in found:
            raise _bad(value, "this datastore is there twice")
        found[datastore] = weight
    if not found:
        raise errors.BadStoreConfiguration(option="vmware_datastores", reason="no datastore is configured")
    return found


def choose(weights: Mapping[Datastore, int], free: Mapping[Datastore, int], size: int | None) -> Sequence[Datastore]:
    """Return the datastores with room for ``size`` bytes (None: unknown), the best first.

    ``free`` has the free bytes of those that can be used now. Raises StorageFull.
    """
    fitting = [datastore for datastore in weights if free.get(datastore, 0) >= max(size or 0, 1)]
    if not fitting:
        raise errors.StorageFull(reason="no datastore that can be used has enough free space")
    return sorted(fitting, key=lambda each: (-weights[each], -free[each], str(each)))


def _parts(value: str) -> tuple[str, str, int]:
    parts = [part.strip() for part in value.split(":")]
    if len(parts) not in (2, 3) or not all(parts[:2]):
        raise _bad(value, "it must be datacenter path:datastore name:weight")
    try:
        weight = int(parts[2]) if len(parts) == 3 else 0
    except ValueError as error:
        raise _bad(value, "the weight is not a whole number") from error
    return parts[0].strip("/"), parts[1], weight


def _bad(value: str, reason: str) -> errors.BadStoreConfiguration:
    return errors.BadStoreConfiguration(option="vmware_datastores", reason=f"{value!r}: {reason}")
