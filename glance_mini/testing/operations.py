"""Operations and their results for tests, made from the types that they declare: a new operation needs no line here."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime, timedelta
from types import NoneType
from typing import get_args, get_origin, get_type_hints

from glance_mini.domain.image import Image
from glance_mini.domain.imports import WEB_DOWNLOAD, ImportRequest
from glance_mini.domain.job import Job
from glance_mini.domain.metadefs import NamespaceContent, TagDefinition
from glance_mini.operations.base import Operation
from glance_mini.testing.samples import IMAGE_ID, TIME, make_image, make_job, make_namespace

SOURCE = "http://images.example.org/image.raw"

_BY_NAME: Mapping[str, Callable[[], object]] = {
    "image": make_image,
    "image_id": lambda: IMAGE_ID,
    "url": lambda: SOURCE,
    "base": lambda: {"name": "sample", "owner": "p1"},
    "request": lambda: ImportRequest(method={"name": WEB_DOWNLOAD, "uri": SOURCE}),
    "type": lambda: "import",
    "found": make_namespace,
    "resource_type": lambda: "OS::Glance::Image",
    "content": lambda: NamespaceContent(make_namespace(), tags=(TagDefinition("fast"),)),
    "input": lambda: {"import_from": SOURCE, "import_from_format": "raw"},
}
"""Fields for which not every value of their type is harmless, or that are given where they have a default too."""

_BY_TYPE: Mapping[object, Callable[[], object]] = {
    Image: make_image,
    Job: make_job,
    str: lambda: "sample",
    int: lambda: 1,
    bool: lambda: False,
    datetime: lambda: TIME,
    timedelta: lambda: timedelta(minutes=1),
    object: lambda: None,
    None: lambda: None,
    NoneType: lambda: None,
}


def make_operation(operation: type[Operation[object]]) -> Operation[object]:
    """Return an operation of that type with harmless values, its target loaded."""
    return operation(**_values(operation))


def make_result(operation: type[Operation[object]]) -> object:
    """Return a result such as that operation has; of results that may be None, one that is not."""
    for base in getattr(operation, "__orig_bases__", ()):
        origin = get_origin(base)
        if isinstance(origin, type) and issubclass(origin, Operation):
            return make_value(get_args(base)[0])
    raise TypeError(f"{operation.__name__} does not declare its result")


def make_value(kind: object) -> object:
    """Return a value of that type: of collections one with one element where that makes sense.

    Raises TypeError for a type that it does not know.
    """
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]()
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**_values(kind))
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if NoneType in arguments:
        return make_value(next(each for each in arguments if each is not NoneType))
    if origin is tuple:
        return tuple(make_value(each) for each in arguments if each is not Ellipsis)
    if not isinstance(origin, type):
        raise TypeError(f"no sample for {kind}")
    if issubclass(origin, Set):
        return frozenset(make_value(each) for each in arguments)
    if issubclass(origin, Mapping):
        return {}
    if issubclass(origin, Iterator):
        return _no_chunks()
    if issubclass(origin, Sequence | Iterable):
        return ()
    raise TypeError(f"no sample for {kind}")


def _no_chunks() -> Iterator[bytes]:
    yield from ()


def _values(of: type) -> dict[str, object]:
    hints = get_type_hints(of)
    return {
        field.name: _BY_NAME[field.name]() if field.name in _BY_NAME else make_value(hints[field.name])
        for field in fields(of)
        if field.init and (_is_required(field) or (issubclass(of, Operation) and field.name in _BY_NAME))
    }


def _is_required(field: Field[object]) -> bool:
    # In a subclass of one with defaults a field that must be given has an empty text.
    return field.default == "" or (field.default is MISSING and field.default_factory is MISSING)
