"""Options of [identity]: the log-in that the service itself offers to clients, without Keystone."""

from copy import deepcopy

from oslo_config import cfg

from glance_mini.conf.paste_deploy import authentication

GROUP = cfg.OptGroup(
    "identity",
    help="The part of the Identity API v3 that clients need to log in. The flavours token, basic and none answer it.",
)

FLAVORS = ("token", "basic", "none")
"""The flavours that answer it; with Keystone, clients log in there."""

OPTS = [
    cfg.BoolOpt(
        "enabled",
        default=True,
        help="Answer the Identity API v3 at ``/identity`` and ``/v3`` from ``[authentication] users_file``, and accept "
        "the tokens that it issues. Off: these paths answer 403, and tokens issued before are refused.",
    ),
    cfg.IntOpt(
        "token_seconds",
        default=28800,
        min=60,
        max=31536000,
        help="Seconds for which a token of a log-in is valid. It ends earlier with its user, and with the password or "
        "token of the users file that the user logged in with.",
    ),
    cfg.IntOpt(
        "tokens_per_user",
        default=1000,
        min=1,
        help="The most tokens of log-ins that one user has. A further log-in ends the oldest one.",
    ),
    cfg.StrOpt(
        "region",
        default="RegionOne",
        help="The region that the catalogue names.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration


def serves_identity(conf: cfg.ConfigOpts) -> bool:
    """Return whether the service answers the Identity API."""
    return bool(conf.identity.enabled) and authentication(conf) in FLAVORS
