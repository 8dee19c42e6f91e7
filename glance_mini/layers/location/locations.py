"""New locations of an image: checks who may add them, and makes the changes and the job."""

from collections.abc import Mapping
from dataclasses import replace

from glance_mini.domain.changes import ImageChanges, LocationChange
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Forbidden, Invalid, StatusConflict
from glance_mini.domain.image import ADDED_BY, OPERATOR, VERSION, Image, Location
from glance_mini.domain.imports import TASK_PROPERTY
from glance_mini.domain.job import new_job
from glance_mini.domain.status import check_formats
from glance_mini.layers.location.callers import caller_for
from glance_mini.layers.location.imports import ImportRules
from glance_mini.operations.images import UpdateImage
from glance_mini.operations.locations import AddLocation
from glance_mini.operations.records import BeginImport
from glance_mini_store import errors
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores

KIND = "location_import"

_WEB = ("http", "https")


def is_trusted(context: Context) -> bool:
    """Return whether the caller may name any location and vouch for its host: administrators and services may.

    A service has the role itself, or sends a service token beside the token of its user, as nova does.
    """
    return context.is_admin or "service" in context.roles or "service" in context.service_roles


def check_new_location(context: Context, op: AddLocation, stores: Stores) -> None:
    """Check that the caller may add that location to the image now.

    A store checks the URL later, when it reads the size. Raises Forbidden, StatusConflict, and Invalid if a format is
    missing.
    """
    scheme = op.url.partition("://")[0]
    if not is_trusted(context) and scheme in _WEB and not any(scheme in store.driver.schemes for store in stores):
        raise Forbidden(reason="There is no store for http and https URLs.")
    if op.target.status != "queued":
        raise StatusConflict(id=op.image_id, status=op.target.status, wanted="queued")
    check_formats(op.target)


def location_change(context: Context, op: AddLocation, stores: Stores, rules: ImportRules) -> UpdateImage:
    """Return the change that adds the location and makes the image active; raises Invalid for an unusable location.

    If the service does not read the data of new locations, it accepts the hash that the caller claims.
    """
    hashes = {} if rules.reads_locations else _claimed_hashes(op)
    location = Location(op.url, op.metadata)
    if not is_trusted(context) and op.url.partition("://")[0] not in _WEB:
        location, size = user_location(context, op, stores)
        return UpdateImage(
            op.image_id, op.target, (LocationChange("add", locations=(location,), size=size, hashes=hashes),), op.limits
        )
    change = LocationChange("add", locations=(location,), hashes=hashes)
    changes = resolve_changes(stores, (change,), op.target, trusted=is_trusted(context))
    return UpdateImage(op.image_id, op.target, changes, op.limits)


def user_location(context: Context, op: AddLocation, stores: Stores) -> tuple[Location, int]:
    """Return the location of data of the caller's own, pinned to what it is now, and its size in bytes.

    Raises Forbidden for a location that users may not name, Invalid for one that cannot be used.
    """
    caller = caller_for(context, op.target.owner)
    for store in stores:
        if store.reserved or not op.url.startswith(store.driver.prefixes):
            continue
        try:
            found = store.for_caller(caller).user_data(op.url)
        except errors.StoreError as error:
            raise Invalid(reason=f"The location cannot be used: {error}") from error
        if found is None:
            continue
        if not found.size:
            raise Invalid(reason="The location holds no data.")
        own = {"store": store.id} if stores.multi else {}
        return Location(op.url, {**op.metadata, **own, VERSION: found.version}), found.size
    raise Forbidden(
        reason="Only services may add locations other than http and https URLs, and those that user_locations allows."
    )


def pinned_metadata(change: UpdateImage) -> Mapping[str, object] | None:
    """Return the metadata of the new location of ``change`` if it is data of a user, else None."""
    added = [location for each in change.changes if isinstance(each, LocationChange) for location in each.locations]
    return next((location.metadata for location in added if location.version is not None), None)


def hash_job(
    context: Context, op: AddLocation, image: Image, rules: ImportRules, metadata: Mapping[str, object] | None = None
) -> BeginImport:
    """Return the call that begins a hash job, which makes ``image`` active or adds the hashes of an active image.

    The job takes the import lock, so that nothing else changes the data in the meantime. ``metadata`` is that of the
    location, if ``image`` does not have it yet and the job cannot make it.
    """
    values: dict[str, object] = {
        "image_id": op.image_id,
        "loc_url": op.url,
        "validation_data": _claimed_hashes(op),
        **({} if metadata is None else {"metadata": metadata}),
    }
    job = new_job(context, KIND, values, image_id=op.image_id, priority=rules.priority(KIND))
    status = "active" if image.status == "active" else "importing"
    return BeginImport(job, image.status, status, {TASK_PROPERTY: job.id}, op.limits, rules.keep_jobs)


def _claimed_hashes(op: AddLocation) -> dict[str, str]:
    if op.hash_algorithm is None or op.hash_value is None:
        return {}
    return {"os_hash_algo": op.hash_algorithm, "os_hash_value": op.hash_value}


def resolve_changes(stores: Stores, changes: ImageChanges, image: Image, *, trusted: bool) -> ImageChanges:
    """Return ``changes`` of ``image`` with the store and the size (bytes) of every added location.

    Existing locations of the image may be named by every caller who sees them. The store of a new location returns its
    size, and checks its URL unless the caller is ``trusted``. Raises Invalid for a new location that users may not
    name, that no store serves, whose URL is refused, that is unreachable or that is empty.
    """
    known = {location.url: location for location in image.locations}
    return tuple(
        _resolve(stores, change, known, trusted) if isinstance(change, LocationChange) else change for change in changes
    )


def _resolve(stores: Stores, change: LocationChange, known: Mapping[str, Location], trusted: bool) -> LocationChange:
    if change.action == "remove":
        return change
    resolved, size = [], change.size
    for location in change.locations:
        if change.action == "replace" and location.url in known:
            old = known[location.url]
            metadata = _metadata(location, old.store, old.own_metadata)
            resolved.append(replace(location, metadata=metadata))
            continue
        store, size = _look_up(stores, location, trusted)
        store_id = store.id if stores.multi else None
        own = {ADDED_BY: OPERATOR} if trusted else {}
        resolved.append(replace(location, metadata=_metadata(location, store_id, own)))
    return replace(change, locations=tuple(resolved), size=size)


def _metadata(location: Location, store_id: str | None, own: Mapping[str, object]) -> Mapping[str, object]:
    """Return the caller's metadata with the keys that only the service sets: the store, and ``own``."""
    store = {} if store_id is None else {"store": store_id}
    return {**location.shown_metadata, **store, **own}


def _look_up(stores: Stores, location: Location, trusted: bool) -> tuple[Store, int]:
    try:
        store = stores.validate_user_location(location.url, trusted=trusted)
        size = (store.trusting() if trusted else store).size(location.url)
    except errors.StoreError as error:
        raise Invalid(reason=f"The location cannot be used: {error}") from error
    if not size:
        raise Invalid(reason="The location holds no data.")
    return store, size
