"""The cause of a change of data: the API call behind it, as plain data that can be sent over a network."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """The API operation and its caller; ``store`` is the id of the store that the request named, if any."""

    operation: str
    user_id: str | None = None
    project_id: str | None = None
    roles: tuple[str, ...] = ()
    request_id: str = ""
    store: str | None = None

    def caller(self) -> Mapping[str, object]:
        """Return the caller in the form that notifications use."""
        return {
            "request_id": self.request_id,
            "user_id": self.user_id,
            "project_id": self.project_id,
            "roles": list(self.roles),
        }
