"""The option by which a configuration names paths beside itself, so that its directory can be moved and copied."""

from collections.abc import Sequence
from pathlib import Path

from oslo_config import cfg

GROUP = None

OPTS = [
    cfg.StrOpt(
        "state_directory",
        help="The directory for paths of this configuration, written as ``$state_directory/images``. By default the "
        "directory of the first configuration file.",
        sample_default="the directory of the first configuration file",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make these options known to ``conf``; may be repeated."""
    conf.register_opts(OPTS, group=GROUP)


def set_state_directory(conf: cfg.ConfigOpts, files: Sequence[str | Path]) -> None:
    """Make the directory of the first of ``files`` the default of ``state_directory``."""
    if files:
        # oslo.config reads a dollar sign in a value as a reference to another option.
        conf.set_default("state_directory", str(Path(files[0]).absolute().parent).replace("$", "$$"))
