"""Tells a store who it acts for: see ``glance_mini_store.caller``."""

from glance_mini.domain.context import Context
from glance_mini_store.caller import Caller


def caller_for(context: Context, owner: str | None) -> Caller:
    """Return the caller of ``context`` for the data of an image of the project ``owner``.

    An administrator of another project has no rights of its own there, so the store acts for ``owner`` then.
    """
    if context.auth_token is None or (context.is_admin and context.project_id != owner):
        return Caller(owner)
    return Caller(context.project_id, context.user_id, context.roles, context.auth_token)
