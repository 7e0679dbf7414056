"""Values to payloads and back."""

from __future__ import annotations

import enum
import inspect
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest

from refrain_worker import Payload
from refrain_worker.convert import Decoder, encode


@dataclass
class Part:
    name: str
    count: int = 1


@dataclass
class Order:
    id: str
    parts: list[Part] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)


class Options(TypedDict):
    depth: int


class Colour(enum.Enum):
    RED = "red"


class Model(pydantic.BaseModel):
    x: int
    tags: list[str] = []
    at: datetime | None = None


@dataclass
class Around:
    model: Model


NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)

VALUES: list[tuple[Any, Any]] = [
    (str, "ä"),
    (int, 10**30),
    (float, 0.31),
    (bool, True),
    (type(None), None),
    (Any, {"a": [1, None, "b"]}),
    (object, [1]),
    (list[int], [1, 2]),
    (tuple[int, str], (1, "a")),
    (set[str], {"a"}),
    (dict[str, list[float]], {"a": [1.5]}),
    (int | None, None),
    (Literal["a", "b"], "b"),
    (Colour, Colour.RED),
    (datetime, NOON),
    (UUID, UUID(int=7)),
    (Order, Order("o-1", [Part("bolt", 2), Part("nut")], {"a": "b"})),
    (Options, {"depth": 3}),
    (Model, Model(x=1, tags=["a"], at=NOON)),
    (Around, Around(Model(x=1))),
    (bytes, b"\x00\xff"),
    (Payload, Payload("image/png", b"\x89PNG")),
    (inspect.Parameter.empty, {"as": ["it", "is"]}),
]


@pytest.mark.parametrize(("annotation", "value"), VALUES)
def test_a_value_survives_the_way_there_and_back(annotation: Any, value: Any) -> None:
    assert Decoder(annotation).decode(encode(value)) == value


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        (Order, "{}", "object missing required field `id`"),
        (Order, '{"id": 7}', "field `id`: expected `str`, got `int`"),
        (Order, '{"id": "a", "parts": [{"name": "b"}, {"name": null}]}', "field `parts[1].name`: expected `str`"),
        (Order, '{"id": "a", "parts": [{}]}', "field `parts[0]`: object missing required field `name`"),
        (Options, '{"depth": "3"}', "field `depth`: expected `int`, got `str`"),
        (Annotated[int, msgspec.Meta(ge=0)], "-1", "expected `int` >= 0"),
        (Model, '{"x": "q", "tags": [1]}', "`x`: Input should be a valid integer"),
        (Model, '{"x": 1, "tags": [1]}', "`tags.0`: Input should be a valid string"),
        (Around, '{"model": {}}', "field `model`: `x`: Field required"),
        (str, "null", "expected `str`, got `null`"),
        (str, "", "expected `str`, got `null`"),
        (int, "1 x", "JSON is malformed"),
        (bytes, "[1]", "it is JSON, expected bytes"),
    ],
)
def test_what_does_not_fit_is_named(annotation: Any, text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        Decoder(annotation).decode(Payload(Payload.JSON, text.encode()))


def test_only_json_is_read_as_json() -> None:
    charset = Payload("Application/JSON; charset=utf-8", b"1")
    assert Decoder(int).decode(charset) == 1
    with pytest.raises(ValueError, match=r"`image/png`, expected `application/json`: send JSON"):
        Decoder(int).decode(Payload("image/png", b"1"))


def test_without_a_type_what_is_not_json_stays_a_payload() -> None:
    picture = Payload("image/png", b"\x89PNG")
    assert Decoder().decode(picture) is picture


def test_a_type_that_no_json_can_be_of_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="`Decoder` cannot be read from JSON: use a dataclass"):
        Decoder(Decoder)


@pytest.mark.parametrize(
    ("value", "names"), [(object(), "object"), ({b"k": object()}, "object"), ([Decoder()], "Decoder")]
)
def test_what_has_no_json_form_is_told(value: Any, names: str) -> None:
    with pytest.raises(ValueError, match=f"it has no JSON form: .*{names}"):
        encode(value)


def test_a_payload_keeps_its_data_to_itself_when_shown() -> None:
    assert repr(encode("secret")) == "Payload(application/json, 8 bytes)"
