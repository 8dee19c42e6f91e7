"""The address of an image at the API server: the image URI, which users may see.

It is made of what the service is configured with, so this package needs no more than the configuration.
"""

from urllib.parse import urlsplit

from oslo_config import cfg

_PORTS = {"http": 80, "https": 443}


def image_address(conf: cfg.ConfigOpts | None, image_id: str) -> str | None:
    """Return ``host:port/images/<image_id>``; None if ``conf`` names no address of the API server.

    The address is that of ``public_endpoint``, with its path, else that of ``[server] bind``. User information and
    query of the endpoint are left out.
    """
    server = None
    if conf is not None:
        server = _of_endpoint(_value(conf, None, "public_endpoint")) or _value(conf, "server", "bind")
    return f"{server}/images/{image_id}" if server else None


def _of_endpoint(endpoint: str | None) -> str | None:
    """Return host, port and path of a URL; None if it has no host or its port is no number."""
    try:
        parts = urlsplit(endpoint or "")
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or not port:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}{parts.path.rstrip('/')}"


def _value(conf: cfg.ConfigOpts, group: str | None, name: str) -> str | None:
    """Return the value of an option; None if it is unset, or if no program has registered it."""
    try:
        value = conf[group][name] if group else conf[name]
    except cfg.NoSuchOptError:
        return None
    return str(value) if value else None
