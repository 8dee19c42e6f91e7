"""The rules that say which images a node fetches into its cache without being asked for them."""

from dataclasses import dataclass

PUBLIC, TAG, POPULAR = "public", "tag", "popular"


@dataclass(frozen=True, slots=True)
class PrefetchRule:
    """``kind`` is one of the constants above; ``tag`` belongs to TAG, ``count`` (images) to POPULAR."""

    kind: str
    tag: str = ""
    count: int = 0


def parse_rule(text: str) -> PrefetchRule:
    """Return the rule that ``public``, ``tag:NAME`` or ``popular:NUMBER`` describes; raises ValueError."""
    kind, _, value = text.strip().partition(":")
    if kind == PUBLIC and not value:
        return PrefetchRule(PUBLIC)
    if kind == TAG and value:
        return PrefetchRule(TAG, tag=value)
    if kind == POPULAR and value.isdecimal() and int(value):
        return PrefetchRule(POPULAR, count=int(value))
    raise ValueError(f"'{text}' is none of public, tag:NAME and popular:NUMBER")
