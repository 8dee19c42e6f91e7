"""Options of [acme_audit]."""

from oslo_config import cfg

GROUP = cfg.OptGroup("acme_audit", help="The audit log.")

OPTS = [
    cfg.StrOpt(
        "file",
        default="/var/log/glance-mini/audit.jsonl",
        help="The file that gets one line of JSON for each operation. It is created if it is missing.",
    ),
]


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """Return the options for oslo-config-generator."""
    return [(GROUP, OPTS)]
