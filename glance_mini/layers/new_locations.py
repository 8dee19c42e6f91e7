"""Locations that come by the call of their own (reference 10.2): who may add which, and what becomes of them."""

from glance_mini.domain.changes import LocationChange
from glance_mini.domain.clock import utcnow
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Forbidden, StatusConflict
from glance_mini.domain.image import Image, Location
from glance_mini.domain.imports import TASK_PROPERTY
from glance_mini.domain.status import check_formats
from glance_mini.layers.import_rules import ImportRules
from glance_mini.layers.location_changes import is_trusted, resolve_changes
from glance_mini.layers.new_jobs import new_job
from glance_mini.operations.images import UpdateImage
from glance_mini.operations.imports import AddLocation, BeginImport
from glance_mini_store.registry import Stores

KIND = "location_import"

_WEB = ("http", "https")


def check_new_location(context: Context, op: AddLocation, stores: Stores) -> None:
    """Return if the caller may add that location to the image now.

    The address itself is judged when its store asks for the size. Raises Forbidden, StatusConflict, and Invalid if a
    format is missing.
    """
    if not is_trusted(context):
        scheme = op.url.partition("://")[0]
        if scheme not in _WEB:
            raise Forbidden(reason="Only services may add locations that are no web addresses.")
        if not any(scheme in store.driver.schemes for store in stores):
            raise Forbidden(reason="There is no store for web addresses.")
    if op.target.status != "queued":
        raise StatusConflict(id=op.image_id, status=op.target.status, wanted="queued")
    check_formats(op.target)


def adding(context: Context, op: AddLocation, stores: Stores, rules: ImportRules) -> UpdateImage:
    """Return the change that adds the location and makes the image active; Invalid for a location that is none.

    A hash that the caller has told is believed where the data is not read.
    """
    hashes = {} if rules.reads_locations else _told_hashes(op)
    change = LocationChange("add", locations=(Location(op.url, op.metadata),), hashes=hashes)
    changes = resolve_changes(stores, (change,), op.target, trusted=is_trusted(context))
    return UpdateImage(op.image_id, op.target, changes, op.limits)


def reading(context: Context, op: AddLocation, image: Image, rules: ImportRules) -> BeginImport:
    """Return what begins the job that reads the data, to make ``image`` active or to learn the hashes of an active one.

    It takes the import lock, so that nothing else changes the data meanwhile.
    """
    values = {"image_id": op.image_id, "loc_url": op.url, "validation_data": _told_hashes(op)}
    job = new_job(context, KIND, values, utcnow(), image_id=op.image_id, priority=rules.priority(KIND))
    status = "active" if image.status == "active" else "importing"
    return BeginImport(job, image.status, status, {TASK_PROPERTY: job.id}, op.limits)


def _told_hashes(op: AddLocation) -> dict[str, str]:
    if op.hash_algorithm is None or op.hash_value is None:
        return {}
    return {"os_hash_algo": op.hash_algorithm, "os_hash_value": op.hash_value}
