"""The option that decides about unknown options."""

from oslo_config import cfg

GROUP = None

OPTS = [
    cfg.BoolOpt(
        "strict_config",
        default=True,
        help="Do not start if the configuration has a section or an option that neither the service nor its plugins "
        "and libraries know. If off, they are only warned about. What other image services know and this one "
        "does not is always only warned about, as is everything unknown in ``glance-api.conf``.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=GROUP)
