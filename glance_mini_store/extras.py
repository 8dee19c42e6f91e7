"""Imports the libraries of drivers, which the package does not need without these drivers."""

from importlib import import_module
from types import ModuleType

from glance_mini_store import errors


def import_library(name: str, *, driver: str, origin: str | None = None) -> ModuleType:
    """Return the module ``name``; raises DriverLoadFailure, which says how to install what ``driver`` needs.

    The extra that brings the library has the name of the driver; ``origin`` says where to get a library that no extra
    brings. Call it in ``from_config``, so that the options of the driver can be listed without its library.
    """
    try:
        return import_module(name)
    except ImportError as error:
        hint = origin or f"run: pip install 'glance-mini[{driver}]'"
        reason = f"it needs the Python package {name} ({error}); {hint}"
        raise errors.DriverLoadFailure(driver=driver, reason=reason) from error
