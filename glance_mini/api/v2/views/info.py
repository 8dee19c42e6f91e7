"""Information about the service (api-info)."""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlencode

from glance_mini.domain.quota import IN_BYTES
from glance_mini.operations.info import ListedStore

_MIB = 1024**2


def import_methods(methods: Sequence[str]) -> dict[str, object]:
    """Return the view of the import methods that clients may use."""
    described = {"description": "Import methods available.", "type": "array", "value": list(methods)}
    return {"import-methods": described}


def stores(configured: Iterable[ListedStore], detail: bool) -> dict[str, object]:
    """Return the view of the stores; ``detail`` adds what operators may know. Flags are strings and absent when off."""
    return {"stores": [_store(store, detail) for store in configured]}


def usage(by_resource: Mapping[str, tuple[int, int]]) -> dict[str, object]:
    """Return the view of usage and limits: sizes are bytes in ``by_resource`` and MiB in the view; -1 is no limit."""
    return {"usage": {name: _usage(name, *values) for name, values in by_resource.items()}}


def usage_of_projects(found: Sequence[tuple[str, Mapping[str, tuple[int, int]]]], limit: int) -> dict[str, object]:
    """Return the view of a page of projects with their usage, as ``usage``; ``limit`` is the length of a full page."""
    view: dict[str, object] = {"projects": [{"project_id": name, **usage(used)} for name, used in found]}
    if found and len(found) == limit:
        view["next"] = f"/v2/info/usage/projects?{urlencode({'limit': limit, 'marker': found[-1][0]})}"
    return view


def configuration(warnings: Sequence[str]) -> dict[str, object]:
    """Return the view of the warnings about the options."""
    return {"warnings": list(warnings)}


def _store(store: ListedStore, detail: bool) -> dict[str, object]:
    view: dict[str, object] = {"id": store.id}
    if store.description:
        view["description"] = store.description
    if store.is_default:
        view["default"] = "true"
    if store.read_only:
        view["read-only"] = "true"
    if detail:
        view |= {"type": store.type, "weight": store.weight, "properties": dict(store.properties())}
    return view


def _usage(resource: str, used: int, limit: int) -> dict[str, int]:
    unit = _MIB if resource in IN_BYTES else 1
    return {"usage": used // unit, "limit": limit if limit < 0 else limit // unit}
