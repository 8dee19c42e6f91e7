"""Options of [image_format]: the formats that images may have, and how strictly their data is checked."""

from copy import deepcopy

from oslo_config import cfg

from glance_mini_store.lists import ListOpt

GROUP = cfg.OptGroup("image_format", help="Which formats images may have, and how their data is checked.")

OPTS = [
    ListOpt(
        "container_formats",
        default=["ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"],
        help="Values that ``container_format`` may have. The image schema lists them.",
    ),
    ListOpt(
        "disk_formats",
        default=["ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop"],
        help="Values that ``disk_format`` may have, listed in the image schema. ``gpt`` and ``luks`` may be added.",
    ),
    ListOpt(
        "vmdk_allowed_types",
        default=["streamOptimized", "monolithicSparse"],
        help="Create types that a vmdk may have. The other ones can name files outside the image, so that "
        "users could read a host's files through images (CVE-2022-47951). An empty list allows none.",
    ),
    cfg.BoolOpt(
        "require_image_format_match",
        default=True,
        help="Refuse data that is not of the declared ``disk_format``. If off, a mismatch is only "
        "logged; data that is unsafe to open is still refused.",
    ),
    cfg.BoolOpt(
        "refuse_compressed_raw",
        default=False,
        help="Refuse data of an image with ``disk_format`` raw and ``container_format`` bare that begins like gzip, "
        "zip, xz, bzip2 or zstd: no instance can boot from it. If off, it is only logged.",
    ),
    ListOpt(
        "gpt_safety_checks_nonfatal",
        default=[],
        help="Names of safety checks of the gpt inspector whose findings are only logged.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=deepcopy(GROUP))  # a group keeps the values of its configuration
