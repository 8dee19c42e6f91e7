"""Log lines of the console commands: on standard error until the configuration names another place."""

import logging

from oslo_config import cfg

_EARLY_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"

MOST_LINES, SECONDS = 100, 10
"""How many lines one process writes in so many seconds by default, because callers can cause lines."""

_QUIETER = ("oslo_service.backend=WARN",)
_TOKEN_CACHE = "Using the in-process token cache is deprecated"
"""keystonemiddleware says so at each start with the default options."""


def log_early() -> None:
    """Write warnings and errors, also those of the server, to standard error."""
    logging.basicConfig(level=logging.WARNING, format=_EARLY_FORMAT)


def log_as_configured(conf: cfg.ConfigOpts) -> None:
    """Write log lines as the options of oslo.log say, with the id of their request.

    If these options name no place, lines go to standard error: standard output is for results. Call it once in a
    process.
    """
    from oslo_log import log

    if not (conf.log_file or conf.log_dir or conf.use_journal):
        conf.set_default("use_stderr", True)
    if not conf.debug:
        conf.set_default("rate_limit_burst", MOST_LINES)
        conf.set_default("rate_limit_interval", SECONDS)
    conf.set_default("default_log_levels", [*log.get_default_log_levels(), *_QUIETER])
    logging.getLogger("keystonemiddleware.auth_token").addFilter(_is_for_operators)
    log.setup(conf, "glance-mini")


def _is_for_operators(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_TOKEN_CACHE)
