"""Log lines of the console commands: to standard error until the configuration says where they go."""

import logging

from oslo_config import cfg

_EARLY_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"


def log_early() -> None:
    """Write warnings and worse, and what the server has to say, to standard error."""
    logging.basicConfig(level=logging.WARNING, format=_EARLY_FORMAT)


def log_as_configured(conf: cfg.ConfigOpts) -> None:
    """Write log lines as the options of oslo.log say, with the id of the request that they belong to.

    Where these name no place, standard error it is: standard output is for what a user reads or a program parses.
    """
    from oslo_log import log

    if not (conf.log_file or conf.log_dir or conf.use_journal):
        conf.set_default("use_stderr", True)
    log.setup(conf, "glance-mini")
