"""Why data is changed: the call of the API behind it, as plain data that may cross a network."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """The operation of the API and its caller; ``store`` is the id of the store that the request named, if any."""

    operation: str
    user_id: str | None = None
    project_id: str | None = None
    roles: tuple[str, ...] = ()
    request_id: str = ""
    store: str | None = None

    def caller(self) -> Mapping[str, object]:
        """Return who caused it, in the form of notifications."""
        return {
            "request_id": self.request_id,
            "user_id": self.user_id,
            "project_id": self.project_id,
            "roles": list(self.roles),
        }
