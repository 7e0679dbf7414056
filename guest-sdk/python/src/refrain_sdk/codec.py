"""From JSON values to values of annotated types.

What does not fit is told with its place: ``field `items[1].price`: expected a number, got "7"``. Types are as strict as
JSON's own: `int` takes no `1.0` and no `true`, `float` takes an integer. Members that a dataclass does not have are
ignored, so that senders may know more; `@strict` refuses them.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, get_args, get_origin
from uuid import UUID

from .json_text import write

C = TypeVar("C", bound=type)


class Mismatch(Exception):  # noqa: N818 - becomes a failure
    """A JSON value that does not fit its type."""

    def __init__(self, what: str, path: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.path = path

    def inside(self, place: str) -> Mismatch:
        """The same, seen from one level further out."""
        return Mismatch(self.what, place + self.path)

    def __str__(self) -> str:
        return f"field `{self.path.removeprefix('.')}`: {self.what}" if self.path else self.what


def strict(cls: C) -> C:
    """Refuse members that the class does not have: a misspelt option is then told to who sends it.

    Goes above `@dataclass`.
    """
    cls.__refrain_strict__ = True  # type: ignore[attr-defined]
    return cls


def is_strict(cls: type) -> bool:
    """Whether the class itself, not one that it inherits from, is marked with :func:`strict`."""
    return bool(cls.__dict__.get("__refrain_strict__", False))


def read(value: Any, hint: Any) -> Any:
    """The JSON value as a value of the annotated type. Raises Mismatch where it does not fit."""
    reader = _PLAIN.get(hint) if isinstance(hint, type) else None
    if reader is not None:
        return reader(value)
    hint, arguments = resolve(hint)
    if hint is Any or hint is object or isinstance(hint, TypeVar):
        return value
    if hint in (Union, UnionType):
        return _read_union(value, arguments)
    if hint is Literal:
        return _read_literal(value, arguments)
    if hint in (list, Sequence):
        return _read_items(value, arguments[0] if arguments else Any)
    if hint is tuple:
        return _read_tuple(value, arguments)
    if hint in (dict, Mapping):
        return _read_mapping(value, arguments)
    if isinstance(hint, type):
        if hint in _PLAIN:
            return _PLAIN[hint](value)
        if issubclass(hint, Enum):
            return _read_enum(value, hint)
        if is_dataclass(hint):
            return _read_members(value, hint, arguments)
        if typing.is_typeddict(hint):
            return _read_members(value, hint, arguments)
    raise TypeError(f"no JSON can be read as `{show(hint)}`: use a dataclass, a TypedDict, or plain types")


def resolve(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """What a type is made from and its arguments, without what only people read."""
    while True:
        origin = get_origin(hint)
        if origin is Annotated:
            hint = get_args(hint)[0]
        elif isinstance(hint, NewType):
            hint = hint.__supertype__
        elif hasattr(hint, "__value__"):  # `type Name = ...`
            hint = hint.__value__
        elif hint is None:
            return NoneType, ()
        else:
            return (origin, get_args(hint)) if origin is not None else (hint, ())


def show(hint: Any) -> str:
    """The type as people write it."""
    return hint.__qualname__ if isinstance(hint, type) else str(hint).replace("typing.", "")


@dataclass(frozen=True)
class Member:
    """A member of an object."""

    hint: Any
    required: bool
    default: Any
    """`MISSING` without one."""


@cache
def members(cls: type, arguments: tuple[Any, ...] = ()) -> dict[str, Member]:
    """The members of a dataclass or a TypedDict, by name, in the order of their declaration."""
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise TypeError(f"an annotation of `{cls.__qualname__}` cannot be resolved: {error}") from None
    parameters = dict(zip(getattr(cls, "__parameters__", ()), arguments, strict=False))
    if parameters:
        hints = {name: _substitute(hint, parameters) for name, hint in hints.items()}
    if not is_dataclass(cls):
        required: frozenset[str] = cls.__required_keys__  # type: ignore[attr-defined]
        return {name: Member(_bare(hint), name in required, MISSING) for name, hint in hints.items()}
    found = {}
    for field in fields(cls):
        if field.init:
            required_field = field.default is MISSING and field.default_factory is MISSING
            found[field.name] = Member(hints[field.name], required_field, field.default)
    return found


def _substitute(hint: Any, parameters: Mapping[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return parameters.get(hint, hint)
    own = getattr(hint, "__parameters__", ())
    return hint[tuple(parameters.get(parameter, parameter) for parameter in own)] if own else hint


def _bare(hint: Any) -> Any:
    """Without `Required` and `NotRequired`."""
    return get_args(hint)[0] if get_origin(hint) in (typing.Required, typing.NotRequired) else hint


def _expected(what: str, value: Any) -> Mismatch:
    text = write(value)
    if len(text) > 60:
        text = text[:57] + "..."
    return Mismatch(f"expected {what}, got {text}")


def _read_int(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _expected("an integer", value)


def _read_float(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise _expected("a number", value)


def _exactly(cls: type, what: str) -> Callable[[Any], Any]:
    def reader(value: Any) -> Any:
        if isinstance(value, cls):
            return value
        raise _expected(what, value)

    return reader


def _from_text(cls: Any, parse: Callable[[str], Any], what: str) -> Callable[[Any], Any]:
    def reader(value: Any) -> Any:
        try:
            return parse(value)
        except (TypeError, ValueError, AttributeError):
            raise _expected(what, value) from None

    return reader


_PLAIN: dict[Any, Callable[[Any], Any]] = {
    str: _exactly(str, "a string"),
    int: _read_int,
    float: _read_float,
    bool: _exactly(bool, "true or false"),
    NoneType: _exactly(NoneType, "null"),
    list: _exactly(list, "a list"),
    dict: _exactly(dict, "an object"),
    datetime: _from_text(datetime, datetime.fromisoformat, "a time such as 2030-01-31T12:00:00Z"),
    date: _from_text(date, date.fromisoformat, "a date such as 2030-01-31"),
    UUID: _from_text(UUID, UUID, "a UUID"),
}


def _read_union(value: Any, options: tuple[Any, ...]) -> Any:
    reasons = []
    for option in options:
        try:
            return read(value, option)
        except Mismatch as mismatch:
            reasons.append((len(mismatch.path), mismatch))
    # The one that fitted furthest is most likely the one that was meant.
    furthest = max(reasons, key=lambda reason: reason[0])[1]
    if furthest.path:
        raise furthest
    raise _expected(" or ".join(show(resolve(option)[0]) for option in options), value)


def _read_literal(value: Any, options: tuple[Any, ...]) -> Any:
    for option in options:
        if type(option) is type(value) and option == value:
            return option
    raise _expected(" or ".join(write(option) for option in options), value)


def _read_enum(value: Any, cls: type[Enum]) -> Any:
    for case in cls:
        if type(case.value) is type(value) and case.value == value:
            return case
    raise _expected(" or ".join(write(case.value) for case in cls), value)


def _read_items(value: Any, hint: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _expected("a list", value)
    return [_read_at(f"[{place}]", item, hint) for place, item in enumerate(value)]


def _read_tuple(value: Any, hints: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(hints) == 2 and hints[1] is ...:
        return tuple(_read_items(value, hints[0]))
    if not isinstance(value, list) or len(value) != len(hints):
        raise _expected(f"a list of {len(hints)}", value)
    return tuple(
        _read_at(f"[{place}]", item, hint) for place, (item, hint) in enumerate(zip(value, hints, strict=True))
    )


def _read_mapping(value: Any, hints: tuple[Any, ...]) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise _expected("an object", value)
    if not hints:
        return value
    key_hint, value_hint = hints
    return {_read_at(f".{key}", key, key_hint): _read_at(f".{key}", item, value_hint) for key, item in value.items()}


def _read_members(value: Any, cls: type, arguments: tuple[Any, ...]) -> Any:
    if not isinstance(value, dict):
        raise _expected(f"an object (`{cls.__name__}`)", value)
    known = members(cls, arguments)
    found = {}
    for name, member in known.items():
        if name in value:
            found[name] = _read_at(f".{name}", value[name], member.hint)
        elif member.required:
            raise Mismatch(f"missing field `{name}`")
    if is_strict(cls):
        for name in value:
            if name not in known:
                raise Mismatch(f"unknown field `{name}`, expected {', '.join(f'`{one}`' for one in known) or 'none'}")
    try:
        return cls(**found)
    except ValueError as error:  # of a `__post_init__` that checks more
        raise Mismatch(str(error)) from None


def _read_at(place: str, value: Any, hint: Any) -> Any:
    try:
        return read(value, hint)
    except Mismatch as mismatch:
        raise mismatch.inside(place) from None
