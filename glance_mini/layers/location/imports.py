"""Checks an import before it begins, in the order of api-imports-checks, and makes its job."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from glance_mini.content.signatures import is_signed
from glance_mini.domain.changes import check_sizes
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Conflict, Invalid, StatusConflict
from glance_mini.domain.image import Image
from glance_mini.domain.image_values import split_values
from glance_mini.domain.import_task import INPUT_FIELDS, description_of, source_of
from glance_mini.domain.imports import (
    COPY_IMAGE,
    FAILED_PROPERTY,
    GLANCE_DIRECT,
    GLANCE_DOWNLOAD,
    IMPORTING_PROPERTY,
    METHOD_FIELDS,
    METHOD_RULES,
    REQUEST_FIELDS,
    TASK_PROPERTY,
    WEB_DOWNLOAD,
    ImportRequest,
    MethodRule,
)
from glance_mini.domain.job import IMPORT, LOCAL_IMPORT, Job, new_job
from glance_mini.domain.staging import STAGING_STORE
from glance_mini.operations.imports import ImportImage
from glance_mini.operations.records import BeginImport
from glance_mini.operations.tasks import CreateTask
from glance_mini_store.errors import StoreError
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores

_URGENCY = {GLANCE_DIRECT: 1, COPY_IMAGE: -1}
"""Additional priority of a method: staged data takes room, and an image can be used while it is copied."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _refuse(uri: str) -> None:
    raise Invalid(reason="This service does not fetch data.")


@dataclass(frozen=True, slots=True)
class ImportRules:
    """The configuration of imports.

    ``check_uri`` raises Invalid for a URL that the service does not fetch from. ``node_url`` is the URL of this node if
    it has its own staging area, None if all nodes share one. ``keep_jobs``: how long the record of an ended job stays.
    ``reads_locations``: whether the hashes of new locations are computed. ``priorities`` maps kinds of jobs to their
    priorities; the default is 0. ``wake_workers`` is called after a job was added. ``methods`` are the existing import
    methods. ``has_plugins``: whether import plugins change the data.
    """

    check_uri: Callable[[str], object] = _refuse
    node_url: str | None = None
    keep_jobs: timedelta = timedelta(hours=48)
    reads_locations: bool = True
    priorities: Mapping[str, int] = field(default_factory=dict)
    wake_workers: Callable[[], None] = field(default=lambda: None)
    methods: Mapping[str, MethodRule] = field(default_factory=lambda: METHOD_RULES)
    has_plugins: bool = False

    def priority(self, kind: str) -> int:
        """Return the priority of new jobs of ``kind``."""
        return self.priorities.get(kind, 0)


def prepare_import(context: Context, op: ImportImage, stores: Stores, rules: ImportRules) -> BeginImport | None:
    """Return the call that begins the import that ``op`` asks for, None if there is nothing to do.

    Raises Conflict (status, formats, unknown store) and Invalid.
    """
    image, request = op.target, op.request
    _check_image(image, request, rules)
    _check_source(request, rules)
    chosen = _choose_stores(op, stores)
    if not chosen:
        return None
    if not request.all_stores_must_succeed and not stores.multi:
        raise Invalid(reason="all_stores_must_succeed can be false only if there are several stores.")
    if op.job is None:
        _check_address(context, request, rules)
    job = _make_job(context, op, chosen, stores, rules)
    progress = {TASK_PROPERTY: job.id, IMPORTING_PROPERTY: ",".join(sorted(chosen)), FAILED_PROPERTY: ""}
    status = image.status if request.name == COPY_IMAGE else "importing"
    return BeginImport(job, image.status, status, progress, op.limits, rules.keep_jobs)


def prepare_task(context: Context, op: CreateTask, stores: Stores, rules: ImportRules) -> CreateTask:
    """Return ``op`` with the stores, the priority and the token of its job.

    Raises Invalid for unusable input, and Conflict if the default store is read-only.
    """
    _, properties = split_values(description_of(op.input))
    check_sizes({}, properties)
    rules.check_uri(source_of(op.input))
    _check_stores((stores.default.id,), stores)
    token = context.auth_token if is_signed(properties) else None
    known = {name: value for name, value in op.input.items() if name in INPUT_FIELDS}
    return replace(op, input=known, stores=(stores.default.id,), priority=rules.priority(op.type), token=token)


def _check_image(image: Image, request: ImportRequest, rules: ImportRules) -> None:
    rule = rules.methods.get(request.name)
    if rule is None:
        raise Invalid(reason=f"There is no import method {request.name}.")
    if image.status != rule.image_status:
        raise StatusConflict(id=image.id, status=image.status, wanted=rule.image_status)
    missing = [name for name in ("container_format", "disk_format") if getattr(image, name) is None]
    if missing:
        raise Conflict(reason=f"Property {' and '.join(missing)} must be set before an import.")


def _check_source(request: ImportRequest, rules: ImportRules) -> None:
    for name in rules.methods[request.name].fields:
        if not request.method.get(name):
            raise Invalid(reason=f"The method {request.name} needs the field {name}.")
    if request.name != GLANCE_DOWNLOAD:
        return
    if not request.method.get("glance_region"):
        raise Invalid(reason="The method needs the field glance_region, the region of the other image service.")
    if not _UUID.fullmatch(request.method.get("glance_image_id", "")):
        # Clients look for these words.
        raise Invalid(reason="The remote image id does not look like a UUID.")


def _choose_stores(op: ImportImage, stores: Stores) -> tuple[str, ...]:
    """Return the ids of the stores to write to; empty if a copy to all stores is already on all of them."""
    request = op.request
    wanted = _named_stores(op, stores)
    if request.name != COPY_IMAGE:
        return wanted
    have = {stores.for_location(location.url, location.store).id for location in op.target.locations}
    if request.all_stores:
        return tuple(store for store in wanted if store not in have)
    for store in wanted:
        if store in have:
            raise Invalid(reason=f"Image {op.image_id} already has data in store {store}.")
    return wanted


def _named_stores(op: ImportImage, stores: Stores) -> tuple[str, ...]:
    request, header = op.request, op.header_store
    if request.all_stores:
        if request.stores or header:
            raise Invalid(reason="Do not name stores together with all_stores.")
        writable = tuple(store.id for store in stores if not store.read_only)
        if not writable:
            raise Conflict(reason="All stores are read-only.")
        return writable
    # Some clients name one store twice, in the body and in the header.
    if request.stores and header and request.stores != (header,):
        raise Invalid(reason="Name the stores in the body or one in the header, not both.")
    named = request.stores or ((header,) if header else (stores.default.id,))
    _check_stores(named, stores)
    return tuple(dict.fromkeys(named))


def _check_stores(named: Sequence[str], stores: Stores) -> None:
    known = stores.ids()
    for store in named:
        if store not in known:
            raise Conflict(reason=f"There is no store {store}.")
        if stores.get(store).read_only:
            raise Conflict(reason=f"Store {store} is read-only.")


def _check_address(context: Context, request: ImportRequest, rules: ImportRules) -> None:
    if request.name == WEB_DOWNLOAD:
        if not request.method.get("uri"):
            raise Invalid(reason="The method needs the field uri, the URL of the data.")
        rules.check_uri(request.method["uri"])
    if request.name == GLANCE_DOWNLOAD:
        if not context.auth_token:
            raise Invalid(reason="The method needs a token of Keystone: its catalogue names the other service.")
        # An unknown region or interface fails as a task, as clients expect (Tempest looks for it).
        if endpoint := request.method.get("endpoint"):
            rules.check_uri(endpoint)


def _recorded(request: ImportRequest, rules: ImportRules) -> dict[str, object]:
    """Return the body of the request with its known fields only; a job keeps nothing else that a caller sends."""
    body = {name: value for name, value in request.body.items() if name in REQUEST_FIELDS}
    if request.name in METHOD_RULES:
        # Other methods have fields that only they know.
        body["method"] = {name: value for name, value in request.method.items() if name in METHOD_FIELDS}
    if "stores" in body:
        body["stores"] = list(dict.fromkeys(request.stores))
    return body


def _is_local(op: ImportImage, chosen: Sequence[str], stores: Stores, rules: ImportRules) -> bool:
    """Return whether the data is copied as it is, within one local file system."""
    try:
        used = [store.devices() for store in (*_local_sources(op, stores, rules), *map(stores.get, chosen))]
    except StoreError:
        return False
    return len(used) > len(chosen) and bool(frozenset.intersection(*used))


def _local_sources(op: ImportImage, stores: Stores, rules: ImportRules) -> Sequence[Store]:
    """Return the stores that the data may come from, none for other sources."""
    if op.request.name == GLANCE_DIRECT and not rules.has_plugins:
        return [stores.get(STAGING_STORE)]
    if op.request.name == COPY_IMAGE:
        return [stores.for_location(location.url, location.store) for location in op.target.locations]
    return []


def _make_job(context: Context, op: ImportImage, chosen: tuple[str, ...], stores: Stores, rules: ImportRules) -> Job:
    if op.job is not None:
        return replace(op.job, image_id=op.image_id)
    request = op.request
    recorded = _recorded(request, rules)
    values: dict[str, object] = {"image_id": op.image_id, "import_req": recorded, "backend": list(chosen)}
    if request.name == GLANCE_DOWNLOAD:
        values["endpoint"] = request.method["endpoint"]
    needs_token = request.name == GLANCE_DOWNLOAD or (request.name != COPY_IMAGE and is_signed(op.target.properties))
    is_quick = not needs_token and _is_local(op, chosen, stores, rules)
    return new_job(
        context,
        LOCAL_IMPORT if is_quick else IMPORT,
        values,
        image_id=op.image_id,
        priority=rules.priority(IMPORT) + _URGENCY.get(request.name, 0),
        stores=chosen,
        token=context.auth_token if needs_token else None,
    )
