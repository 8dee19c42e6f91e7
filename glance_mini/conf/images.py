"""Options of images and their data: hashing, the use of locations, import methods."""

from oslo_config import cfg

from glance_mini_store.lists import ListOpt

GROUP = None

OPTS = [
    cfg.StrOpt(
        "hashing_algorithm",
        default="sha512",
        help="The algorithm of ``os_hash_value``, computed while an image is uploaded: any name that "
        "hashlib knows and whose digest has a fixed length. Existing images keep the algorithm "
        "that they were hashed with.",
    ),
    cfg.BoolOpt(
        "compute_checksum",
        default=True,
        help="Compute the md5 ``checksum`` of new images. Without it, ``checksum`` is null, the header "
        "``Content-MD5`` is missing, and an upload takes about half of the processor time. Clients verify "
        "``os_hash_value``.",
    ),
    cfg.BoolOpt(
        "show_image_direct_url",
        default=False,
        help="Show the location of the data that is read first as ``direct_url`` of an image. Consumers "
        "on the same storage, such as nova on Ceph, then clone instead of downloading. Locations of "
        "some stores hold credentials: keep this off if users can reach the API.",
    ),
    cfg.BoolOpt(
        "show_multiple_locations",
        default=False,
        deprecated_for_removal=True,
        deprecated_since="0.1.0",
        deprecated_reason="The locations calls of version 2.17 do the same and are guarded by policy rules.",
        help="Show ``locations`` of an image and allow changes of them by PATCH. A user who may do so "
        "decides what bytes an image has, and locations of some stores hold credentials.",
    ),
    ListOpt(
        "enabled_import_methods",
        default=["glance-direct", "web-download", "copy-image"],
        help="The import methods that clients may use, in the order shown to them: names of the entry-point "
        "group ``glance_mini.import_methods``."
        "\n\nShipped: ``glance-direct``, ``web-download``, ``copy-image``, ``glance-download``",
    ),
    cfg.BoolOpt(
        "do_secure_hash",
        default=True,
        help="Read the data of a location that is added by ``POST /v2/images/{id}/locations`` and compute its "
        "hashes, in the background. An image whose hash the caller has given becomes active when the "
        "data matches it; without this option the value is not checked.",
    ),
    cfg.IntOpt(
        "http_retries",
        default=3,
        min=0,
        help="How often the data of such a location is read at most if a store or a server fails, but at least once. "
        "``[workers] max_attempts`` has precedence.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=GROUP)
