"""From JSON to annotated types, and their schemas."""

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Generic, Literal, NotRequired, TypedDict, TypeVar
from uuid import UUID

import pytest

from refrain_sdk import Failure, strict
from refrain_sdk.payloads import decode
from refrain_sdk.schema import schema
from refrain_sdk.wire import Payload

T = TypeVar("T")


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


@strict
@dataclass
class Item:
    """Something to buy."""

    name: str
    cents: Annotated[int, "What it costs."]
    size: Size = Size.SMALL


@dataclass
class Order:
    items: list[Item]
    note: str | None = None
    tags: dict[str, float] = field(default_factory=dict)


@dataclass
class Response(Generic[T]):
    body: T


class Options(TypedDict):
    fast: bool
    limit: NotRequired[int]


@dataclass
class Tree:
    children: "list[Tree]"


def read(text: str, hint: Any) -> Any:
    return decode(Payload(text.encode()), hint)


@pytest.mark.parametrize(
    ("text", "hint", "expected"),
    [
        ("3", int, 3),
        ("3", float, 3.0),
        ("null", None, None),
        ("[1,2]", tuple[int, ...], (1, 2)),
        ('[1,"a"]', tuple[int, str], (1, "a")),
        ('{"items":[{"name":"a","cents":1,"size":"large"}],"more":1}', Order, Order([Item("a", 1, Size.LARGE)])),
        ('{"body":{"name":"a","cents":1}}', Response[Item], Response(Item("a", 1))),
        ('{"fast":true}', Options, {"fast": True}),
        ('"waiting"', Literal["waiting", "expired"] | Item, "waiting"),
        ('{"name":"a","cents":1}', Literal["waiting"] | Item, Item("a", 1)),
        ('"67e55044-10b1-426f-9247-bb680e5fe0c8"', UUID, UUID("67e55044-10b1-426f-9247-bb680e5fe0c8")),
        ('{"children":[{"children":[]}]}', Tree, Tree([Tree([])])),
        ('{"a":[1]}', Any, {"a": [1]}),
    ],
)
def test_values_are_read_as_their_types(text: str, hint: Any, expected: Any) -> None:
    assert read(text, hint) == expected


@pytest.mark.parametrize(
    ("text", "hint", "expected"),
    [
        ("3.0", int, "expected an integer, got 3.0"),
        ("true", int, "expected an integer, got true"),
        ('"3"', float, 'expected a number, got "3"'),
        ("{}", Order, "missing field `items`"),
        ('{"items":[{"name":"a"}]}', Order, "field `items[0]`: missing field `cents`"),
        ('{"items":[{"name":"a","cents":1,"prize":2}]}', Order, "field `items[0]`: unknown field `prize`, expected"),
        ('{"items":[],"tags":{"a":"b"}}', Order, 'field `tags.a`: expected a number, got "b"'),
        ('{"items":[],"note":3}', Order, "field `note`: expected str or NoneType, got 3"),
        ('"medium"', Size, 'expected "small" or "large", got "medium"'),
        ("[1]", tuple[int, str], "expected a list of 2, got [1]"),
        ("{", Any, "it is no JSON: "),
        ("NaN", float, "it is no JSON: NaN is not part of JSON"),
    ],
)
def test_what_does_not_fit_is_told_with_its_field(text: str, hint: Any, expected: str) -> None:
    with pytest.raises(Failure) as caught:
        read(text, hint)
    assert caught.value.type == "bad-json"
    assert str(caught.value).startswith(expected)


def test_schemas_tell_members_defaults_and_descriptions() -> None:
    told = json.loads(schema(Order))
    assert told["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert told["required"] == ["items"]
    assert told["properties"]["note"] == {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    assert told["$defs"]["Item"] == {
        "title": "Item",
        "type": "object",
        "description": "Something to buy.",
        "properties": {
            "name": {"type": "string"},
            "cents": {"type": "integer", "description": "What it costs."},
            "size": {"enum": ["small", "large"], "default": "small"},
        },
        "required": ["name", "cents"],
        "additionalProperties": False,
    }


def test_a_type_that_holds_itself_has_a_schema() -> None:
    told = json.loads(schema(Tree))
    assert told["$defs"]["Tree"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Tree"}


@pytest.mark.parametrize("hint", [set[int], bytes, object()])
def test_a_type_without_a_form_in_json_is_refused(hint: Any) -> None:
    with pytest.raises(TypeError):
        schema(hint)
