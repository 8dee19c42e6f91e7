"""The option that names the files of metadata definitions (operator-metadefs)."""

from oslo_config import cfg

GROUP = None

OPTS = [
    cfg.StrOpt(
        "metadata_source_path",
        sample_default="the files that come with the program",
        help="The directory, or the file, of metadata definitions that ``glance-mini-manage db load_metadefs`` loads "
        "if its command line names none.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=GROUP)
