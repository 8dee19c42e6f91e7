"""Options of property protection. ``glance_mini.domain.property_rules`` reads its file."""

from oslo_config import cfg

GROUP = None

OPTS = [
    cfg.StrOpt(
        "property_protection_file",
        help="A file that says who may create, read, update and delete which custom properties. Unset: "
        "nothing is protected. The service does not start if the file cannot be read or is wrong. "
        "If no section matches, no caller may read or write the property.",
    ),
    cfg.StrOpt(
        "property_protection_rule_format",
        default="roles",
        choices=[
            ("roles", "values are lists of role names"),
            ("policies", "a value is the name of one rule of the policy file"),
        ],
        help="What the values in ``property_protection_file`` are.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=GROUP)
