"""Options of [metadefs]: the limits of metadata definitions, and the namespaces that images must respect."""

from copy import deepcopy

from oslo_config import cfg

from glance_mini_store.lists import ListOpt

GROUP = cfg.OptGroup("metadefs", help="Metadata definitions: their limits, and their use as rules for images.")

OPTS = [
    ListOpt(
        "enforce",
        default=[],
        help="Namespaces whose definitions images must respect. A custom property that one of them defines is checked "
        "against type, enum, minimum, maximum, lengths and pattern when a user writes it, and an image without the "
        "properties that are required gets no data. The name of a property begins with the prefix of the association "
        "of the namespace with ``OS::Glance::Image``. A change takes effect within ten seconds. Patterns need the "
        "extra ``metadefs`` of the package."
        "\n\nExample: ``OS::OperatingSystem,Acme::Disk``",
    ),
    cfg.IntOpt(
        "max_body_bytes",
        default=128 * 1024,
        min=1024,
        help="The longest body with definitions in bytes; a longer one is refused with 413. To check and write one of "
        "128 KiB takes a tenth to a fifth of a second of a processor. Larger sets are loaded by "
        "``glance-mini-manage db load_metadefs``, or in parts.",
    ),
    cfg.IntOpt(
        "max_namespaces",
        default=1000,
        min=-1,
        help="How many namespaces a project may own; -1 for any number, as for all limits here.",
    ),
    cfg.IntOpt(
        "max_resource_types",
        default=1000,
        min=-1,
        help="How many resource types there may be. Each name that is associated for the first time is a new one.",
    ),
    cfg.IntOpt(
        "max_associations",
        default=100,
        min=-1,
        help="With how many resource types a namespace may be associated.",
    ),
    cfg.IntOpt(
        "max_properties",
        default=1000,
        min=-1,
        help="How many properties a namespace may have.",
    ),
    cfg.IntOpt(
        "max_objects",
        default=1000,
        min=-1,
        help="How many objects a namespace may have.",
    ),
    cfg.IntOpt(
        "max_tags",
        default=1000,
        min=-1,
        help="How many tags a namespace may have.",
    ),
    cfg.IntOpt(
        "max_definition_bytes",
        default=65_536,
        min=-1,
        help="How many bytes the definition of a property, or of an object with its properties, may have as JSON.",
    ),
    cfg.IntOpt(
        "max_total_bytes",
        default=4 * 1024**2,
        min=-1,
        help="How many bytes all definitions of a namespace may have together.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_group(deepcopy(GROUP))
    conf.register_opts(OPTS, group=GROUP.name)
