"""Rules of the locations of images, the places where their data is stored."""

from glance_mini.policies.base import ADMIN, MEMBER, READER, SERVICE, rule

IMAGE = "/v2/images/{image_id}"
LOCATIONS = f"{IMAGE}/locations"
COPY = "/v2/stores/{store_id}/{image_id}"

RULES = (
    rule("delete_image_location", ADMIN, "Remove a location and its data.", ("PATCH", IMAGE), ("DELETE", COPY)),
    rule("get_image_location", READER, "See in which stores an image has data.", ("DELETE", COPY)),
    rule("set_image_location", MEMBER, "Add or replace locations of an image.", ("PATCH", IMAGE)),
    rule(
        "add_image_location",
        f"{SERVICE} or {MEMBER}",
        "Register existing data as a location of a queued image.",
        ("POST", LOCATIONS),
    ),
    rule(
        "fetch_image_location",
        SERVICE,
        "Read the locations of an image. They may hold credentials of a store.",
        ("GET", LOCATIONS),
    ),
)
