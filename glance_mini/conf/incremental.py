"""Options of [incremental]: images that are stored as what differs from another image."""

from copy import deepcopy

from oslo_config import cfg

GROUP = cfg.OptGroup("incremental", help="Incremental images, which are stored as what differs from another image.")

OPTS = [
    cfg.IntOpt(
        "max_depth",
        default=10,
        min=1,
        max=64,
        help="How many images may lie below an incremental one: its base, the base of that, and so on. An upload "
        "beyond this is refused. Each of them may cost a read of its store for a range of the disk.",
    ),
    cfg.IntOpt(
        "coalesce_depth",
        default=0,
        min=0,
        max=64,
        help="An image with more bases than this is coalesced by a job soon after its upload, so that its lowest bases "
        "stay, as many as this: what the others changed is stored with it, and counts for its owner. 0: no image is "
        "coalesced unless somebody asks for it.",
    ),
    cfg.IntOpt(
        "max_index_kib",
        default=4096,
        min=0,
        max=65536,
        help="The largest index of an incremental image in KiB, which is kept in the database. With it, the beginning "
        "of a range of the complete disk is found at once; without it, each download first reads the tables of the "
        "whole chain. A disk of 1 TiB with clusters of 64 KiB needs about 8 KiB.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
