"""Refuses requests that pages of other web sites send through a user's browser.

For the flavours in which a browser needs no secret that the page would have to know: it sends the password itself
(``basic``), or there is none (``none``). Source: Fetch Standard (CORS-safelisted request-header, Origin header), Fetch
Metadata Request Headers (Sec-Fetch-Site).
"""

from urllib.parse import urlsplit
from wsgiref.types import WSGIEnvironment

from oslo_config import cfg

from glance_mini.api.body import has_body
from glance_mini.api.errors import HttpError, UnsupportedMediaType
from glance_mini.conf.server import is_loopback
from glance_mini.domain.errors import Forbidden

_UNASKED = ("", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
"""Content types that a page may send to another site without asking that site first."""

_PORTS = {"http": 80, "https": 443}


class Pages:
    """Judges from which page a request comes; ``allowed`` are the origins that may send requests, ``*`` for all."""

    def __init__(self, allowed: frozenset[str], local_hosts: frozenset[str] | None = None) -> None:
        """``local_hosts``: further names of a service that answers on the loopback interface only; None for others."""
        self._allowed = allowed
        self._local_hosts = local_hosts

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, *, is_local: bool = False) -> "Pages":
        """Return what ``[cors] allowed_origin`` says; ``is_local``: only the loopback interface is listened on."""
        from oslo_middleware import cors  # only pipelines that need it pay for it

        conf.register_opts(cors.OPTS, "cors")
        public = urlsplit(conf.public_endpoint or "").hostname
        local_hosts = frozenset({public} if public else ())
        return cls(frozenset(conf.cors.allowed_origin or ()), local_hosts if is_local else None)

    def check(self, environ: WSGIEnvironment) -> None:
        """Raise Forbidden for a request that another site may have sent.

        Raises UnsupportedMediaType for a body that a browser would send to any site without asking it.
        """
        host = environ.get("HTTP_HOST", "")
        if self._local_hosts is not None and host and not self._is_local(host):
            raise Forbidden(reason="The service answers requests to localhost and its public_endpoint only.")
        origin = environ.get("HTTP_ORIGIN")
        site = environ.get("HTTP_SEC_FETCH_SITE", "").strip().lower()
        if origin is not None:
            is_foreign = not self._is_allowed(origin) and not _is_same(origin, environ)
        else:
            is_foreign = site == "cross-site" and "*" not in self._allowed
        if is_foreign:
            raise Forbidden(reason="Requests of other web sites are refused; [cors] allowed_origin may name them.")
        _check_media_type(environ)

    def _is_allowed(self, origin: str) -> bool:
        return "*" in self._allowed or origin in self._allowed

    def _is_local(self, host: str) -> bool:
        """Return whether ``host`` cannot be a foreign name that was made to lead to this machine."""
        name = _name_of(host)
        return name is not None and (
            is_loopback(name) or name.endswith(".localhost") or name in (self._local_hosts or ())
        )


def _is_same(origin: str, environ: WSGIEnvironment) -> bool:
    """Return whether ``origin`` is where the request was sent to; proxies in front may have taken TLS away."""
    try:
        page = urlsplit(origin)
        asked = urlsplit(f"//{environ.get('HTTP_HOST', '')}")
        default = _PORTS.get(page.scheme)
        return (page.hostname, page.port or default) == (asked.hostname, asked.port or default) and default is not None
    except ValueError:
        return False


def _name_of(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _check_media_type(environ: WSGIEnvironment) -> None:
    if environ["REQUEST_METHOD"] != "POST":
        return
    media_type = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    try:
        is_sent = has_body(environ)
    except (HttpError, ValueError):
        return  # the application says what is wrong with it
    if is_sent and media_type in _UNASKED:
        raise UnsupportedMediaType(wanted="application/json")
