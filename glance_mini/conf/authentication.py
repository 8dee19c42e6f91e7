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
        "token_uses_file",
        help="The file in which the service records, once a minute, when each token was last used. Unset: the name of "
        "``users_file`` with ``.used`` at its end. The service must be able to write its directory."
        "\n\nExample: ``/var/lib/glance-mini/token-uses.json``",
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
    cfg.IntOpt(
        "password_waiters",
        default=8,
        min=1,
        help="Requests of one process that wait until their password is hashed, half of them from one address, and "
        "together at most a quarter of ``[server] threads``. Further ones are answered with 429 and ``Retry-After``. "
        "A password that is remembered, see ``password_cache_seconds``, does not wait.",
    ),
    cfg.IntOpt(
        "password_failures",
        default=10,
        min=0,
        help="Wrong passwords that are looked at in ``password_failure_seconds``: of one user name from one address "
        "this number, of all user names from one address ten times as many. Further ones are answered with 429 and "
        "``Retry-After``. The processes of one ``glance-mini serve`` count together. 0 allows any number.",
    ),
    cfg.IntOpt(
        "password_failure_seconds",
        default=60,
        min=1,
        help="Seconds after the first wrong password in which they are counted.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
