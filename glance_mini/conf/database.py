"""Options of [database]; those that mean the same as in oslo.db have its names."""

from copy import deepcopy
from pathlib import Path

from oslo_config import cfg

GROUP = cfg.OptGroup("database", help="The database and the connections to it.")

OPTS = [
    cfg.StrOpt(
        "data_access",
        default="sqlalchemy",
        help="The data access: the name of an installed backend (entry points ``glance_mini.data_access``). "
        "``sqlalchemy`` uses the database at ``connection``; ``registry`` sends each call to a registry service "
        "([registry]), so that this node has no access to the database.",
    ),
    cfg.StrOpt(
        "connection",
        secret=True,
        help="The SQLAlchemy URL of the database. ``glance-mini serve`` without "
        "configuration makes an SQLite file in its state directory and puts its URL here."
        "\n\nExamples: ``sqlite:////var/lib/glance-mini/glance-mini.db``, "
        "``postgresql://glance:secret@db/glance``, "
        "``mysql+pymysql://glance:secret@db/glance?charset=utf8mb4``",
    ),
    cfg.IntOpt(
        "max_pool_size",
        default=16,
        min=1,
        help="Connections that one process keeps open.",
    ),
    cfg.IntOpt(
        "max_overflow",
        default=48,
        min=0,
        help="Connections that one process opens beyond ``max_pool_size`` under load and closes again. "
        "Both together should not be less than ``[server] threads``, or requests wait for each "
        "other.",
    ),
    cfg.IntOpt(
        "pool_timeout",
        default=30,
        min=0,
        help="Seconds that a request waits for a free connection before it is answered with 503.",
    ),
    cfg.IntOpt(
        "connection_recycle_time",
        default=3600,
        min=-1,
        help="Seconds after which a connection is replaced when it is next used; -1 keeps it for ever.",
    ),
    cfg.IntOpt(
        "max_retries",
        default=10,
        min=-1,
        help="How often the service tries again to reach the database at start; -1 for no limit.",
    ),
    cfg.IntOpt(
        "retry_interval",
        default=10,
        min=0,
        help="Seconds between these tries.",
    ),
    cfg.IntOpt(
        "db_max_retries",
        default=20,
        min=0,
        help="How often one transaction is repeated after a deadlock, a serialisation failure, a locked "
        "database or a lost connection.",
    ),
    cfg.FloatOpt(
        "read_timeout",
        default=10,
        min=0,
        help="Seconds that one read may take in the database before it is ended and the request is answered with "
        "503, so that an expensive list holds neither the database nor a thread. Changes are not limited. 0 means no "
        "limit.",
    ),
    cfg.BoolOpt(
        "prepared_statements",
        default=True,
        help="Whether PostgreSQL keeps the plans of statements that a connection repeats. Switch it off behind a "
        "connection pooler that gives each transaction another session.",
    ),
    cfg.StrOpt(
        "mysql_sql_mode",
        default="TRADITIONAL",
        help="The SQL mode of MariaDB sessions. Empty keeps the server's mode.",
    ),
    cfg.IntOpt(
        "sqlite_busy_timeout",
        default=30,
        min=0,
        help="Seconds that a write to SQLite waits for another process's write.",
    ),
]


def has_database(conf: cfg.ConfigOpts) -> bool:
    """Return whether this node reaches the database itself, and not through a registry."""
    return bool(conf.database.data_access != "registry")


def sqlite_file(connection: str | None) -> Path | None:
    """Return the file of the SQLite database at the URL ``connection``; None for any other database."""
    scheme, _, path = (connection or "").partition(":///")
    path = path.partition("?")[0]
    return Path(path) if scheme.partition("+")[0] == "sqlite" and path not in ("", ":memory:") else None


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
