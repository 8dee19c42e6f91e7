"""A join whose left table leads: its rows are read in the order of an index, and the right ones looked up."""

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import Join


class InOrder(Join):
    """An inner join, left table first; PostgreSQL judges for itself, the others guess wrong and are told."""

    inherit_cache = True


@compiles(InOrder)
def _join(element: InOrder, compiler: SQLCompiler, **kw: Any) -> str:
    return _written(element, compiler, " JOIN ", kw)


@compiles(InOrder, "sqlite")
def _cross_join(element: InOrder, compiler: SQLCompiler, **kw: Any) -> str:
    return _written(element, compiler, " CROSS JOIN ", kw)


@compiles(InOrder, "mysql")
def _straight_join(element: InOrder, compiler: SQLCompiler, **kw: Any) -> str:
    return _written(element, compiler, " STRAIGHT_JOIN ", kw)


def _written(element: InOrder, compiler: SQLCompiler, word: str, kw: dict[str, Any]) -> str:
    kw["asfrom"] = True
    kw.pop("from_linter", None)
    assert element.onclause is not None
    left, right = compiler.process(element.left, **kw), compiler.process(element.right, **kw)
    return f"{left}{word}{right} ON {compiler.process(element.onclause, **kw)}"
