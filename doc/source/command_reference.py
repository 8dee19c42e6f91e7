"""The commands, made from their argument parsers when the manual is built.

``.. show-commands:: PROGRAM`` shows each command with its arguments, and ``.. list-commands::`` is a table of those of
``glance-mini-manage``.
"""

import argparse
import typing
from collections.abc import Iterator

from glance_mini.cmd import main, manage, registry, worker

_EVERYWHERE = ("help", "config_file", "state")


def parsers(program: str) -> Iterator[argparse.ArgumentParser]:
    """Yield the parser of each command of a program, in the order of its help."""
    if program == main.PROGRAM:
        yield from (_commands(main.make_parser([name]))[name] for name in _commands(main.make_parser([])))
    elif program == worker.PROGRAM:
        yield worker.make_parser()
    elif program == registry.PROGRAM:
        yield from _leaves(registry.make_parser())
    else:
        yield from _leaves(manage.make_parser())


def _leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    below = _commands(parser)
    if not below:
        yield parser
    for each in below.values():
        yield from _leaves(each)


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return next((each.choices for each in parser._actions if isinstance(each, argparse._SubParsersAction)), {})


def lines(program: str) -> list[str]:
    """Return the definition list of the commands of a program in reStructuredText."""
    found: list[str] = []
    for parser in parsers(program):
        arguments = [action for action in parser._actions if action.dest not in _EVERYWHERE]
        found += [f"``{parser.prog}``", f"    {_text(parser.description)}", ""]
        for action in arguments:
            found += [f"    ``{_name(parser, action)}``", f"        {_text(action.help)}", ""]
        if example := parser.get_default("example"):
            found += [f"    Example: ``{program} {example}``", ""]
    return found


def _name(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    formatter = parser._get_formatter()
    value = formatter._format_args(action, formatter._get_default_metavar_for_optional(action))
    if not action.option_strings:
        positional = formatter._get_default_metavar_for_positional(action)
        return formatter._format_args(action, positional)
    return ", ".join(f"{each} {value}".rstrip() for each in action.option_strings)


def _text(help_text: str | None) -> str:
    # Some of it is in the form that the help of a terminal has.
    plain = " ".join((help_text or "").replace("%%", "%").split())
    return plain.replace("*", "\\*").replace("|", "\\|").replace("`", "``")


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the words, the purpose and whether it asks first of each command of ``glance-mini-manage``."""
    for parser in parsers("glance-mini-manage"):
        words = parser.prog.partition(" ")[2]
        yield words, parser.get_default("text"), "yes" if parser.get_default("question") else "no"


def table() -> list[str]:
    """Return the table in reStructuredText."""
    head = [".. csv-table::", "   :header: Command | What it does | Asks first", "   :widths: 22, 66, 12"]
    return [*head, "   :delim: |", "", *(f"   ``{words}`` | {text} | {asks}" for words, text, asks in rows())]


def setup(app: typing.Any) -> dict[str, bool]:
    """Add the directives to Sphinx."""
    from docutils import nodes
    from docutils.statemachine import StringList
    from sphinx.util.docutils import SphinxDirective

    def parsed(directive: SphinxDirective, text: list[str]) -> list[nodes.Node]:
        parent = nodes.container()
        directive.state.nested_parse(StringList(text, source="commands"), 0, parent)
        return parent.children

    class ShowCommands(SphinxDirective):
        required_arguments = 1

        def run(self) -> list[nodes.Node]:
            return parsed(self, lines(self.arguments[0]))

    class ListCommands(SphinxDirective):
        def run(self) -> list[nodes.Node]:
            return parsed(self, table())

    app.add_directive("show-commands", ShowCommands)
    app.add_directive("list-commands", ListCommands)
    return {"parallel_read_safe": True}
