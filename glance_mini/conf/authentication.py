"""Options of [authentication]: the flavours token and basic. Keystone has its own ([keystone_authtoken])."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("authentication", help="Users without Keystone: the flavours token and basic.")

OPTS = [
    cfg.StrOpt(
        "users_file",
        help="The file of users, projects, roles and hashed secrets, written by ``glance-mini-manage "
        "user``. Needed by the flavours token and basic. ``glance-mini serve`` without configuration "
        "makes one in its state directory.",
    ),
    cfg.StrOpt(
        "realm",
        default="glance-mini",
        help="The realm named to clients that must authenticate by user name and password.",
    ),
    cfg.IntOpt(
        "password_cache_seconds",
        default=60,
        min=0,
        help="Seconds for which a right password is not hashed again. The hash is slow on "
        "purpose, about a quarter of a second of processor time for each request; 0 hashes each "
        "time.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
