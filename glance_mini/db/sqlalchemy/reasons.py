"""Says why a database cannot be used at start, and what to do. No text holds a password."""

import os
from pathlib import Path

from sqlalchemy.engine import URL

from glance_mini.db.sqlalchemy import faults


def explain(error: BaseException, url: URL) -> str:
    """Return sentences about an error of the database at ``url``: the cause, and what can be done about it."""
    if url.get_backend_name() == "sqlite":
        return _explain_file(error, Path(url.database or ""))
    server = f"The database server at {url.host or 'this machine'}" + (f":{url.port}" if url.port else "")
    text = faults.text_of(error)
    if faults.is_missing_database(error):
        return f"{server} has no database '{url.database}'. Create it, then run: glance-mini-manage db sync"
    if faults.is_refusal(error):
        return f"{server} refuses user '{url.username or ''}' ({text}). Check [database] connection."
    if faults.is_lost_connection(error):
        return f"{server} cannot be reached ({text}). Start it, or check host and port in [database] connection."
    return f"The database cannot be used: {text}"


def _explain_file(error: BaseException, path: Path) -> str:
    text = faults.text_of(error)
    if faults.is_damaged(error):
        return (
            f"The SQLite file {path} is damaged or no database ({text}). Restore it from a backup, "
            "or move it away to begin with an empty one."
        )
    if not path.parent.is_dir():
        return f"The SQLite file {path} cannot be opened, because its directory does not exist. Create the directory."
    if faults.is_missing_database(error) or not os.access(path.parent, os.W_OK):
        return (
            f"The SQLite file {path} cannot be opened ({text}). The service must be able to write it and its directory."
        )
    return f"The SQLite file {path} cannot be used: {text}"
