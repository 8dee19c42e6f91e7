"""The body of an import as a value (reference 6.1): the first of the checks of reference 6.3, which need no image."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from glance_mini.domain.errors import Invalid
from glance_mini.domain.imports import ImportRequest
from glance_mini.imports.expected_hashes import ExpectedHashes
from glance_mini.imports.glance_source import NoEndpoint, find_endpoint

Body = Mapping[str, Any]


def parse_import(body: Body, enabled: Sequence[str]) -> ImportRequest:
    """Return what ``body`` asks for; Invalid for what cannot be understood and for a method not ``enabled``."""
    return ImportRequest(
        method=_method(body, enabled),
        stores=_stores(body),
        all_stores=_flag(body, "all_stores", False),
        all_stores_must_succeed=_flag(body, "all_stores_must_succeed", True),
        expected_hashes=_expected_hashes(body),
        body=body,
    )


def endpoint_of(catalogue: str | None, method: Mapping[str, str]) -> str:
    """Return the address of the other image service that ``method`` names; empty where it cannot be found.

    ``catalogue`` is the caller's service catalogue as JSON, as keystonemiddleware hands it on.
    """
    try:
        services = json.loads(catalogue or "[]")
        return find_endpoint(
            services, method.get("glance_region", ""), method.get("glance_service_interface", "public")
        )
    except (NoEndpoint, ValueError):
        return ""


def _method(body: Body, enabled: Sequence[str]) -> dict[str, str]:
    method = body.get("method")
    if not isinstance(method, dict):
        raise Invalid(reason="The body must have the member 'method', an object.")
    for name, value in method.items():
        if not isinstance(value, str):
            raise Invalid(reason=f"'{name}' of the method must be a string.")
    if not method.get("name"):
        raise Invalid(reason="The method must have a name.")
    if method["name"] not in enabled:
        raise Invalid(reason=f"The import method '{method['name'][:40]}' is not one of {', '.join(enabled)}.")
    return dict(method)


def _stores(body: Body) -> tuple[str, ...]:
    stores = body.get("stores", [])
    if not isinstance(stores, list) or not all(isinstance(store, str) and store for store in stores):
        raise Invalid(reason="'stores' must be a list of store ids.")
    return tuple(stores)


def _flag(body: Body, name: str, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise Invalid(reason=f"'{name}' must be true or false.")
    return value


def _expected_hashes(body: Body) -> dict[str, str]:
    expected = body.get("expected_hash", {})
    if not isinstance(expected, dict) or not all(isinstance(digest, str) for digest in expected.values()):
        raise Invalid(reason="'expected_hash' must be an object with a hexadecimal digest for each algorithm.")
    ExpectedHashes(expected)
    return expected
