"""JSON, always written in the same way: a replay compares bytes, and so do workflows in other languages.

No spaces, members in the order in which a class declares them (a dict's in the order in which it was filled), UTF-8
that is escaped where JSON wants it and nowhere else, floats as Rust's serde_json writes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from json.encoder import encode_basestring
from typing import Any
from uuid import UUID


class NotJsonError(Exception):
    """A value that has no form in JSON."""


def write(value: Any) -> str:
    """The value as JSON text. Raises NotJsonError that says which value, and where."""
    out: list[str] = []
    try:
        _write(value, out)
    except RecursionError:
        raise NotJsonError("it holds itself, or is nested too deeply") from None
    return "".join(out)


def _write(value: Any, out: list[str]) -> None:
    # In the order of how often they come.
    if isinstance(value, Enum):
        _write(value.value, out)
    elif isinstance(value, str):
        out.append(encode_basestring(value))
    elif value is None:
        out.append("null")
    elif value is True:
        out.append("true")
    elif value is False:
        out.append("false")
    elif isinstance(value, int):
        out.append(int.__repr__(value))
    elif isinstance(value, float):
        out.append(write_float(value))
    elif isinstance(value, Mapping):
        _write_members(list(value.items()), out)
    elif isinstance(value, tuple | list):
        separator = "["
        for place, item in enumerate(value):
            out.append(separator)
            separator = ","
            _at(f"[{place}]", item, out)
        out.append("]" if value else "[]")
    elif is_dataclass(value) and not isinstance(value, type):
        _write_members([(field.name, getattr(value, field.name)) for field in fields(value)], out)
    elif isinstance(value, datetime | date):
        out.append(encode_basestring(value.isoformat()))
    elif isinstance(value, UUID):
        out.append(encode_basestring(str(value)))
    elif isinstance(value, set | frozenset):
        raise NotJsonError("a set has no order, and bytes are compared: give a sorted list")
    else:
        raise NotJsonError(f"`{type(value).__qualname__}` is no dataclass, dict, list or plain value")


def _write_members(members: list[tuple[Any, Any]], out: list[str]) -> None:
    separator = "{"
    for name, value in members:
        if isinstance(name, Enum):
            name = name.value
        if not isinstance(name, str):
            raise NotJsonError(f"the key {name!r} is no string")
        out += (separator, encode_basestring(name), ":")
        separator = ","
        _at(f".{name}", value, out)
    out.append("}" if members else "{}")


def _at(place: str, value: Any, out: list[str]) -> None:
    try:
        _write(value, out)
    except NotJsonError as error:
        raise _placed(place, error) from None


def _placed(place: str, error: NotJsonError) -> NotJsonError:
    path, what = error.args if len(error.args) == 2 else ("", error.args[0])
    return NotJsonError(place + path, what)


def describe(error: NotJsonError) -> str:
    """What the error says, with the place in front: `field `a[0]`: ...`."""
    if len(error.args) == 1:
        return str(error.args[0])
    path, what = error.args
    return f"field `{path.removeprefix('.')}`: {what}"


def write_float(value: float) -> str:
    """A float as serde_json writes it: `0.00001`, `1.5e-7`, `1e+16`, and `null` for what is no number."""
    if not math.isfinite(value):
        return "null"
    text = float.__repr__(value)
    digits, e, exponent = text.partition("e-")
    if not e:
        return text
    # Python begins to write exponents a digit earlier, and fills them up to two digits.
    if int(exponent) > 5:
        return f"{digits}e-{int(exponent)}"
    sign = "-" if value < 0 else ""
    return f"{sign}0.{'0' * (int(exponent) - 1)}{digits.removeprefix('-').replace('.', '')}"
