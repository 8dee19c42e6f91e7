"""The building blocks that other rules refer to, and the form that all rules share (api-policies)."""

from oslo_policy import policy

ADMIN = "rule:context_is_admin"
SERVICE = "rule:service_api"
MEMBER = f"{ADMIN} or (role:member and project_id:%(project_id)s)"
"""A member of the project that owns the target."""
READER = f"{ADMIN} or (role:reader and project_id:%(project_id)s)"
"""A reader of the project that owns the target."""

SCOPES = ["project"]


def rule(name: str, check: str, description: str, *operations: tuple[str, str]) -> policy.DocumentedRuleDefault:
    """Return the rule ``name`` that guards ``operations``, pairs of HTTP method and path."""
    return policy.DocumentedRuleDefault(
        name,
        check,
        description,
        [{"method": method, "path": path} for method, path in operations],
        scope_types=SCOPES,
    )


RULES = (
    policy.RuleDefault("default", "", "Open to every caller, for other rules to refer to.", scope_types=SCOPES),
    policy.RuleDefault(
        "context_is_admin",
        "role:admin",
        "Who is an administrator, and sees and changes the images of all projects. Other rules refer to it.",
        scope_types=SCOPES,
    ),
    policy.RuleDefault(
        "service_api",
        "role:service or role:admin",
        "Who acts for another service of the cloud, by the roles of the caller's own token and not those "
        "of an additional service token. Administrators are included during a transition.",
        scope_types=SCOPES,
    ),
)
