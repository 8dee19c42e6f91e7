"""Rules of the information about the service."""

from glance_mini.policies.base import ADMIN, SERVICE, rule

RULES = (
    rule(
        "stores_info_detail",
        f"{ADMIN} or {SERVICE}",
        "Show the stores with their types and settings.",
        ("GET", "/v2/info/stores/detail"),
    ),
    rule("list_usage", ADMIN, "Show what all projects use and may use.", ("GET", "/v2/info/usage/projects")),
    rule(
        "check_configuration",
        ADMIN,
        "Show what the options of the service are warned about.",
        ("GET", "/v2/info/configuration"),
    ),
)
