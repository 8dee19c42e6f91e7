"""Who a store acts for, for backends that know the users of the service themselves."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Caller:
    """A user of the service: ``project_id`` owns new data, ``token`` is what the user sent to Keystone.

    Without a token the store acts for the project with credentials of its own.
    """

    project_id: str | None = None
    user_id: str | None = None
    roles: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)
