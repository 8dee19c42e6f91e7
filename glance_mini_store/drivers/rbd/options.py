"""The options of the ``rbd`` driver."""

from oslo_config import cfg

OPTIONS = (
    cfg.StrOpt("rbd_store_pool", default="images", help="Pool of the images. It must exist."),
    cfg.StrOpt(
        "rbd_store_data_pool",
        help="Pool of the data of new images, for example an erasure-coded one; metadata stays in rbd_store_pool.",
    ),
    cfg.StrOpt("rbd_store_user", help="User of Ceph, without 'client.'. Default: admin."),
    cfg.StrOpt(
        "rbd_store_ceph_conf",
        default="",
        help="Configuration file of Ceph, which names monitors and keyring. Default: the places where Ceph looks.",
    ),
    cfg.IntOpt(
        "rbd_store_chunk_size",
        default=8,
        min=1,
        max=32,
        help="MiB of the objects that an image is cut into; a power of two.",
    ),
    cfg.BoolOpt("rbd_thin_provisioning", default=False, help="Leave out blocks of zero bytes when writing."),
    cfg.IntOpt(
        "rados_connect_timeout",
        default=-1,
        min=-1,
        help="Seconds to wait for a monitor when connecting; -1 or 0: as Ceph is configured (300 seconds by default).",
    ),
    cfg.IntOpt(
        "rados_op_timeout",
        default=60,
        min=1,
        help="Seconds after which an operation fails that no monitor or OSD answers. To publish or to remove an image "
        "takes several.",
    ),
)
