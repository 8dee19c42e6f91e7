"""The factories of the paste file: the application and the middleware before it.

PasteDeploy calls them with ``global_conf``, in which ``bootstrap`` passes the objects of the process: ``conf``,
``services`` and ``stack``.
"""

from collections.abc import Callable, Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from oslo_config import cfg
from paste.deploy.loadwsgi import ConfigLoader

from glance_mini.api.application import Application
from glance_mini.api.health_page import HealthPage, choose_page
from glance_mini.api.metrics_page import MetricsPage
from glance_mini.api.middleware.compression import Compression
from glance_mini.api.middleware.versions import VersionNegotiation
from glance_mini.api.middleware.wiring import GlobalConf
from glance_mini.api.openapi import OpenApiPage
from glance_mini.api.page import Page, with_page
from glance_mini.api.v2.schema import all_schemas
from glance_mini.api.v2.schemas.custom_properties import read_custom_properties
from glance_mini.api.v2.schemas.images import image_schema
from glance_mini.api.v2.schemas.shapes import ObjectSchema
from glance_mini.api.v2.uploads import REQUEST_HEADERS as UPLOAD_REQUEST_HEADERS
from glance_mini.api.v2.uploads import RESPONSE_HEADERS as UPLOAD_RESPONSE_HEADERS
from glance_mini.conf.identity import serves_identity
from glance_mini.conf.paste_deploy import NO_AUTHENTICATION, authentication
from glance_mini.operations.records import CountUsage

Filter = Callable[[WSGIApplication], WSGIApplication]

DISABLING_FILE = "/etc/glance-mini/healthcheck_disable"
"""While this file exists, the health check fails; ``[healthcheck] disable_by_file_path`` can name another file."""

CORS_DEFAULTS = {
    "allow_headers": [
        *("Content-MD5", "X-Auth-Token", "X-Openstack-Request-ID", "X-Image-Meta-Store", "X-Project-Id"),
        *("Range", "If-Match", "If-None-Match", "If-Range", "X-Subject-Token", "Last-Event-ID"),
        *UPLOAD_REQUEST_HEADERS,
    ],
    "expose_headers": [
        *("Content-MD5", "Location", "X-Openstack-Request-ID", "OpenStack-image-import-methods"),
        *("ETag", "Content-Range", "X-Subject-Token"),
        *UPLOAD_RESPONSE_HEADERS,
    ],
    "allow_methods": ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"],
}
"""What pages of an allowed origin may send and read by default."""


def app_factory(global_conf: GlobalConf, **_local: str) -> Application:
    """Return the application itself, for PasteDeploy."""
    conf, services = global_conf["conf"], global_conf["services"]
    schemas = all_schemas(_image_schema(conf))
    return Application(conf, global_conf["stack"], services, schemas, global_conf["events"])


def versions_factory(global_conf: GlobalConf, **_local: str) -> Filter:
    """Return the version negotiation, for PasteDeploy."""
    conf, services = global_conf["conf"], global_conf["services"]
    return lambda app: VersionNegotiation(
        app,
        multi_store=services.stores.multi,
        has_cache=services.cache is not None,
        public_endpoint=conf.public_endpoint,
        has_identity=authentication(conf).startswith("keystone"),
        serves_identity=serves_identity(conf),
    )


def cors_factory(global_conf: GlobalConf, **_local: str) -> Filter:
    """Return oslo.middleware's CORS filter, for PasteDeploy; one without effect if no origin is allowed."""
    from oslo_middleware import cors

    conf = global_conf["conf"]
    conf.register_opts(cors.OPTS, "cors")
    for name, default in CORS_DEFAULTS.items():
        conf.set_default(name, default, "cors")
    if not conf.cors.allowed_origin:
        return lambda app: app
    return lambda app: cors.CORS(app, conf)


def compression_factory(global_conf: GlobalConf, **_local: str) -> Filter:
    """Return the compression of answers, for PasteDeploy; one without effect if it is switched off."""
    return Compression if global_conf["conf"].server.compression else lambda app: app


def page_factory(global_conf: GlobalConf, **_local: str) -> Filter:
    """Return the web page beside the API, for PasteDeploy; a filter without effect if it is switched off."""
    if not global_conf["conf"].server.page:
        return lambda app: app
    page = Page()
    return lambda app: with_page(page, app)


def proxy_headers_factory(global_conf: GlobalConf, **_local: str) -> Filter:
    """Return oslo.middleware's filter of proxy headers, for PasteDeploy; one without effect if it is switched off."""
    from oslo_middleware import http_proxy_to_wsgi

    conf = global_conf["conf"]
    conf.register_opts(http_proxy_to_wsgi.OPTS, "oslo_middleware")
    if not conf.oslo_middleware.enable_proxy_headers_parsing:
        return lambda app: app
    return lambda app: http_proxy_to_wsgi.HTTPProxyToWSGI(app, conf)


def healthcheck_factory(global_conf: GlobalConf, **_local: str) -> WSGIApplication:
    """Return oslo.middleware's health check, for PasteDeploy; it fails while a file exists."""
    from oslo_middleware import healthcheck
    from oslo_middleware.healthcheck.opts import DISABLE_BY_FILE_OPTS, HEALTHCHECK_OPTS

    conf = global_conf["conf"]
    conf.register_opts(HEALTHCHECK_OPTS + DISABLE_BY_FILE_OPTS, "healthcheck")
    conf.set_default("backends", ["disable_by_file"], "healthcheck")
    conf.set_default("disable_by_file_path", DISABLING_FILE, "healthcheck")
    app: WSGIApplication = healthcheck.Healthcheck(None, conf)
    return app


def health_page_factory(global_conf: GlobalConf, **_local: str) -> HealthPage:
    """Return the page of the health of all parts, for PasteDeploy."""
    return HealthPage(global_conf["services"].health.report)


def health_factory(loader: ConfigLoader, global_conf: GlobalConf, plain: str, detail: str) -> WSGIApplication:
    """Return a composite, for PasteDeploy: ``detail`` for callers with credentials who ask for it, else ``plain``."""
    apps = [loader.get_app(name, global_conf=global_conf) for name in (plain, detail)]
    return choose_page(*apps, needs_credentials=authentication(global_conf["conf"]) != NO_AUTHENTICATION)


def metrics_factory(global_conf: GlobalConf, **_local: str) -> MetricsPage:
    """Return the page of metrics, for PasteDeploy."""
    conf = global_conf["conf"]
    services = global_conf["services"]
    return MetricsPage(
        services.metrics,
        lambda: services.data.run(CountUsage()),
        enabled=conf.server.metrics,
        loopback_only=conf.server.metrics_loopback_only,
    )


def openapi_factory(global_conf: GlobalConf, **_local: str) -> OpenApiPage:
    """Return the page of the OpenAPI document, for PasteDeploy."""
    conf = global_conf["conf"]
    return OpenApiPage(all_schemas(_image_schema(conf)), serves_identity=serves_identity(conf))


def paths_factory(loader: ConfigLoader, global_conf: GlobalConf, **local: str) -> WSGIApplication:
    """Return a composite, for PasteDeploy: an application for each exact path, and ``default`` for all others."""
    apps: dict[str, WSGIApplication] = {
        path: loader.get_app(name, global_conf=global_conf) for path, name in local.items()
    }
    default = apps.pop("default")

    def choose(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return apps.get(environ.get("PATH_INFO", ""), default)(environ, start_response)

    return choose


def _image_schema(conf: cfg.ConfigOpts) -> ObjectSchema:
    custom = read_custom_properties(conf)
    formats = conf.image_format
    return image_schema(formats.container_formats, formats.disk_formats, custom.schemas, custom.required)
