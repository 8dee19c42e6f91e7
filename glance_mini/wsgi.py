"""``application`` for other WSGI servers: built at its first call, from the configuration that commands would use.

``glance-mini serve`` does not use it. The operator guide says what other servers lack.
"""

import atexit
import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_lock = threading.Lock()
_built: list[WSGIApplication] = []


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer one request.

    The first call reads the configuration, without looking at the command line of the server, and raises
    ConfigurationError if it is wrong; the next call tries again.
    """
    if not _built:
        with _lock:
            if not _built:
                _built.append(_build())
    return _built[0](environ, start_response)


def _build() -> WSGIApplication:
    from glance_mini import conf as configuration
    from glance_mini.bootstrap import load_application
    from glance_mini.cmd.logs import log_as_configured
    from glance_mini.conf.validation import validate_start
    from glance_mini.standalone.state import find_configuration

    conf = configuration.load(args=[], files=find_configuration().existing_files())
    log_as_configured(conf)
    validate_start(conf)
    loaded = load_application(conf)
    atexit.register(loaded.close)
    return loaded
