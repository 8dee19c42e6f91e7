"""Composes the API: services, layers, application and the middleware before it, by the paste file.

Everything is made by one call, with the configuration as its argument, and belongs to one process. Objects travel to
the factories below in PasteDeploy's ``global_conf``: ``conf``, ``services`` and ``stack``.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from importlib import resources
from typing import Any

from oslo_config import cfg
from paste.deploy.loadwsgi import ConfigLoader

from glance_mini.api.application import Application
from glance_mini.api.metrics_page import MetricsPage
from glance_mini.api.middleware.versions import VersionNegotiation
from glance_mini.api.openapi import OpenApiPage
from glance_mini.api.v2.schema import all_schemas
from glance_mini.api.v2.schemas.custom_properties import read_custom_properties
from glance_mini.api.v2.schemas.images import image_schema
from glance_mini.api.v2.schemas.shapes import Schema
from glance_mini.bootstrap import open_reaper, open_services
from glance_mini.domain.errors import ConfigurationError
from glance_mini.layers.base import Services
from glance_mini.layers.stack import Stack, load_stack

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Filter = Callable[[WSGIApplication], WSGIApplication]

PASTE_FILE = "glance-mini-paste.ini"

DISABLING_FILE = "/etc/glance-mini/healthcheck_disable"
"""While this file is there the health check says so, unless ``[healthcheck] disable_by_file_path`` names another."""

CORS_DEFAULTS = {
    "allow_headers": ["Content-MD5", "X-Auth-Token", "X-Openstack-Request-ID", "X-Image-Meta-Store", "X-Project-Id"],
    "expose_headers": ["Content-MD5", "Location", "X-Openstack-Request-ID", "OpenStack-image-import-methods"],
    "allow_methods": ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"],
}
"""What pages of an allowed origin may send and read, where the configuration does not say otherwise."""


class LoadedApplication:
    """The whole service as a WSGI application; ``close`` gives back what it holds."""

    def __init__(self, app: WSGIApplication, on_close: ExitStack) -> None:
        self._app = app
        self._on_close = on_close

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        return self._app(environ, start_response)

    def close(self) -> None:
        """Stop the threads and close layers and services; once, at shutdown."""
        self._on_close.close()


def load_application(conf: cfg.ConfigOpts, pipe: int | None = None) -> LoadedApplication:
    """Return the application that ``conf`` describes, its threads running; call it in the process that serves.

    ``pipe`` as for ``open_services``. Raises ConfigurationError.
    """
    with ExitStack() as undo:
        services = open_services(conf, undo, pipe)
        stack = load_stack(conf, services)
        undo.callback(stack.close)
        app = compose(conf, services, stack)
        reaper = open_reaper(conf, services)
        undo.callback(reaper.close)
        for part in (services.publisher, services.leases, reaper):
            part.start()
        return LoadedApplication(app, undo.pop_all())


def compose(conf: cfg.ConfigOpts, services: Services, stack: Stack) -> WSGIApplication:
    """Return the middleware and the application of the configured flavour over ``stack``; ConfigurationError."""
    path = conf.paste_deploy.config_file or str(resources.files("glance_mini") / "etc" / PASTE_FILE)
    flavor = conf.paste_deploy.flavor
    objects = {"conf": conf, "services": services, "stack": stack}
    try:
        app: WSGIApplication = ConfigLoader(path).get_app(flavor, global_conf=objects)
    except (OSError, LookupError) as error:
        raise ConfigurationError(reason=f"The flavour '{flavor}' cannot be loaded from {path}: {error}") from error
    return app


def app_factory(global_conf: Mapping[str, Any], **_local: str) -> Application:
    """Return the application itself, for PasteDeploy."""
    conf, services = global_conf["conf"], global_conf["services"]
    return Application(conf, global_conf["stack"], services, all_schemas(_image_schema(conf)))


def versions_factory(global_conf: Mapping[str, Any], **_local: str) -> Filter:
    """Return the version negotiation, for PasteDeploy."""
    conf, services = global_conf["conf"], global_conf["services"]
    return lambda app: VersionNegotiation(
        app,
        several_stores=services.stores.multi,
        public_endpoint=conf.public_endpoint,
        has_identity=conf.paste_deploy.flavor.startswith("keystone"),
    )


def cors_factory(global_conf: Mapping[str, Any], **_local: str) -> Filter:
    """Return oslo.middleware's CORS, for PasteDeploy; nothing where no origin is allowed."""
    from oslo_middleware import cors

    conf = global_conf["conf"]
    conf.register_opts(cors.OPTS, "cors")
    for name, default in CORS_DEFAULTS.items():
        conf.set_default(name, default, "cors")
    if not conf.cors.allowed_origin:
        return lambda app: app
    return lambda app: cors.CORS(app, conf)


def proxy_headers_factory(global_conf: Mapping[str, Any], **_local: str) -> Filter:
    """Return oslo.middleware's reading of proxy headers, for PasteDeploy; nothing where it is off."""
    from oslo_middleware import http_proxy_to_wsgi

    conf = global_conf["conf"]
    conf.register_opts(http_proxy_to_wsgi.OPTS, "oslo_middleware")
    if not conf.oslo_middleware.enable_proxy_headers_parsing:
        return lambda app: app
    return lambda app: http_proxy_to_wsgi.HTTPProxyToWSGI(app, conf)


def healthcheck_factory(global_conf: Mapping[str, Any], **_local: str) -> WSGIApplication:
    """Return oslo.middleware's health check, for PasteDeploy; out of service while a file is there."""
    from oslo_middleware import healthcheck
    from oslo_middleware.healthcheck.opts import DISABLE_BY_FILE_OPTS, HEALTHCHECK_OPTS

    conf = global_conf["conf"]
    conf.register_opts(HEALTHCHECK_OPTS + DISABLE_BY_FILE_OPTS, "healthcheck")
    conf.set_default("backends", ["disable_by_file"], "healthcheck")
    conf.set_default("disable_by_file_path", DISABLING_FILE, "healthcheck")
    app: WSGIApplication = healthcheck.Healthcheck(None, conf)
    return app


def metrics_factory(global_conf: Mapping[str, Any], **_local: str) -> MetricsPage:
    """Return the page of figures, for PasteDeploy."""
    conf = global_conf["conf"]
    services = global_conf["services"]
    return MetricsPage(
        services.metrics,
        services.data.get_total_usage,
        enabled=conf.server.metrics,
        loopback_only=conf.server.metrics_loopback_only,
    )


def openapi_factory(global_conf: Mapping[str, Any], **_local: str) -> OpenApiPage:
    """Return the page of the OpenAPI document, for PasteDeploy."""
    return OpenApiPage(all_schemas(_image_schema(global_conf["conf"])))


def paths_factory(loader: Any, global_conf: Mapping[str, Any], **local: str) -> WSGIApplication:
    """Return a composite, for PasteDeploy: an application for each exact path, and ``default`` for all others."""
    apps = {path: loader.get_app(name, global_conf=global_conf) for path, name in local.items()}
    default = apps.pop("default")

    def choose(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return apps.get(environ.get("PATH_INFO", ""), default)(environ, start_response)  # type: ignore[no-any-return]

    return choose


def _image_schema(conf: cfg.ConfigOpts) -> Schema:
    custom = read_custom_properties(conf)
    formats = conf.image_format
    return image_schema(formats.container_formats, formats.disk_formats, custom.schemas, custom.required)
