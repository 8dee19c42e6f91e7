"""Tables of the operations that layers handle, made from the code when the manual is built: ``.. show-operations::``.

The options ``public``, ``internal`` and ``changes`` choose what is shown.
"""

import re
import types
import typing
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields

from glance_mini.domain.changes import Change
from glance_mini.operations import OPERATIONS

_MODULE = re.compile(r"\b(?:[a-z_]+\.)+(?=[A-Za-z])")


def entries(choice: str) -> Iterator[tuple[str, str, str]]:
    """Yield title, first paragraph of the description and fields of each operation, or of each type of change."""
    kinds: list[tuple[str, type]] = [(each.__name__, each) for each in typing.get_args(Change)]
    if choice != "changes":
        kinds = [
            (f"{each.name} ({each.__name__})", each) for each in OPERATIONS if each.internal == (choice == "internal")
        ]
    for title, kind in kinds:
        text = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
        yield title, text, ", ".join(_described(each, typing.get_type_hints(kind)[each.name]) for each in fields(kind))


def _described(field: "Field[object]", kind: object) -> str:
    text = f"``{field.name}: {_name(kind)}``"
    if field.default is MISSING and field.default_factory is MISSING:
        return text
    return f"{text} (optional)"


def _name(kind: object) -> str:
    plain = isinstance(kind, type) and not isinstance(kind, types.GenericAlias)
    return kind.__name__ if plain else _MODULE.sub("", str(kind))


def lines(choice: str) -> list[str]:
    """Return the definition list in reStructuredText."""
    found: list[str] = []
    for title, text, listed in entries(choice):
        found += [title, f"    {text}", "", f"    Fields: {listed or 'none'}.", ""]
    return found


def setup(app: typing.Any) -> dict[str, bool]:
    """Add the directive to Sphinx."""
    from docutils import nodes
    from docutils.statemachine import StringList
    from sphinx.util.docutils import SphinxDirective

    class ShowOperations(SphinxDirective):
        required_arguments = 1

        def run(self) -> list[nodes.Node]:
            parent = nodes.container()
            self.state.nested_parse(StringList(lines(self.arguments[0]), source="operations"), 0, parent)
            return parent.children

    app.add_directive("show-operations", ShowOperations)
    return {"parallel_read_safe": True}
