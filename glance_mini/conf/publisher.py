"""Options of the content of notifications and of those that are sent. ``notifications`` has their delivery."""

from oslo_config import cfg

from glance_mini_store.lists import ListOpt

GROUP = None

OPTS = [
    cfg.StrOpt(
        "default_publisher_id",
        default="image.localhost",
        help="The publisher named in notifications; usually the word image, a dot and the host's name.",
    ),
    ListOpt(
        "disabled_notifications",
        default=[],
        help="Notifications that are not sent: types, or groups of types by the part before the first "
        "dot. ``image`` switches off ``image.member.create`` as well."
        "\n\nExample: ``image.send,task``",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=GROUP)
