"""The limits that operators set for single projects (api-quotas-projects)."""

from datetime import datetime

from sqlalchemy import Connection, delete, select, union, update

from glance_mini.db.sqlalchemy.missing import insert_missing
from glance_mini.db.sqlalchemy.models import quota_limits, quota_usage
from glance_mini.operations.records import GetProjectLimits, ListProjects, SetProjectLimits

_COLUMNS = quota_limits.c


def get(connection: Connection, call: GetProjectLimits) -> dict[str, int]:
    """Return the limits of one project by resource."""
    rows = connection.execute(select(_COLUMNS.resource, _COLUMNS.maximum).where(_COLUMNS.project_id == call.project_id))
    return {row.resource: row.maximum for row in rows}


def set_limits(connection: Connection, call: SetProjectLimits, now: datetime) -> None:
    """Set, replace or remove limits of one project, always in the same order."""
    for resource, maximum in sorted(call.limits.items()):
        key = (_COLUMNS.project_id == call.project_id, _COLUMNS.resource == resource)
        if maximum is None:
            connection.execute(delete(quota_limits).where(*key))
            continue
        row = {"project_id": call.project_id, "resource": resource, "maximum": maximum}
        insert_missing(connection, quota_limits, row)
        connection.execute(update(quota_limits).where(*key).values(maximum=maximum))


def list_projects(connection: Connection, call: ListProjects) -> tuple[str, ...]:
    """Return the projects with limits or counted usage, in the order of their ids."""
    columns = (_COLUMNS.project_id, quota_usage.c.project_id)
    projects = union(*(select(column).where(column > call.after) for column in columns))
    return tuple(connection.scalars(projects.order_by("project_id").limit(call.max_rows)))


QUERIES = {GetProjectLimits: get, ListProjects: list_projects}
WRITES = {SetProjectLimits: set_limits}
