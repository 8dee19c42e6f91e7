"""Rules of the stream of events."""

from glance_mini.policies.base import READER, rule

RULES = (
    rule(
        "watch_events",
        READER,
        "Follow the changes of the images and tasks that one may see. The target is the caller's own project.",
        ("GET", "/v2/events"),
    ),
)
