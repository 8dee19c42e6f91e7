"""Finds foreign drivers by the names of their entry points, and makes a driver of this library of each."""

from functools import cache
from importlib.metadata import entry_points

from glance_mini_store import errors
from glance_mini_store.drivers.foreign.configuration import declared
from glance_mini_store.drivers.foreign.driver import ForeignDriver

NAMESPACE = "glance_store.drivers"

_NEEDED = ("configure", "is_capable", "get_schemes", "get_store_location_class", "get", "get_size")


@cache
def load_foreign(wanted: str, name: str) -> type[ForeignDriver]:
    """Return the driver with the entry point ``wanted``, called ``name`` here. Raises DriverLoadFailure."""
    found = list(entry_points(group=NAMESPACE, name=wanted))
    if not found:
        installed = ", ".join(sorted(entry_points(group=NAMESPACE).names)) or "none"
        reason = f"no installed package offers {wanted} as {NAMESPACE}; there are {installed}"
        raise errors.DriverLoadFailure(driver=name, reason=reason)
    try:
        foreign = found[0].load()
    except Exception as error:
        raise errors.DriverLoadFailure(driver=name, reason=f"{type(error).__name__}: {error}") from error
    lacking = [each for each in _NEEDED if not callable(getattr(foreign, each, None))]
    # A function that chooses the class is a driver too.
    if not callable(foreign) or (isinstance(foreign, type) and lacking):
        reason = f"{found[0].value} is no driver; it has no {', '.join(lacking)}"
        raise errors.DriverLoadFailure(driver=name, reason=reason)
    values = {"type": name, "foreign": staticmethod(foreign), "options": declared(getattr(foreign, "OPTIONS", None))}
    return type(f"Foreign{wanted.title()}Driver", (ForeignDriver,), values)
