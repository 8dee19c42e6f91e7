"""Answers the small part of the Identity API v3 that clients use, from the users file and the issued tokens.

It only reads the users: ``glance-mini-manage user`` changes them. All other calls of the API are refused.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from wsgiref.types import StartResponse, WSGIEnvironment

from oslo_config import cfg
from webob.util import status_reasons

from glance_mini.api.errors import LoginRefused, UnknownPath, describe_error
from glance_mini.api.identity import views
from glance_mini.api.identity.paths import path_of
from glance_mini.api.identity.requests import read_token_request
from glance_mini.api.identity.routes import OPEN, ROUTES
from glance_mini.api.identity.tokens import Session, Tokens
from glance_mini.api.middleware.pages import Pages
from glance_mini.api.middleware.request_id import answering_with, take_request_id
from glance_mini.api.refused_logins import log_refused_login
from glance_mini.api.request import OPERATION_KEY, Request
from glance_mini.api.response import Response, empty_response, json_response
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Forbidden, GlanceMiniError, NotFound, TokenNotFound
from glance_mini.policies.enforcer import Enforcer
from glance_mini.standalone.users import DOMAIN_ID, DOMAIN_NAME

if TYPE_CHECKING:
    from glance_mini.metrics import Metrics

MAX_BODY = 16 * 1024
"""The most bytes of a request for a token."""

MAX_LISTED = 1000
"""The most items that one list holds."""

_FALSE = ("0", "false")
_VARIABLE = re.compile(r"\{\w+\}")


class Call:
    """One request: its caller, the addresses that its answer names, and the ``name`` or id in its path, if any."""

    def __init__(self, request: Request, prefix: str, base: str) -> None:
        self.request = request
        self.base = base
        self.url = f"{base}{prefix}/v3"
        self.own_url = f"{base}{request.path_info}"
        self.caller = Context()
        self.name = ""

    def require_admin(self) -> None:
        """Raise Forbidden for all but administrators."""
        if not self.caller.is_admin:
            raise Forbidden(reason="You are not authorized to perform the requested action.")

    def require_self(self, user: str) -> None:
        """Raise Forbidden for all but the user and administrators."""
        if self.caller.user_id != user:
            self.require_admin()


Action = Callable[[Call], Response]


class IdentityApplication:
    """Answers all requests to the paths of the API; one object serves all threads."""

    def __init__(
        self, conf: cfg.ConfigOpts, enforcer: Enforcer, tokens: Tokens, metrics: "Metrics", pages: Pages
    ) -> None:
        self._enforcer = enforcer
        self._logins = tokens.logins
        self._tokens = tokens
        self._metrics = metrics
        self._pages = pages
        self._region: str = conf.identity.region
        self._public_endpoint: str | None = conf.public_endpoint
        self._longest_request_id: int = conf.max_request_id_length
        self._max_body = min(MAX_BODY, conf.server.max_json_body)
        actions = self._actions()
        self._routes: tuple[tuple[str, re.Pattern[str], str, Action], ...] = tuple(
            (method, re.compile(_VARIABLE.sub("([^/]+)", path)), name, actions[name])
            for path, names in ROUTES.items()
            for method, name in names.items()
        )

    def _actions(self) -> Mapping[str, Action]:
        return {
            "identity_versions": self._versions,
            "identity_version": self._version,
            "identity_issue_token": self._issue,
            "identity_show_token": self._show,
            "identity_revoke_token": self._revoke,
            "identity_catalog": self._catalog,
            "identity_own_projects": self._own_projects,
            "identity_own_domains": self._own_domains,
            "identity_list_projects": self._projects,
            "identity_get_project": self._project,
            "identity_list_users": self._users,
            "identity_get_user": self._user,
            "identity_projects_of_user": self._projects_of_user,
            "identity_list_domains": self._domains,
            "identity_get_domain": self._domain,
            "identity_role_assignments": self._assignments,
        }

    def respond(
        self,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        identify: Callable[[WSGIEnvironment], Context | None],
    ) -> Iterable[bytes]:
        """Answer one request; ``identify`` tells who sends it, None for nobody."""
        started = time.perf_counter()
        name = "identity_unknown"
        try:
            request_id, _ = take_request_id(environ, self._longest_request_id)
            start_response = answering_with(request_id, start_response)
            self._pages.check(environ)
            request = Request(environ, max_json_body=self._max_body)
            prefix, path = path_of(environ) or ("", "")
            call = Call(request, prefix, (self._public_endpoint or request.application_url).rstrip("/"))
            name, action = self._find(call, path)
            if name not in OPEN:
                call.caller = self._caller(environ, identify)
            response = action(call)
        except Exception as error:
            response = self._error(environ, error)
        environ[OPERATION_KEY] = name
        self._metrics.requests.labels(name, response.status_int).inc()
        self._metrics.request_seconds.labels(name).observe(time.perf_counter() - started)
        response.headers["Vary"] = "X-Auth-Token"
        response.headers["Cache-Control"] = "no-store"
        return response(environ, start_response)

    def _find(self, call: Call, path: str) -> tuple[str, Action]:
        method = "GET" if call.request.method == "HEAD" else call.request.method
        is_known = False
        for wanted, pattern, name, action in self._routes:
            if found := pattern.fullmatch(path):
                if wanted == method:
                    call.name = "".join(found.groups())
                    return name, action
                is_known = True
        if is_known or method != "GET":
            raise Forbidden(reason="This identity service cannot do that; glance-mini-manage changes its users.")
        raise UnknownPath()

    def _caller(self, environ: WSGIEnvironment, identify: Callable[[WSGIEnvironment], Context | None]) -> Context:
        caller = identify(environ)
        if caller is None:
            raise LoginRefused()
        # A scope of the domain counts here, unlike for images.
        return replace(caller, is_admin=self._enforcer.context_is_admin(replace(caller, domain_id=None)))

    def _error(self, environ: WSGIEnvironment, error: Exception) -> Response:
        status, text, headers = describe_error(error)
        body = {"error": {"code": status, "message": text, "title": status_reasons[status]}}
        response = json_response(body, status, headers)
        if status == 401:
            response.headers["WWW-Authenticate"] = 'Keystone realm="glance-mini"'
        return response

    def _versions(self, call: Call) -> Response:
        return json_response({"versions": {"values": [views.version(call.url)]}}, 300)

    def _version(self, call: Call) -> Response:
        return json_response({"version": views.version(call.url)})

    def _issue(self, call: Call) -> Response:
        wanted = read_token_request(call.request.json_object())
        environ = call.request.environ
        try:
            issued = self._tokens.issue(wanted, environ.get("REMOTE_ADDR", ""))
            if issued is None:
                raise LoginRefused()
        except GlanceMiniError as refusal:
            log_refused_login(environ, wanted.user, refusal)
            raise
        token, session = issued
        response = self._token(call, session, 201)
        response.headers["X-Subject-Token"] = token
        return response

    def _show(self, call: Call) -> Response:
        token, session = self._subject(call)
        response = self._token(call, session, 200)
        response.headers["X-Subject-Token"] = token
        return response

    def _revoke(self, call: Call) -> Response:
        token, _ = self._subject(call)
        self._tokens.revoke(token)
        return empty_response()

    def _subject(self, call: Call) -> tuple[str, Session]:
        """Return the token that the request is about, and its session; raises TokenNotFound, Forbidden."""
        token = call.request.headers.get("X-Subject-Token", "")
        session = self._tokens.find(token)
        if session is None:
            raise TokenNotFound()
        call.require_self(session.token.user)
        return token, session

    def _token(self, call: Call, session: Session, status: int) -> Response:
        catalog = None if "nocatalog" in call.request.GET else views.catalog(call.base, self._region)
        return json_response(views.token(session.token, session.login, catalog), status)

    def _catalog(self, call: Call) -> Response:
        links = {"self": call.own_url, "next": None, "previous": None}
        return json_response({"catalog": views.catalog(call.base, self._region), "links": links})

    def _own_projects(self, call: Call) -> Response:
        token = call.request.headers.get("X-Auth-Token", "")
        session = self._tokens.find(token)
        login = session.login if session else self._logins.by_token(token)
        if login is not None:
            return self._list(call, "projects", (views.project(name, call.url) for name in login.projects))
        call.name = call.caller.user_id or ""
        return self._projects_of_user(call)

    def _own_domains(self, call: Call) -> Response:
        return self._list(call, "domains", [views.domain(call.url)] if call.caller.is_admin else [])

    def _projects(self, call: Call) -> Response:
        call.require_admin()
        names = dict.fromkeys(name for user in self._logins.users.by_name.values() for name in user.projects)
        found = () if _flag(call.request.GET, "is_domain") else (name for name in names if self._is_wanted(call, name))
        return self._list(call, "projects", (views.project(name, call.url) for name in found))

    def _project(self, call: Call) -> Response:
        name = call.name
        users = self._logins.users.by_name
        own = users.get(call.caller.user_id or "")
        if own is None or name not in own.projects:
            call.require_admin()
        if not any(name in user.projects for user in users.values()):
            raise NotFound(kind="project", id=name)
        return json_response({"project": views.project(name, call.url)})

    def _users(self, call: Call) -> Response:
        call.require_admin()
        found = (name for name in self._logins.users.by_name if self._is_wanted(call, name))
        return self._list(call, "users", (views.user(name, call.url) for name in found))

    def _user(self, call: Call) -> Response:
        call.require_self(call.name)
        return json_response({"user": views.user(self._logins.users.get(call.name).name, call.url)})

    def _projects_of_user(self, call: Call) -> Response:
        call.require_self(call.name)
        found = self._logins.users.get(call.name).projects
        return self._list(call, "projects", (views.project(each, call.url) for each in found))

    def _domains(self, call: Call) -> Response:
        name = call.request.GET.get("name", DOMAIN_NAME)
        found = [views.domain(call.url)] if name.lower() == DOMAIN_NAME.lower() and _is_enabled(call) else []
        return self._list(call, "domains", found)

    def _domain(self, call: Call) -> Response:
        if call.name != DOMAIN_ID:
            raise NotFound(kind="domain", id=call.name)
        return json_response({"domain": views.domain(call.url)})

    def _assignments(self, call: Call) -> Response:
        wanted = call.request.GET
        if wanted.get("user.id") != call.caller.user_id:
            call.require_admin()
        is_effective = _flag(wanted, "effective")
        with_names = _flag(wanted, "include_names")
        is_elsewhere = any(name in wanted for name in ("group.id", "scope.domain.id", "scope.system"))
        found = (
            views.assignment(user.name, project, role, call.url, with_names=with_names)
            for user in self._logins.users.by_name.values()
            if not is_elsewhere and wanted.get("user.id", user.name) == user.name
            for project, named in user.projects.items()
            if wanted.get("scope.project.id", project) == project
            for role in (user.roles(project) if is_effective else named)
            if wanted.get("role.id", role) == role
        )
        return self._list(call, "role_assignments", found)

    def _is_wanted(self, call: Call, name: str) -> bool:
        wanted = call.request.GET
        is_in_domain = wanted.get("domain_id", DOMAIN_ID) == DOMAIN_ID
        return is_in_domain and wanted.get("name", name) == name and _is_enabled(call)

    def _list(self, call: Call, name: str, items: Iterable[views.Json]) -> Response:
        return json_response(views.listed(name, items, call.own_url, MAX_LISTED))


def _is_enabled(call: Call) -> bool:
    """Return whether the caller lists what is enabled, as everything here is."""
    return "enabled" not in call.request.GET or _flag(call.request.GET, "enabled")


def _flag(query: Mapping[str, str], name: str) -> bool:
    """Return whether the query has the flag, also one without a value."""
    return name in query and query[name].lower() not in _FALSE
