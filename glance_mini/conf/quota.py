"""Options of limits and quotas (api-quotas). The quota layer counts them."""

from oslo_config import cfg

GROUP = None

OPTS = [
    cfg.IntOpt(
        "image_size_cap",
        default=1024**4,
        min=1,
        max=2**63,
        help="The largest image in bytes. A larger upload is refused and leaves no data.",
    ),
    cfg.StrOpt(
        "user_storage_quota",
        default="0",
        help="Bytes that the images of one project may take in all stores together; data in two stores "
        "counts twice, and staged data counts. A number with an optional unit B, KB, MB, GB or TB (powers of "
        "1024); 0 means no limit. ``glance-mini-manage quota set`` gives a project a limit of its own instead. Ignored "
        "when ``use_keystone_limits`` is on."
        "\n\nExample: ``500GB``",
    ),
    cfg.BoolOpt(
        "use_keystone_limits",
        default=False,
        help="Take the limits of a project from the unified limits registered in Keystone: "
        "``image_size_total``, ``image_stage_total``, ``image_count_total`` and "
        "``image_count_uploading``. Needs the section ``[oslo_limit]``.",
    ),
    cfg.BoolOpt(
        "quota_counts_deleted",
        default=True,
        help="Count the data of deleted images that can still be restored, see ``delayed_delete``, under "
        "``user_storage_quota`` or under ``image_size_total``. Their project can delete them for good.",
    ),
    cfg.IntOpt(
        "image_property_quota",
        default=128,
        min=-1,
        help="How many custom properties an image may have; -1 for any number.",
    ),
    cfg.IntOpt(
        "image_tag_quota",
        default=128,
        min=-1,
        help="How many tags an image may have; -1 for any number.",
    ),
    cfg.IntOpt(
        "image_member_quota",
        default=128,
        min=-1,
        help="With how many projects an image may be shared; -1 for any number.",
    ),
    cfg.IntOpt(
        "image_location_quota",
        default=10,
        min=-1,
        help="How many locations an image may have; -1 for any number.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=GROUP)
