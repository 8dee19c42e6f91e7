"""SQL functions that make JSON of child rows in the database, so that a page of images is one statement.

``json_object(key, value)`` and ``json_array(value...)`` aggregate to text; several values of a row form an array.
"""

from sqlalchemy import BigInteger, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import Join

_NAMES = {
    "postgresql": ("json_object_agg", "json_agg", "json_build_array"),
    "sqlite": ("json_group_object", "json_group_array", "json_array"),
    "mysql": ("JSON_OBJECTAGG", "JSON_ARRAYAGG", "JSON_ARRAY"),
}


class json_object(FunctionElement[str]):
    """The text of a JSON object from the rows of a group; null if the group is empty."""

    name = "json_object"
    type = Text()
    inherit_cache = True


class json_array(FunctionElement[str]):
    """The text of a JSON array from the rows of a group; null if the group is empty."""

    name = "json_array"
    type = Text()
    inherit_cache = True


@compiles(json_object)
def _json_object(element: json_object, compiler: SQLCompiler, **kw: object) -> str:
    function = _NAMES[compiler.dialect.name][0]
    return _as_text(f"{function}({compiler.process(element.clauses, **kw)})", compiler)


@compiles(json_array)
def _json_array(element: json_array, compiler: SQLCompiler, **kw: object) -> str:
    _, function, inner = _NAMES[compiler.dialect.name]
    values = compiler.process(element.clauses, **kw)
    if len(element.clauses) > 1:
        values = f"{inner}({values})"
    array = f"{function}({values})"
    # SQLite makes an empty array of no rows.
    return f"NULLIF({array}, '[]')" if compiler.dialect.name == "sqlite" else _as_text(array, compiler)


class byte_length(FunctionElement[int]):
    """The number of bytes of a text in UTF-8; null if it is null."""

    name = "byte_length"
    type = BigInteger()
    inherit_cache = True


@compiles(byte_length)
def _byte_length(element: byte_length, compiler: SQLCompiler, **kw: object) -> str:
    text = compiler.process(element.clauses, **kw)
    return f"length(CAST({text} AS BLOB))" if compiler.dialect.name == "sqlite" else f"octet_length({text})"


def _as_text(aggregate: str, compiler: SQLCompiler) -> str:
    # The driver would decode PostgreSQL's json type itself, but more slowly.
    return f"CAST({aggregate} AS text)" if compiler.dialect.name == "postgresql" else aggregate


class StraightJoin(Join):
    """An inner join that reads the left table first. Only PostgreSQL needs no hint for a good order."""

    inherit_cache = True


@compiles(StraightJoin)
def _join(element: StraightJoin, compiler: SQLCompiler, **kw: object) -> str:
    return _written(element, compiler, " JOIN ", kw)


@compiles(StraightJoin, "sqlite")
def _cross_join(element: StraightJoin, compiler: SQLCompiler, **kw: object) -> str:
    return _written(element, compiler, " CROSS JOIN ", kw)


@compiles(StraightJoin, "mysql")
def _straight_join(element: StraightJoin, compiler: SQLCompiler, **kw: object) -> str:
    return _written(element, compiler, " STRAIGHT_JOIN ", kw)


def _written(element: StraightJoin, compiler: SQLCompiler, word: str, kw: dict[str, object]) -> str:
    kw["asfrom"] = True
    kw.pop("from_linter", None)
    assert element.onclause is not None
    left, right = compiler.process(element.left, **kw), compiler.process(element.right, **kw)
    return f"{left}{word}{right} ON {compiler.process(element.onclause, **kw)}"
