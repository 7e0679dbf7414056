"""JSON Schemas (draft 2020-12) of annotated types: what `describe` tells of inputs and outputs.

A class's docstring is its description, and so is a text in `Annotated[int, "in cents"]`.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, is_dataclass
from datetime import date, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from .codec import is_strict, members, resolve
from .json_text import NotJsonError, write

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    list: {"type": "array"},
    dict: {"type": "object"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    UUID: {"type": "string", "format": "uuid"},
}


def schema(hint: Any) -> str:
    """The schema of the type, as text. Raises TypeError when no JSON can be of that type."""
    definitions: dict[str, Any] = {}
    body = _schema(hint, definitions)
    reference = body.get("$ref")
    if reference is not None and len(body) == 1:
        # The root stands for itself, unless it is also a part of itself.
        name = reference.removeprefix("#/$defs/")
        if write(definitions).count(write(reference)) == 0:
            body = definitions.pop(name)
    whole = {"$schema": _DIALECT, **body}
    if definitions:
        whole["$defs"] = definitions
    return write(whole)


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    described = _description(hint)
    origin, arguments = resolve(hint)
    body = _undescribed(origin, arguments, definitions)
    return {**body, "description": described} if described else body


def _undescribed(origin: Any, arguments: tuple[Any, ...], definitions: dict[str, Any]) -> dict[str, Any]:
    if origin is Any or origin is object or isinstance(origin, typing.TypeVar):
        return {}
    if origin in (Union, UnionType):
        return {"anyOf": [_schema(option, definitions) for option in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (list, Sequence):
        return {"type": "array", "items": _schema(arguments[0], definitions)} if arguments else {"type": "array"}
    if origin is tuple:
        return _tuple(arguments, definitions)
    if origin in (dict, Mapping):
        if len(arguments) != 2:
            return {"type": "object"}
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    if origin in _PLAIN:
        return dict(_PLAIN[origin])
    if isinstance(origin, type):
        if issubclass(origin, Enum):
            return {"enum": [case.value for case in origin]}
        if is_dataclass(origin) or typing.is_typeddict(origin):
            return _object(origin, arguments, definitions)
    raise TypeError(f"`{origin}` has no form in JSON: use a dataclass, a TypedDict, or plain types")


def _tuple(arguments: tuple[Any, ...], definitions: dict[str, Any]) -> dict[str, Any]:
    if len(arguments) == 2 and arguments[1] is ...:
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    items = [_schema(argument, definitions) for argument in arguments]
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _object(cls: type, arguments: tuple[Any, ...], definitions: dict[str, Any]) -> dict[str, Any]:
    name = cls.__name__
    if arguments:
        name = "_".join([name, *(getattr(resolve(argument)[0], "__name__", "x") for argument in arguments)])
    if name not in definitions:
        body: dict[str, Any] = {"title": name, "type": "object"}
        definitions[name] = body  # before its members, which may name it
        doc = cls.__dict__.get("__doc__")
        # A dataclass without a docstring gets its signature for one.
        if doc and not doc.startswith(f"{cls.__name__}("):
            body["description"] = inspect.cleandoc(doc)
        properties = {}
        required = []
        for member_name, member in members(cls, arguments).items():
            properties[member_name] = _schema(member.hint, definitions)
            if member.required:
                required.append(member_name)
            elif member.default is not MISSING:
                _add_default(properties[member_name], member.default)
        body["properties"] = properties
        if required:
            body["required"] = required
        if is_strict(cls):
            body["additionalProperties"] = False
    return {"$ref": f"#/$defs/{name}"}


def _add_default(body: dict[str, Any], default: Any) -> None:
    try:
        write(default)
    except NotJsonError:
        return
    body["default"] = default


def _description(hint: Any) -> str | None:
    if get_origin(hint) is not Annotated:
        return None
    return next((text for text in get_args(hint)[1:] if isinstance(text, str)), None)
