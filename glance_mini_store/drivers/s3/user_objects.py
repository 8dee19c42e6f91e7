"""Objects of users that are the data of images: which ones users may name, and that they stay what they were."""

import re
from dataclasses import dataclass
from typing import Self

from glance_mini_store import errors
from glance_mini_store.drivers.s3.endpoint import Endpoint

PLACE = "$(project_id)s"

_TEMPLATE = re.compile(rf"(?P<before>[A-Za-z0-9][A-Za-z0-9._/-]*){re.escape(PLACE)}/[A-Za-z0-9._/-]*")
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class UserObjects:
    """The bucket, or the beginning of the keys, that ``template`` gives to each project at ``endpoint``."""

    endpoint: Endpoint
    template: str

    @classmethod
    def from_option(cls, endpoint: Endpoint, template: str, own_bucket: str) -> Self:
        """Return the objects of users; raises BadStoreConfiguration, also for objects in the store's own bucket."""
        option = "s3_store_user_locations"
        if not _TEMPLATE.fullmatch(template) or not _is_plain(template.rstrip("/")):
            reason = f"it must be a bucket, or a bucket and the beginning of keys, with {PLACE}/ once"
            raise errors.BadStoreConfiguration(option=option, reason=reason)
        if template.partition("/")[0] == own_bucket:
            raise errors.BadStoreConfiguration(option=option, reason="the bucket of the store is for the store alone")
        return cls(endpoint, template)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return what all locations begin with."""
        before = self.template.partition(PLACE)[0]
        return tuple(f"{scheme}://{self.endpoint.host}/{before}" for scheme in _SCHEMES[self.endpoint.is_secure])

    def find(self, location: str) -> tuple[str, str] | None:
        """Return bucket and key of ``location``, None if it is no object where those of users are."""
        prefix = next((prefix for prefix in self.prefixes if location.startswith(prefix)), None)
        if prefix is None:
            return None
        bucket, _, key = location.partition(f"://{self.endpoint.host}/")[2].partition("/")
        return (bucket, key) if _is_plain(f"{bucket}/{key}") else None

    def of_project(self, project_id: str | None) -> str | None:
        """Return bucket and beginning of the keys of a project; None if there is no such place."""
        if project_id is None or not _PROJECT.fullmatch(project_id):
            return None
        return self.template.replace(PLACE, project_id)


_SCHEMES = {True: ("s3+https", "s3"), False: ("s3+http",)}


def _is_plain(path: str) -> bool:
    """Return whether no part of ``path`` is empty or leads elsewhere."""
    return all(part not in ("", ".", "..") for part in path.split("/"))
