"""Values for tests: callers and images with everything set that a test does not care about."""

from datetime import datetime

from glance_mini.domain.context import Context
from glance_mini.domain.fields import with_fields
from glance_mini.domain.image import Image, Location
from glance_mini.domain.job import Job
from glance_mini.domain.metadefs import Namespace

IMAGE_ID = "1c0de5a9-8d2f-4b0c-9d9e-3f9d2f4f7a11"
TIME = datetime(2026, 1, 2, 3, 4, 5)

ROLES = {"admin": ("admin", "manager", "member", "reader"), "member": ("member", "reader"), "reader": ("reader",)}
"""Roles with those that they imply in Keystone."""


def make_context(role: str = "member", project_id: str | None = "p1", **values: object) -> Context:
    """Return a caller with ``role`` in ``project_id``; ``values`` are further fields of Context."""
    context = Context("u1", project_id, ROLES.get(role, (role,)), is_admin=role == "admin")
    return with_fields(context, **values)


def make_image(**values: object) -> Image:
    """Return an active image of project p1 with one location in memory; ``values`` replace fields."""
    image = Image(
        IMAGE_ID,
        TIME,
        TIME,
        name="sample",
        status="active",
        owner="p1",
        container_format="bare",
        disk_format="raw",
        size=4,
        locations=(Location(url=f"memory://{IMAGE_ID}"),),
    )
    return with_fields(image, **values)


def make_namespace(**values: object) -> Namespace:
    """Return a public namespace of project p1; ``values`` replace fields."""
    namespace = Namespace("sample", visibility="public", owner="p1", created_at=TIME, updated_at=TIME, id=1)
    return with_fields(namespace, **values)


def make_job(**values: object) -> Job:
    """Return a pending import of the sample image into two stores; ``values`` replace fields."""
    job = Job(
        id="7c9f4c1e-5a55-4f0e-9a52-1f2d3c4b5a69",
        kind="api_image_import",
        created_at=TIME,
        updated_at=TIME,
        due_at=TIME,
        image_id=IMAGE_ID,
        project_id="p1",
        user_id="u1",
        request_id="req-1",
        input={"image_id": IMAGE_ID, "import_req": {}, "backend": ["fast", "cheap"]},
    )
    return with_fields(job, **values)
