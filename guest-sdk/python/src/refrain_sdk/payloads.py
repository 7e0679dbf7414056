"""Values on their way in or out, as failures tell of them."""

from __future__ import annotations

import json
from typing import Any

from .codec import Mismatch, read
from .failures import Failure
from .json_text import NotJsonError, describe, write
from .wire import JSON, Named, Payload


def encode(value: Any) -> Payload:
    """The value as JSON. Raises Failure (`not-json`) when it has no such form."""
    try:
        return Payload(write(value).encode())
    except NotJsonError as error:
        raise Failure(f"cannot be written as JSON: {describe(error)}", type="not-json") from None
    except UnicodeEncodeError as error:
        raise Failure(f"cannot be written as JSON: {error}", type="not-json") from None


def decode(payload: Payload, hint: Any = Any) -> Any:
    """The payload as a value of the type. Raises Failure (`content-type`, `bad-json`) when it does not fit."""
    if payload.content_type != JSON:
        raise Failure(f"the payload is `{payload.content_type}`, expected `{JSON}`", type="content-type")
    try:
        return read(_parse(payload.data), hint)
    except Mismatch as mismatch:
        raise Failure(str(mismatch), type="bad-json") from None


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Mismatch(f"it is no JSON: {error}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not part of JSON")


def set_named(named: Named, key: str, value: Any) -> None:
    """Put a value in under the key, in place of the one that was there."""
    payload = encode(value)
    for place, (known, _) in enumerate(named):
        if known == key:
            named[place] = (key, payload)
            return
    named.append((key, payload))
