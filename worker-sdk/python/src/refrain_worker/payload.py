"""A value on its way between a workflow and an activity: bytes with a content type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec


@dataclass(frozen=True, repr=False)
class Payload:
    """Bytes with their content type. Workflows and activities speak JSON unless they agree on something else.

    An activity that takes or returns one reads and writes the bytes itself.
    """

    JSON: ClassVar[str] = "application/json"
    """The content type of JSON."""
    BYTES: ClassVar[str] = "application/octet-stream"
    """The content type of bytes about which nothing else is said."""

    content_type: str
    data: bytes

    def is_json(self) -> bool:
        """Whether the content type is JSON; parameters such as `charset` do not matter."""
        return self.content_type.split(";")[0].strip().lower() == Payload.JSON

    def __repr__(self) -> str:
        # Payloads are users' data, possibly large, possibly secret: a log line tells their shape alone.
        return f"Payload({self.content_type}, {len(self.data)} bytes)"


class EncodedPayload(msgspec.Struct, frozen=True):
    """How a payload that is not JSON travels inside of JSON."""

    content_type: str
    data_base64: bytes
    """The bytes: base64 is their form in the JSON text."""


def to_wire(name: str, payload: Payload | None) -> dict[str, object]:
    """The field by which a request carries `payload`: `name` for JSON, else `name_payload`."""
    if payload is None:
        return {}
    if payload.is_json() and payload.data:
        return {name: msgspec.Raw(payload.data)}
    return {f"{name}_payload": EncodedPayload(payload.content_type, payload.data)}


def from_wire(inline: msgspec.Raw, encoded: EncodedPayload | None) -> Payload | None:
    """The payload that an answer carries in one of its two fields, if it carries one."""
    if encoded is not None:
        return Payload(encoded.content_type, encoded.data_base64)
    data = bytes(inline)
    return Payload(Payload.JSON, data) if data else None
