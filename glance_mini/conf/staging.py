"""Options of the staging area, where data waits for its import (api-data-stage, api-imports-nodes)."""

from oslo_config import cfg

GROUP = None

OPTS = [
    cfg.StrOpt(
        "node_staging_uri",
        default="file:///tmp/staging/",
        help="The directory of the staging area as a URI of the scheme ``file``, unless "
        "``filesystem_store_datadir`` in ``[os_glance_staging_store]`` names another. If it is on the file system of a "
        "store, that store takes over staged data without a copy. Only the service may have write access.",
    ),
    cfg.StrOpt(
        "staging_store_driver",
        default="file",
        help="The driver of the staging area, whose options are in ``[os_glance_staging_store]``.",
    ),
    cfg.BoolOpt(
        "staging_is_shared",
        default=False,
        help="All nodes see the same staging area, because its driver or the file system under it is shared. Off: "
        "requests for data that was staged on another node are forwarded to that node, and its workers do the "
        "imports. Each node then needs a ``worker_self_reference_url`` and a worker.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=GROUP)


def staging_directory(conf: cfg.ConfigOpts) -> str:
    """Return the path that ``node_staging_uri`` names; raises ValueError."""
    uri: str = conf.node_staging_uri
    path = uri.removeprefix("file://")
    if path == uri or not path.startswith("/"):
        raise ValueError(f"'{uri}' does not begin with file:/// and name a directory")
    return path.rstrip("/") or "/"
