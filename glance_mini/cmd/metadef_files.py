"""Files of metadata definitions: a JSON object of one namespace with all its parts each (operator-metadefs).

The form is that of the body with which the API creates a namespace.
"""

import os
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

import orjson

from glance_mini.api.v2.metadefs.bodies import to_content
from glance_mini.api.v2.schemas.metadefs import namespace_schema
from glance_mini.api.v2.schemas.strict import StrictValidator
from glance_mini.domain.errors import Invalid
from glance_mini.domain.metadefs import (
    Association,
    NamespaceContent,
    ObjectDefinition,
    PropertyDefinition,
    TagDefinition,
)

SUFFIX = ".json"

MAX_FILE_BYTES = 16 * 2**20
"""The size of a file beyond which it is not read."""

_LONGEST_NAME = 200
"""Bytes of a file's name before the suffix; file systems allow 255."""

Document = dict[str, object]


def find_files(path: Path) -> list[Path]:
    """Return the file ``path``, or the files of definitions in the directory ``path``, by name.

    Raises Invalid if there are none, and OSError.
    """
    if not path.is_dir():
        return [path]
    files = sorted(each for each in path.iterdir() if each.suffix == SUFFIX)
    if not files:
        raise Invalid(reason=f"{path} holds no files of metadata definitions (*{SUFFIX}).")
    return files


def read_file(path: Path) -> NamespaceContent:
    """Return the namespace in a file; raises Invalid, which names the file and what is wrong with it, and OSError."""
    with open(path, "rb") as file:
        text = file.read(MAX_FILE_BYTES + 1)
    if len(text) > MAX_FILE_BYTES:
        raise Invalid(reason=f"{path} is longer than {MAX_FILE_BYTES} bytes.")
    try:
        document = orjson.loads(text)
    except ValueError as error:
        raise Invalid(reason=f"{path} is not JSON: {error}") from error
    for found in StrictValidator({"type": "object", **namespace_schema()}).iter_errors(document):
        place = "".join(f"{each}: " for each in found.absolute_path)
        raise Invalid(reason=f"{path}: {place}{found.message}")
    try:
        content = to_content(document)
    except Invalid as error:
        raise Invalid(reason=f"{path}: {error}") from error
    for parts in (content.associations, content.objects, content.tags):
        names = Counter(each.name for each in parts)
        for name in names - Counter(set(names)):
            raise Invalid(reason=f"{path}: {name} stands twice.")
    return content


def write_file(directory: Path, content: NamespaceContent) -> Path:
    """Write a namespace to a file in ``directory`` and return its path; a file with its name is replaced as a whole."""
    path = directory / f"{_file_name(content.namespace.name)}{SUFFIX}"
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(orjson.dumps(to_document(content), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    os.replace(partial, path)
    return path


def to_document(content: NamespaceContent) -> Document:
    """Return the document of a namespace: parts are sorted by name, and what is absent or empty is left out."""
    namespace = content.namespace
    return _without_empty(
        {
            **namespace.attributes(),
            "resource_type_associations": [
                _without_empty({"name": each.name, "prefix": each.prefix, "properties_target": each.properties_target})
                for each in sorted(content.associations, key=_name)
            ],
            "properties": {each.name: each.definition for each in sorted(content.properties, key=_name)},
            "objects": [
                _without_empty(
                    {
                        "name": each.name,
                        "description": each.description,
                        "required": list(each.required),
                        "properties": each.properties,
                    }
                )
                for each in sorted(content.objects, key=_name)
            ],
            "tags": [{"name": each.name} for each in sorted(content.tags, key=_name)],
        }
    )


def _file_name(namespace: str) -> str:
    """Return the namespace without what a file system may not accept in a name."""
    name = "".join(quote(each, safe="") if each in "%/\\" or not each.isprintable() else each for each in namespace)
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    encoded = name.encode()
    if len(encoded) <= _LONGEST_NAME:
        return name
    digest = blake2b(namespace.encode(), digest_size=16).hexdigest()
    return f"{encoded[: _LONGEST_NAME - len(digest) - 1].decode(errors='ignore')}-{digest}"


def _name(part: Association | PropertyDefinition | ObjectDefinition | TagDefinition) -> str:
    return part.name


def _without_empty(document: Document) -> Document:
    return {key: value for key, value in document.items() if value is not None and value not in ([], {})}
