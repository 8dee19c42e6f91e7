"""The options of the ``file`` driver."""

from oslo_config import cfg

DEFAULT_DIRECTORY = "/var/lib/glance/images"
"""Where files go when no directory is configured."""

OPTIONS = (
    cfg.StrOpt(
        "filesystem_store_datadir",
        sample_default=DEFAULT_DIRECTORY,
        help="Directory that holds the data, an absolute path; created at start if it is missing.",
    ),
    cfg.MultiStrOpt(
        "filesystem_store_datadirs",
        help="Several directories as path:priority, instead of filesystem_store_datadir. A new file goes to "
        "the directory with the highest priority that has room; with equal priorities, to the one with most room.",
    ),
    cfg.StrOpt(
        "filesystem_store_metadata_file",
        help="JSON file with an object, or a list of objects, each with 'id' and 'mountpoint': the object "
        "whose mount point holds the directory becomes metadata of new locations.",
    ),
    cfg.IntOpt(
        "filesystem_store_file_perm",
        default=0,
        min=0,
        max=7777,
        help="Permissions of new files in octal digits, for example 640; 0: as the umask sets them.",
    ),
    cfg.IntOpt(
        "filesystem_store_chunk_size",
        default=65536,
        min=4096,
        max=16 * 1024 * 1024,
        help="Bytes of the smallest block of zero bytes that becomes a hole in a sparse file.",
    ),
    cfg.BoolOpt(
        "filesystem_thin_provisioning",
        default=True,
        help="Leave blocks of zero bytes as holes, so that they take no space on disk.",
    ),
    cfg.BoolOpt(
        "filesystem_direct_io",
        default=True,
        help="Write uploads and imports of 64 MiB and more past the page cache where the file system can do that "
        "(O_DIRECT). They take less time and processor; the first read after them comes from the disk.",
    ),
)
