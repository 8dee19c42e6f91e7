"""A small Glance database in a file, filled by rows as Glance writes them, and the configuration file beside it."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import fixtures
from sqlalchemy import create_engine, insert

from glance_mini.migration import glance_tables as tables

BEGIN = datetime(2026, 3, 4, 5, 6, 7)
HOUR = timedelta(hours=1)

CONFIGURATION = """\
[DEFAULT]
enabled_backends = images:file
{more}
[glance_store]
default_backend = images
[images]
filesystem_store_datadir = {root}/images
[other]
filesystem_store_datadir = {root}/other
[database]
connection = {url}
"""


class GlanceFile(fixtures.Fixture):
    """``path`` is the file of the database, ``config_file`` the configuration; ``more`` are lines of [DEFAULT]."""

    def __init__(self, more=""):
        super().__init__()
        self._more = more

    def _setUp(self):
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.path = self.root / "glance.db"
        self.url = f"sqlite:///{self.path}"
        self.config_file = self.root / "glance-api.conf"
        self.config_file.write_text(CONFIGURATION.format(root=self.root, url=self.url, more=self._more))
        self.engine = create_engine(self.url)
        self.addCleanup(self.engine.dispose)
        tables.metadata.create_all(self.engine)

    def insert(self, table, **values):
        """Insert one row; times and whether it is deleted have values if none are given."""
        usual = {"created_at": BEGIN, "updated_at": BEGIN, "deleted": False}
        row = {name: value for name, value in usual.items() if name in table.c} | values
        with self.engine.begin() as connection:
            return connection.execute(insert(table).values(**row)).inserted_primary_key[0]

    def add_image(self, properties=(), tags=(), locations=(), members=(), **values):
        """Insert an image and return its id; ``properties`` and ``members`` (statuses) are mappings."""
        usual = {
            "id": str(uuid4()),
            "name": "disk",
            "status": "active",
            "visibility": "shared",
            "owner": "p1",
            "size": 100,
            "disk_format": "raw",
            "container_format": "bare",
            "protected": False,
            "os_hidden": False,
            "min_disk": 0,
            "min_ram": 0,
        }
        image = self.insert(tables.images, **{**usual, **values})
        deleted = {name: values[name] for name in ("deleted", "deleted_at") if name in values}
        for name, value in dict(properties).items():
            self.insert(tables.image_properties, image_id=image, name=name, value=value, **deleted)
        for tag in tags:
            self.insert(tables.image_tags, image_id=image, value=tag, **deleted)
        for url, metadata, *more in locations:
            text = metadata if isinstance(metadata, str) else json.dumps(metadata)
            place = {"status": "active", **deleted, **(more[0] if more else {})}
            self.insert(tables.image_locations, image_id=image, value=url, meta_data=text, **place)
        for member, status in dict(members).items():
            self.insert(tables.image_members, image_id=image, member=member, status=status, can_share=False, **deleted)
        return image

    def add_task(self, **values):
        """Insert a task and return its id."""
        usual = {"id": str(uuid4()), "type": "api_image_import", "status": "success", "owner": "p1"}
        info = {name: values.pop(name) for name in ("input", "result", "message") if name in values}
        task = self.insert(tables.tasks, **{**usual, **values})
        self.insert(tables.task_info, task_id=task, **info)
        return task

    def add_namespace(self, name="OS::Some", **values):
        """Insert a namespace with one part of each kind and return its number."""
        number = self.insert(tables.metadef_namespaces, **{"namespace": name, "owner": "admin", **values})
        kind = self.insert(tables.metadef_resource_types, name=f"{name}::Type", protected=True)
        key = {"namespace_id": number}
        self.insert(tables.metadef_properties, **key, name="p", json_schema='{"title": "P", "type": "string"}')
        self.insert(
            tables.metadef_objects,
            **key,
            name="o",
            description="d",
            required="a,b",
            json_schema='{"a": {"title": "A"}}',
        )
        self.insert(tables.metadef_tags, **key, name="t")
        self.insert(tables.metadef_namespace_resource_types, **key, resource_type_id=kind, prefix="hw_")
        return number
