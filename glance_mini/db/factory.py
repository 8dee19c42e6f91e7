"""Opens the data access backend that the configuration names, and files for what one node records alone."""

from pathlib import Path

from oslo_config import cfg

from glance_mini.db.interface import Backend, DataAccess, EventRules, no_events
from glance_mini.plugins import PluginKind

BACKENDS: PluginKind[Backend] = PluginKind("Data access", "glance_mini.data_access", Backend)  # type: ignore[type-abstract]


def open_data_access(conf: cfg.ConfigOpts, event_rules: EventRules = no_events) -> Backend:
    """Return the backend that ``[database] data_access`` names; raises ConfigurationError if it cannot be used.

    It stores the events that ``event_rules`` returns for each call.
    """
    name = conf.database.data_access
    classes = BACKENDS.load([name], "[database] data_access")
    return BACKENDS.build(classes, lambda backend: backend.from_config(conf, event_rules))[name]


def open_cache_file(path: Path) -> DataAccess:
    """Return the access to the file ``path``, which answers the calls on the records and the queue of a cache.

    Raises OSError.
    """
    from glance_mini.db.sqlalchemy.cache_file import open_cache_file as open_file

    return open_file(path)
