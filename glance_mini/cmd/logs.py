"""Log lines of the console commands: on standard error until the configuration names another place."""

import logging

from oslo_config import cfg

_EARLY_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"


def log_early() -> None:
    """Write warnings and errors, also those of the server, to standard error."""
    logging.basicConfig(level=logging.WARNING, format=_EARLY_FORMAT)


def log_as_configured(conf: cfg.ConfigOpts) -> None:
    """Write log lines as the options of oslo.log say, with the id of their request.

    If these options name no place, lines go to standard error: standard output is for results.
    """
    from oslo_log import log

    if not (conf.log_file or conf.log_dir or conf.use_journal):
        conf.set_default("use_stderr", True)
    log.setup(conf, "glance-mini")
