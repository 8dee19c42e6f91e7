"""Rules of links, by which anybody who has one downloads one image as the caller who made it.

Each use of a link is checked as a download of that caller.
"""

from glance_mini.policies.base import rule
from glance_mini.policies.data import DOWNLOAD

LINKS = "/v2/images/{image_id}/links"
ONE = f"{LINKS}/{{link_id}}"

RULES = (
    rule(
        "add_link",
        DOWNLOAD,
        "Make a link by which the data of an image is downloaded without credentials, or sent to a store. "
        "``download_image``, or ``upload_image``, must allow it too.",
        ("POST", LINKS),
    ),
    rule("get_links", DOWNLOAD, "List one's own links to an image, and all of one's own image.", ("GET", LINKS)),
    rule("delete_link", DOWNLOAD, "End one's own link to an image, or any of one's own image.", ("DELETE", ONE)),
)
