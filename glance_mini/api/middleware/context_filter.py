"""What all kinds of authentication share: they give the application a context or refuse the request.

A flavour is a subclass that identifies the caller. The layers decide what the caller may do.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from oslo_config import cfg
from webob import exc

from glance_mini.api.errors import HttpError, error_response
from glance_mini.api.middleware.request_id import answering_with, remember, take_request_id
from glance_mini.api.request import CONTEXT_KEY
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Forbidden, TooManyAttempts
from glance_mini.policies.enforcer import Enforcer

LOG = logging.getLogger(__name__)

_CREDENTIALS = {"HTTP_X_AUTH_TOKEN", "HTTP_AUTHORIZATION"}
_LONGEST_NAME = 255

_ANONYMOUS = Context(read_only=True)


class ContextFilter:
    """Puts the caller's context into the environment, or answers 401 itself (api-conventions-context).

    One object serves all threads.
    """

    scheme: ClassVar[str | None] = None
    """The authentication scheme named in a 401; None if another filter names it."""

    def __init__(self, app: WSGIApplication, conf: cfg.ConfigOpts, enforcer: Enforcer) -> None:
        self._app = app
        self._enforcer = enforcer
        self._longest_request_id = conf.max_request_id_length
        self._is_anonymous_allowed = conf.allow_anonymous_access
        self._realm = conf.authentication.realm

    def identify(self, environ: WSGIEnvironment) -> Context | None:
        """Return the caller, with roles in lower case; None for a caller without valid credentials.

        Raises Forbidden for a known caller who may not make this request.
        """
        raise NotImplementedError

    def claimed_name(self, environ: WSGIEnvironment) -> str | None:
        """Return the name of the user that the caller claims to be, None if the credentials name none."""
        return None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        remember(None)
        try:
            context = self._context(environ)
        except (HttpError, Forbidden, TooManyAttempts, exc.HTTPUnauthorized) as refusal:
            if environ.keys() & _CREDENTIALS and not isinstance(refusal, HttpError):
                self._log_refusal(environ, refusal)
            return error_response(refusal, environ.get("HTTP_ACCEPT"))(environ, start_response)
        remember(context)
        environ[CONTEXT_KEY] = context
        return self._app(environ, answering_with(context.request_id, start_response))

    def _context(self, environ: WSGIEnvironment) -> Context:
        request_id, sent = take_request_id(environ, self._longest_request_id)
        caller = self.identify(environ)
        if caller is None:
            caller = self._unauthenticated()
        is_admin = caller.is_admin or self._enforcer.context_is_admin(caller)
        return replace(caller, request_id=request_id, global_request_id=sent, is_admin=is_admin)

    def _log_refusal(self, environ: WSGIEnvironment, refusal: Exception) -> None:
        name, address = self.claimed_name(environ), environ.get("REMOTE_ADDR") or "a local socket"
        user = f" as user {name[:_LONGEST_NAME]!r}" if name else ""
        LOG.warning("A login%s from %s was refused: %s", user, address, refusal)

    def _unauthenticated(self) -> Context:
        if self._is_anonymous_allowed:
            return _ANONYMOUS
        headers = {"WWW-Authenticate": f'{self.scheme} realm="{self._realm}"'} if self.scheme else {}
        raise exc.HTTPUnauthorized("This request needs valid credentials.", headers=headers)


def context_of_grant(user: str, project: str, roles: tuple[str, ...]) -> Context:
    """Return the context of a user of the users file who acts in ``project``."""
    return Context(user_id=user, project_id=project, roles=roles)
