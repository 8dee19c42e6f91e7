"""Rules of images: their records, visibility and whether they can be downloaded."""

from glance_mini.policies.base import ADMIN, MEMBER, READER, rule

CREATE = f"{ADMIN} or (role:member and project_id:%(project_id)s and project_id:%(owner)s)"
READ = (
    f"{ADMIN} or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s or "
    "'community':%(visibility)s or 'public':%(visibility)s or 'shared':%(visibility)s))"
)

IMAGES = "/v2/images"
IMAGE = "/v2/images/{image_id}"

RULES = (
    rule("add_image", CREATE, "Create an image.", ("POST", IMAGES)),
    rule("delete_image", MEMBER, "Delete an image and its data.", ("DELETE", IMAGE)),
    rule("restore_image", MEMBER, "Restore a deleted image.", ("POST", f"{IMAGE}/actions/restore")),
    rule("purge_image", MEMBER, "Delete a deleted image for good.", ("POST", f"{IMAGE}/actions/purge")),
    rule(
        "get_image",
        READ,
        "Show an image. If it refuses, the image does not exist for the caller. It lets every reader see "
        "shared images, because the service finds them for their owner and members only.",
        ("GET", IMAGE),
        ("GET", IMAGES),
    ),
    rule("get_images", READER, "List images. The target is the caller's own project.", ("GET", IMAGES)),
    rule(
        "modify_image",
        MEMBER,
        "Change properties and tags of an image, stage data for it and import it.",
        ("PATCH", IMAGE),
        ("PUT", f"{IMAGE}/tags/{{tag}}"),
        ("DELETE", f"{IMAGE}/tags/{{tag}}"),
        ("PUT", f"{IMAGE}/stage"),
        ("POST", f"{IMAGE}/import"),
    ),
    rule(
        "publicize_image",
        ADMIN,
        "Make an image public: every project sees it in its lists.",
        ("POST", IMAGES),
        ("PATCH", IMAGE),
    ),
    rule(
        "communitize_image",
        MEMBER,
        "Make an image community: every project that knows of it can use it.",
        ("POST", IMAGES),
        ("PATCH", IMAGE),
    ),
    rule("deactivate", MEMBER, "Forbid the download of an image.", ("POST", f"{IMAGE}/actions/deactivate")),
    rule("reactivate", MEMBER, "Allow the download of an image again.", ("POST", f"{IMAGE}/actions/reactivate")),
    rule(
        "coalesce_image",
        MEMBER,
        "Store the complete disk of an incremental image in place of its delta. With flatten=true, sharing an image "
        "needs it too.",
        ("POST", f"{IMAGE}/actions/coalesce"),
        ("PATCH", IMAGE),
        ("POST", f"{IMAGE}/members"),
    ),
    rule(
        "rebase_image",
        MEMBER,
        "Store what differs from another image in place of the data of an image.",
        ("POST", f"{IMAGE}/actions/rebase"),
    ),
    rule(
        "convert_image",
        MEMBER,
        "Store the disk of an image in another format.",
        ("POST", f"{IMAGE}/actions/convert"),
    ),
    rule(
        "copy_image",
        ADMIN,
        "Copy the data of an image to further stores.",
        ("POST", f"{IMAGE}/import"),
    ),
)
