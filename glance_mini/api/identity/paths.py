"""The paths of the Identity API: ``/v3`` and ``/identity/v3`` are the same."""

from wsgiref.types import WSGIEnvironment

_UNVERSIONED = "/identity"
_VERSION = "/v3"


def split_path(path: str) -> tuple[str, str] | None:
    """Return the prefix of the API in ``path`` and the rest without a slash at its end; None for another path.

    The rest is empty for the list of versions.
    """
    prefix = _UNVERSIONED if path == _UNVERSIONED or path.startswith(f"{_UNVERSIONED}/") else ""
    rest = path.removeprefix(prefix).rstrip("/")
    is_ours = prefix or rest == _VERSION or rest.startswith(f"{_VERSION}/")
    return (prefix, rest) if is_ours else None


def path_of(environ: WSGIEnvironment) -> tuple[str, str] | None:
    """Return what ``split_path`` returns for a request whose path is valid UTF-8."""
    return split_path(str(environ.get("PATH_INFO", "")).encode("latin-1").decode())
