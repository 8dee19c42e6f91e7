"""Opens the data access backend that the configuration names."""

from oslo_config import cfg

from glance_mini.db.interface import Backend, EventRules, no_events
from glance_mini.plugins import PluginKind

BACKENDS: PluginKind[Backend] = PluginKind("Data access", "glance_mini.data_access", Backend)  # type: ignore[type-abstract]


def open_data_access(conf: cfg.ConfigOpts, event_rules: EventRules = no_events) -> Backend:
    """Return the backend that ``[database] data_access`` names; raises ConfigurationError if it cannot be used.

    It stores the events that ``event_rules`` returns for each call.
    """
    name = conf.database.data_access
    classes = BACKENDS.load([name], "[database] data_access")
    return BACKENDS.build(classes, lambda backend: backend.from_config(conf, event_rules))[name]
