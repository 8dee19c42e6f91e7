"""Rules of the information about stores."""

from glance_mini.policies.base import ADMIN, SERVICE, rule

RULES = (
    rule(
        "stores_info_detail",
        f"{ADMIN} or {SERVICE}",
        "Show the stores with their types and settings.",
        ("GET", "/v2/info/stores/detail"),
    ),
)
