"""The configuration of a program that names none: that of the whole process, as in the library it was written for."""

from oslo_config import cfg


def configuration(conf: cfg.ConfigOpts | None) -> cfg.ConfigOpts:
    """Return ``conf``, or for None the configuration of the process."""
    return cfg.CONF if conf is None else conf
