"""What installed packages offer in a test: the one thing of the world outside that loading depends on."""

import importlib.metadata
from contextlib import AbstractContextManager
from unittest import mock

from stevedore.extension import ExtensionManager


def installed(namespace: str, *offers: tuple[str, str]) -> AbstractContextManager[object]:
    """Let ``namespace`` have these entry points, name and target, for as long as the context lasts."""
    points = [importlib.metadata.EntryPoint(name, target, namespace) for name, target in offers]
    return mock.patch.dict(ExtensionManager.ENTRY_POINT_CACHE, {namespace: points})
