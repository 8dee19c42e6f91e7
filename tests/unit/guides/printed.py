"""The code blocks of a page of the manual."""

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

_BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n\n((?:(?:[ ]{4}.*)?\n)+)", re.MULTILINE)


def printed(page: str, language: str) -> list[str]:
    """Return the blocks of ``language`` in ``page`` in their order, without their indentation."""
    text = (ROOT / "doc" / "source" / page).read_text()
    return [textwrap.dedent(code).strip() + "\n" for kind, code in _BLOCK.findall(text) if kind == language]
