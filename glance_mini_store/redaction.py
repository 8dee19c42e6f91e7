"""Redacts locations for people: without user, password, key and query, and without the folders of local files.

Every error and log line of this package uses it. It does not parse the URI, because it must be safe on a malformed one;
it shows less of an ambiguous text.
"""

import re

_SHOWN = 300
_PORT = re.compile(r"[^:]*(:\d*)?|\[[0-9A-Fa-f:.%]*\](:\d*)?")


def redact(uri: str) -> str:
    """Return ``uri`` without user information, query and fragment, printable and at most 300 characters long.

    Of a local file only the name is shown. An ambiguous text (an ``@`` after a ``?``, a colon without a port) becomes
    ``scheme://***``. Safe on any text.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator:
        scheme, rest = "", uri
    prefix = scheme + separator
    shown = re.split(r"[?#]", rest, maxsplit=1)[0]
    if "@" in rest[len(shown) :]:
        return _printable(f"{prefix}***")
    shown = shown.rpartition("@")[2]
    if scheme in ("file", "filesystem"):
        return _printable(f"{prefix}***/{shown.rpartition('/')[2]}")
    if scheme != "sheepdog" and not _PORT.fullmatch(shown.partition("/")[0]):
        return _printable(f"{prefix}***")
    return _printable(prefix + shown)


def _printable(text: str) -> str:
    """Return ``text`` for one log line: without control characters, at most 300 characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_SHOWN])
