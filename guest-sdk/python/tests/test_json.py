"""JSON as serde_json writes it: payloads are compared byte for byte, also across languages."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

import pytest

from refrain_sdk.json_text import NotJsonError, describe, write, write_float


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    y: int
    x: float


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (1, "1"),
        (2**70, str(2**70)),
        (1.0, "1.0"),
        ('ä\u2028\x7f\x01"\\\n/', '"ä\u2028\x7f\\u0001\\"\\\\\\n/"'),
        ([], "[]"),
        ((1, [2, {}]), "[1,[2,{}]]"),
        ({"b": 1, "a": None}, '{"b":1,"a":null}'),
        (Point(1, 2.5), '{"y":1,"x":2.5}'),
        ({Colour.RED: Colour.RED}, '{"red":"red"}'),
        (date(2030, 1, 31), '"2030-01-31"'),
        (datetime(2030, 1, 31, tzinfo=UTC), '"2030-01-31T00:00:00+00:00"'),
    ],
)
def test_values_are_written_without_spaces_in_the_order_of_their_declaration(value: Any, expected: str) -> None:
    assert write(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # As `serde_json::to_string` writes them.
        (0.1, "0.1"),
        (-0.0, "-0.0"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e+16"),
        (1.5e300, "1.5e+300"),
        (1e-4, "0.0001"),
        (1e-5, "0.00001"),
        (-1.25e-5, "-0.0000125"),
        (1e-6, "1e-6"),
        (1.5e-7, "1.5e-7"),
        (5e-324, "5e-324"),
        (float("nan"), "null"),
        (float("-inf"), "null"),
    ],
)
def test_floats_are_written_as_rust_writes_them(value: float, expected: str) -> None:
    assert write_float(value) == expected


def _endless() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return endless


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": [1, {2, 3}]}, "field `a[1]`: a set has no order, and bytes are compared: give a sorted list"),
        ({"a": {1: 2}}, "field `a`: the key 1 is no string"),
        (object(), "`object` is no dataclass, dict, list or plain value"),
        (_endless(), "it holds itself, or is nested too deeply"),
    ],
)
def test_what_has_no_form_in_json_is_told_with_its_place(value: Any, expected: str) -> None:
    with pytest.raises(NotJsonError) as caught:
        write(value)
    assert describe(caught.value).endswith(expected)
