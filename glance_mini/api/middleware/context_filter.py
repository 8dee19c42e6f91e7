"""What all kinds of authentication share: they give the application a context or refuse the request.

A flavour is a subclass that identifies the caller. The layers decide what the caller may do.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from oslo_config import cfg
from webob import exc

from glance_mini.api.errors import HttpError, error_response
from glance_mini.api.identity.paths import path_of
from glance_mini.api.middleware.issued import Identity
from glance_mini.api.middleware.links import Finder, no_links, used_link
from glance_mini.api.middleware.request_id import answering_with, remember, take_request_id
from glance_mini.api.refused_logins import log_refused_login
from glance_mini.api.request import CONTEXT_KEY
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Forbidden, LinkNotFound, TooManyAttempts, Unavailable
from glance_mini.domain.links import Link, context_of_link
from glance_mini.policies.enforcer import Enforcer
from glance_mini.standalone.users import Users

_CREDENTIALS = {"HTTP_X_AUTH_TOKEN", "HTTP_AUTHORIZATION"}

_ANONYMOUS = Context(read_only=True)


class ContextFilter(ABC):
    """Puts the caller's context into the environment, or answers 401 itself (api-conventions-context).

    One object serves all threads.
    """

    scheme: ClassVar[str | None] = None
    """The authentication scheme named in a 401; None if another filter names it."""

    identity: Identity | None = None
    """The log-in that the service itself offers; None without one."""

    def __init__(
        self, app: WSGIApplication, conf: cfg.ConfigOpts, enforcer: Enforcer, find_link: Finder = no_links
    ) -> None:
        self._app = app
        self._find_link = find_link
        self._enforcer = enforcer
        self._longest_request_id = conf.max_request_id_length
        self._is_anonymous_allowed = conf.allow_anonymous_access
        self._realm = conf.authentication.realm

    @abstractmethod
    def identify(self, environ: WSGIEnvironment) -> Context | None:
        """Return the caller, with roles in lower case; None for a caller without valid credentials.

        Raises Forbidden for a known caller who may not make this request.
        """

    def maker_of(self, link: Link) -> Context | None:
        """Return the caller who made ``link``, as it is now; None if that is known not to exist any more."""
        return context_of_link(link)

    def claimed_name(self, environ: WSGIEnvironment) -> str | None:
        """Return the name of the user that the caller claims to be, None if the credentials name none."""
        return None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        remember(None)
        if self.identity is not None and path_of(environ) is not None:
            return self.identity.application.respond(environ, start_response, self._known)
        try:
            context = self._context(environ)
        except (LinkNotFound, Unavailable) as refusal:
            return error_response(refusal, environ.get("HTTP_ACCEPT"))(environ, start_response)
        except (HttpError, Forbidden, TooManyAttempts, exc.HTTPUnauthorized) as refusal:
            if environ.keys() & _CREDENTIALS and not isinstance(refusal, HttpError):
                log_refused_login(environ, self.claimed_name(environ), refusal)
            return error_response(refusal, environ.get("HTTP_ACCEPT"))(environ, start_response)
        remember(context)
        environ[CONTEXT_KEY] = context
        return self._app(environ, answering_with(context.request_id, start_response))

    def _context(self, environ: WSGIEnvironment) -> Context:
        request_id, sent = take_request_id(environ, self._longest_request_id)
        caller = self._caller(environ)
        is_admin = caller.is_admin or self._enforcer.context_is_admin(caller)
        return replace(caller, request_id=request_id, global_request_id=sent, is_admin=is_admin)

    def _caller(self, environ: WSGIEnvironment) -> Context:
        link = used_link(environ, self._find_link)
        if link is None:
            return self._known(environ) or self._unauthenticated()
        maker = self.maker_of(link)
        if maker is None:
            raise LinkNotFound()
        return maker

    def _known(self, environ: WSGIEnvironment) -> Context | None:
        """Return the caller by the token of a log-in, or as the flavour knows callers."""
        session = self.identity.session(environ) if self.identity else None
        return session.context if session else self.identify(environ)

    def _unauthenticated(self) -> Context:
        if self._is_anonymous_allowed:
            return _ANONYMOUS
        headers = {"WWW-Authenticate": f'{self.scheme} realm="{self._realm}"'} if self.scheme else {}
        raise exc.HTTPUnauthorized("This request needs valid credentials.", headers=headers)


def maker_among(users: Users, link: Link) -> Context | None:
    """Return who made ``link``, with the present roles of that user of the users file; None if it has none."""
    user = users.by_name.get(link.user_id or "")
    roles = user.roles(link.project_id) if user is not None and link.project_id is not None else ()
    return context_of_grant(user.name, link.project_id, roles) if user and link.project_id and roles else None


def context_of_grant(user: str, project: str, roles: tuple[str, ...]) -> Context:
    """Return the context of a user of the users file who acts in ``project``."""
    return Context(user_id=user, project_id=project, roles=roles)
