"""Parses sizes as operators write them."""

import re

_FACTORS = {"": 1, "B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
_SIZE = re.compile(r"([0-9]+)\s*([KMGT]?B)?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Return ``text`` in bytes: a whole number with an optional unit B, KB, MB, GB or TB (powers of 1024).

    Case and spaces do not matter. Raises ValueError. Source: api-quotas-projects.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"'{text}' is not a size: it must be a whole number with an optional unit B, KB, MB, GB or TB")
    return int(match[1]) * _FACTORS[(match[2] or "").upper()]
