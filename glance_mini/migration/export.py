"""Fills an empty Glance database from this service, in one transaction: all of it, or nothing."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from glance_mini.db.interface import DataAccess
from glance_mini.db.sqlalchemy.dynamic import AnyTable
from glance_mini.domain.errors import ConfigurationError
from glance_mini.domain.image import PLAIN_FIELDS, Image, Location
from glance_mini.domain.job import FAILURE, FINISHED, Job, JobQuery
from glance_mini.domain.metadefs import (
    NamespaceContent,
    NamespaceQuery,
    ObjectDefinition,
    PropertyDefinition,
    TagDefinition,
)
from glance_mini.domain.migration import BuriedId, ImageRecord
from glance_mini.domain.status import IN_TRANSFER, PENDING_DELETE
from glance_mini.migration import glance_tables
from glance_mini.migration.conversion import OF_A_RUN, without_data
from glance_mini.migration.encryption import LocationCipher
from glance_mini.migration.remarks import AddRemark, Remark
from glance_mini.operations.metadefs import GetNamespace, GetNamespaces
from glance_mini.operations.migration import ListBuried, ListRecords
from glance_mini.operations.tasks import ListTasks

PAGE = 1000
"""Images in a page."""

_PAGE_OF_TASKS = 100

_Part = PropertyDefinition | ObjectDefinition | TagDefinition

Rows = list[dict[str, object]]
Report = Callable[[int, int | None], None]


@dataclass
class Export:
    """One run from ``data`` into ``target``. ``cipher`` encrypts locations; None leaves them plain."""

    data: DataAccess
    target: Connection
    add_remark: AddRemark
    cipher: LocationCipher | None = None
    _types: dict[str, int] = field(default_factory=dict)

    def run(self, now: datetime, report: Report) -> Mapping[str, int]:
        """Write everything and return the number of things of each kind; raises ConfigurationError, Unavailable.

        ``now`` is the time for what has none.
        """
        self._require_empty()
        done: Counter[str] = Counter()
        for kind, count in self._pages(now):
            done[kind] += count
            report(done.total(), None)
        return done

    def _require_empty(self) -> None:
        if self.target.execute(select(func.count()).select_from(glance_tables.images)).scalar_one():
            reason = "The Glance database has images. Export into an empty one that `glance-manage db sync` has made."
            raise ConfigurationError(reason=reason)

    def _pages(self, now: datetime) -> Iterator[tuple[str, int]]:
        after = ""
        while records := self.data.run(ListRecords(after, PAGE)):
            after = records[-1].image.id
            whole = [record for record in records if self._is_whole(record.image)]
            self._write_images(whole)
            yield "images", len(whole)
        after = ""
        while buried := self.data.run(ListBuried(after, PAGE)):
            after = buried[-1].id
            self._insert(glance_tables.images, [_buried_row(one, now) for one in buried])
            yield "deleted_images", len(buried)
        for jobs in self._jobs():
            self._write_jobs(jobs)
            yield "tasks", len(jobs)
        known = set(self.target.execute(select(glance_tables.metadef_namespaces.c.namespace)).scalars())
        for name in self._namespaces():
            if name in known:
                self.add_remark(Remark("namespace", name, "the Glance database has one of that name", True))
            else:
                self._write_namespace(self.data.run(GetNamespace(name)), now)
                yield "namespaces", 1

    def _write_images(self, records: Iterable[ImageRecord]) -> None:
        rows: dict[AnyTable, Rows] = {table: [] for table in _TABLES}
        for record in records:
            image = self._settled(record.image)
            times = {"created_at": image.created_at, "updated_at": image.updated_at, **_deleted(image)}
            key = {"image_id": image.id, **times}
            plain = {name: getattr(image, name) for name in PLAIN_FIELDS}
            rows[glance_tables.images].append(plain | times)
            rows[glance_tables.image_properties] += [
                {**key, "name": name, "value": value}
                for name, value in image.properties.items()
                if name not in OF_A_RUN
            ]
            rows[glance_tables.image_tags] += [{**key, "value": tag} for tag in image.tags]
            rows[glance_tables.image_locations] += [key | self._location(each, image) for each in image.locations]
            rows[glance_tables.image_members] += [
                {
                    **key,
                    "member": member.member_id,
                    "status": member.status,
                    "can_share": False,
                    "created_at": member.created_at,
                    "updated_at": member.updated_at,
                }
                for member in record.members
            ]
        for table, each in rows.items():
            self._insert(table, each)

    def _is_whole(self, image: Image) -> bool:
        """Return whether Glance could read the image; of an incremental one it would read zeros where its base is."""
        if image.base is None:
            return True
        reason = f"it holds only what differs from image {image.base}; coalesce it first"
        self.add_remark(Remark("image", image.id, reason, True))
        return False

    def _settled(self, image: Image) -> Image:
        """Return ``image`` as it is without the transfer that only this service can finish."""
        if image.status not in IN_TRANSFER:
            return image
        reason = f"it was {image.status}; it is queued now, and its data must be uploaded or imported again"
        self.add_remark(Remark("image", image.id, reason))
        return without_data(image)

    def _location(self, location: Location, image: Image) -> dict[str, object]:
        is_in_trash = image.status == PENDING_DELETE
        return {
            "value": location.url if self.cipher is None else self.cipher.encrypt(location.url),
            "meta_data": json.dumps(dict(location.shown_metadata)),
            "status": PENDING_DELETE if is_in_trash else location.status,
        }

    def _jobs(self) -> Iterator[tuple[Job, ...]]:
        query = JobQuery(sort_dir="asc", limit=_PAGE_OF_TASKS)
        while True:
            page = self.data.run(ListTasks(query))
            yield page.jobs
            if page.next_marker is None:
                return
            query = replace(query, marker=page.next_marker)

    def _write_jobs(self, jobs: Iterable[Job]) -> None:
        tasks: Rows = []
        infos: Rows = []
        for job in jobs:
            is_ended = job.state in FINISHED
            if not is_ended:
                self.add_remark(Remark("task", job.id, f"it was {job.state}; it is recorded as a failure"))
            tasks.append(
                {
                    "id": job.id,
                    "type": job.task_type,
                    "status": job.state if is_ended else FAILURE,
                    "owner": job.project_id or "",
                    "expires_at": job.expires_at,
                    "image_id": job.image_id,
                    "request_id": _cut(job.request_id),
                    "user_id": _cut(job.user_id),
                    "created_at": job.created_at,
                    "updated_at": job.updated_at,
                    "deleted": False,
                }
            )
            infos.append(
                {
                    "task_id": job.id,
                    "input": json.dumps(dict(job.input)),
                    "result": None if job.result is None else json.dumps(dict(job.result)),
                    "message": job.message if is_ended else "The task had not ended when the service was left.",
                }
            )
        self._insert(glance_tables.tasks, tasks)
        self._insert(glance_tables.task_info, infos)

    def _namespaces(self) -> Iterator[str]:
        query = NamespaceQuery(sort_key="namespace", sort_dir="asc", limit=100)
        while True:
            page = self.data.run(GetNamespaces(query))
            yield from (content.namespace.name for content in page.namespaces)
            if page.next_marker is None:
                return
            query = replace(query, marker=page.next_marker)

    def _write_namespace(self, content: NamespaceContent, now: datetime) -> None:
        namespace = content.namespace
        row = {
            "namespace": namespace.name,
            "display_name": namespace.display_name,
            "description": namespace.description,
            "visibility": namespace.visibility,
            "protected": namespace.protected,
            "owner": namespace.owner or "",
            "created_at": namespace.created_at,
            "updated_at": namespace.updated_at,
        }
        key = {"namespace_id": self._insert_one(glance_tables.metadef_namespaces, row)}

        def values(part: _Part) -> dict[str, object]:
            return {**key, "name": part.name, "created_at": part.created_at, "updated_at": part.updated_at}

        self._insert(
            glance_tables.metadef_properties,
            [values(part) | {"json_schema": json.dumps(dict(part.definition))} for part in content.properties],
        )
        self._insert(
            glance_tables.metadef_objects,
            [
                values(part)
                | {
                    "description": part.description,
                    "required": ",".join(part.required) or None,
                    "json_schema": json.dumps(dict(part.properties)),
                }
                for part in content.objects
            ],
        )
        self._insert(glance_tables.metadef_tags, [values(part) for part in content.tags])
        self._insert(
            glance_tables.metadef_namespace_resource_types,
            [
                {
                    **key,
                    "resource_type_id": self._type(part.name, now),
                    "prefix": part.prefix,
                    "properties_target": part.properties_target,
                    "created_at": part.created_at,
                    "updated_at": part.updated_at,
                }
                for part in content.associations
            ],
        )

    def _type(self, name: str, now: datetime) -> int:
        """Return the number of a resource type, which is made if it is missing."""
        types = glance_tables.metadef_resource_types
        if name not in self._types:
            found: int | None = self.target.execute(select(types.c.id).where(types.c.name == name)).scalar()
            row = {"name": name, "protected": True, "created_at": now, "updated_at": now}
            self._types[name] = self._insert_one(types, row) if found is None else found
        return self._types[name]

    def _insert_one(self, table: AnyTable, row: Mapping[str, object]) -> int:
        key = self.target.execute(insert(table).values(**row)).inserted_primary_key
        assert key is not None
        number: int = key[0]
        return number

    def _insert(self, table: AnyTable, rows: Rows) -> None:
        if rows:
            self.target.execute(insert(table), rows)


_TABLES = (
    glance_tables.images,
    glance_tables.image_properties,
    glance_tables.image_tags,
    glance_tables.image_locations,
    glance_tables.image_members,
)

_WORD = 64
"""Characters of ids of users and requests in tasks."""


def _cut(text: str | None) -> str | None:
    return None if text is None else text[:_WORD]


def _deleted(image: Image) -> dict[str, object]:
    is_in_trash = image.status == PENDING_DELETE
    return {"deleted": is_in_trash, "deleted_at": image.deleted_at if is_in_trash else None}


def _buried_row(one: BuriedId, now: datetime) -> dict[str, object]:
    moment = one.deleted_at or now
    return {
        "id": one.id,
        "status": "deleted",
        "visibility": "private",
        "protected": False,
        "os_hidden": False,
        "min_disk": 0,
        "min_ram": 0,
        "created_at": moment,
        "updated_at": moment,
        "deleted_at": moment,
        "deleted": True,
    }
