"""What of a location may be shown to people: never user, password, key or query, nor the folders of a server's disk.

Used by every error and log line of this package. It does not parse: it must also be safe on a broken URI, so
where the text is ambiguous it shows less.
"""

import re

_SHOWN = 300
_PORT = re.compile(r"[^:]*(:\d*)?|\[[0-9A-Fa-f:.%]*\](:\d*)?")


def redact(uri: str) -> str:
    """Return ``uri`` without user information, query and fragment, printable and at most 300 characters long.

    Of a local file only the name is shown.

    A text whose parts cannot be told apart for certain (an ``@`` behind a ``?``, a colon that begins no port)
    is cut down to ``scheme://***``. Safe on any text.
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
    """Return ``text`` fit for one log line: no control characters, bounded."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_SHOWN])
