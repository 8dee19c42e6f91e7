"""Rules of the data of images."""

from glance_mini.policies.base import ADMIN, MEMBER, rule

DOWNLOAD = (
    f"{ADMIN} or (role:member and (project_id:%(project_id)s or project_id:%(member_id)s or "
    "'community':%(visibility)s or 'public':%(visibility)s or 'shared':%(visibility)s))"
)

FILE = "/v2/images/{image_id}/file"
UPLOAD = "/v2/images/{image_id}/upload"

RULES = (
    rule(
        "download_image",
        DOWNLOAD,
        "Download the data of an image, from a store or from a cache.",
        ("GET", FILE),
        ("GET", "/v2/images/{image_id}/blocks"),
    ),
    rule(
        "download_from_store",
        DOWNLOAD,
        "Choose the stores to download the data of an image from.",
        ("GET", f"{FILE}?prefer={{store_ids}}"),
    ),
    rule(
        "upload_image",
        MEMBER,
        "Upload the data of an image, at once or so that it may break off and go on.",
        ("PUT", FILE),
        ("POST", UPLOAD),
        ("GET", UPLOAD),
        ("HEAD", f"{UPLOAD}/{{session_id}}"),
        ("PATCH", f"{UPLOAD}/{{session_id}}"),
        ("DELETE", f"{UPLOAD}/{{session_id}}"),
    ),
)
