"""Payloads to values of annotated types, and values to payloads.

msgspec does the work; Pydantic's models are known by what they can do, so that Pydantic need not be there.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import msgspec

from .payload import Payload

_AT = re.compile(r"^(?P<what>.*) - at `\$\.?(?P<path>.*)`$", re.DOTALL)


class Decoder:
    """Reads payloads as values of one type."""

    def __init__(self, annotation: Any = inspect.Parameter.empty) -> None:
        """Make one for the type. Without a type: JSON as it is, and anything else as a :class:`Payload`.

        Raises TypeError if no JSON can be of that type.
        """
        self._annotation = annotation
        self._untyped = annotation is inspect.Parameter.empty
        json_type = Any if self._untyped or annotation in (bytes, object, Payload) else annotation
        if isinstance(msgspec.inspect.type_info(json_type), msgspec.inspect.CustomType):
            _require_model(json_type)
        self._json: msgspec.json.Decoder[Any] = msgspec.json.Decoder(json_type, dec_hook=_read_model)

    def decode(self, payload: Payload) -> Any:
        """The value. Raises ValueError that names the field which does not fit."""
        if self._annotation is Payload or (self._untyped and not payload.is_json()):
            return payload
        if self._annotation is bytes:
            if payload.is_json():
                raise ValueError("it is JSON, expected bytes: send them as a payload that is not JSON")
            return payload.data
        if not payload.is_json():
            raise ValueError(f"content type is `{payload.content_type}`, expected `{Payload.JSON}`: send JSON")
        try:
            # No bytes at all are no value, so that an activity without an input can be called without one.
            return self._json.decode(payload.data or b"null")
        except msgspec.DecodeError as error:
            raise ValueError(_naming_the_field(str(error))) from None


def encode(value: Any) -> Payload:
    """The value as a payload. Raises ValueError if it has no form that can be sent."""
    if isinstance(value, Payload):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return Payload(Payload.BYTES, bytes(value))
    try:
        return Payload(Payload.JSON, msgspec.json.encode(value, enc_hook=_write_model))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"it has no JSON form: {error}") from error


def _naming_the_field(message: str) -> str:
    """The message of msgspec with the field in front, as the host words it."""
    at = _AT.match(message)
    what = at["what"] if at else message
    what = what[:1].lower() + what[1:] if not what.startswith("JSON") else what
    return f"field `{at['path']}`: {what}" if at else what


def _require_model(cls: Any) -> None:
    if not hasattr(cls, "model_validate_json"):
        name = getattr(cls, "__qualname__", str(cls))
        raise TypeError(f"`{name}` cannot be read from JSON: use a dataclass, a TypedDict or a Pydantic model")


def _read_model(cls: Any, value: Any) -> Any:
    _require_model(cls)
    try:
        # From JSON and not from Python's values: strict models take more of it, dates for instance.
        return cls.model_validate_json(msgspec.json.encode(value))
    except ValueError as error:
        errors = getattr(error, "errors", None)
        if errors is None:
            raise
        found = (f"`{'.'.join(map(str, each['loc']))}`: {each['msg']}" for each in errors())
        raise ValueError("; ".join(found)) from None


def _write_model(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"`{type(value).__qualname__}` is no dataclass, TypedDict, Pydantic model or plain JSON value")
