"""Rules of the members of an image, the projects that it is shared with.

The target is the image; for a single membership, ``member_id`` is its project.
"""

from glance_mini.policies.base import ADMIN, MEMBER, rule

READ = f"{ADMIN} or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s))"
ANSWER = f"{ADMIN} or (role:member and project_id:%(member_id)s)"

MEMBERS = "/v2/images/{image_id}/members"
ONE = f"{MEMBERS}/{{member_id}}"

RULES = (
    rule("add_member", MEMBER, "Share an image with a project.", ("POST", MEMBERS)),
    rule("delete_member", MEMBER, "Stop sharing an image with a project.", ("DELETE", ONE)),
    rule("get_member", READ, "Show one membership.", ("GET", ONE)),
    rule("get_members", READ, "List the projects that an image is shared with.", ("GET", MEMBERS)),
    rule(
        "modify_member",
        ANSWER,
        "Accept or reject an image that is shared with the caller's project.",
        ("PUT", ONE),
    ),
)
