"""The calls of the Identity API that are answered, by path and method.

Paths are without the prefix ``/identity``; the empty one is the list of versions. HEAD is answered as GET.
"""

from collections.abc import Mapping

ROUTES: Mapping[str, Mapping[str, str]] = {
    "": {"GET": "identity_versions"},
    "/v3": {"GET": "identity_version"},
    "/v3/auth/tokens": {
        "POST": "identity_issue_token",
        "GET": "identity_show_token",
        "DELETE": "identity_revoke_token",
    },
    "/v3/auth/catalog": {"GET": "identity_catalog"},
    "/v3/auth/projects": {"GET": "identity_own_projects"},
    "/v3/auth/domains": {"GET": "identity_own_domains"},
    "/v3/projects": {"GET": "identity_list_projects"},
    "/v3/projects/{id}": {"GET": "identity_get_project"},
    "/v3/users": {"GET": "identity_list_users"},
    "/v3/users/{id}": {"GET": "identity_get_user"},
    "/v3/users/{id}/projects": {"GET": "identity_projects_of_user"},
    "/v3/domains": {"GET": "identity_list_domains"},
    "/v3/domains/{id}": {"GET": "identity_get_domain"},
    "/v3/role_assignments": {"GET": "identity_role_assignments"},
}
"""The name of each call, as the metrics and the OpenAPI document have it."""

OPEN = ("identity_versions", "identity_version", "identity_issue_token")
"""The calls that need no caller."""
