"""Which functions are activities, and what they are called with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from refrain_worker import ActivityError, Context, Payload, activity
from refrain_worker.activity import Definition
from refrain_worker.convert import encode


@activity("none")
async def no_parameters() -> str:
    return "none"


@activity("ctx")
async def context_alone(ctx: Context) -> int:
    return ctx.attempt


@activity("input")
async def input_alone(name: str) -> str:
    return name


@activity("both")
async def both(ctx: Context, name: str) -> str:
    return f"{ctx.activity}: {name}"


@activity("untyped")
async def untyped(value):  # type: ignore[no-untyped-def]
    return value


@activity("default")
async def default(depth: int = 3) -> int:
    return depth


@activity("sync")
def sync(name: str) -> tuple[str, bool]:
    return name, threading.current_thread() is threading.main_thread()


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    @activity("method")
    async def greet(self, ctx: Context, whom: str) -> str:
        return f"{self.name} greets {whom}"


@pytest.mark.parametrize(
    ("function", "value", "result"),
    [
        (no_parameters, None, "none"),
        (context_alone, None, 2),
        (input_alone, "ada", "ada"),
        (both, "ada", "both: ada"),
        (untyped, {"a": 1}, {"a": 1}),
        (default, None, 3),
        (default, 4, 4),
        (sync, "ada", ("ada", False)),
        (Shop("Corner").greet, "ada", "Corner greets ada"),
    ],
)
async def test_a_function_gets_what_its_signature_asks_for(
    function: Callable[..., Any], value: Any, result: Any
) -> None:
    definition = Definition(function)
    assert await definition.call(Context.detached(definition.name, attempt=2), encode(value)) == result


@pytest.mark.parametrize(
    ("function", "payload", "message"),
    [
        (both, Payload(Payload.JSON, b"7"), "the input of activity `both`: expected `str`, got `int`"),
        (input_alone, Payload(Payload.JSON, b"null"), "the input of activity `input`: expected `str`, got `null`"),
        (no_parameters, Payload(Payload.JSON, b"7"), "activity `none` takes no input: send none"),
        (no_parameters, Payload("a/b", b""), "activity `none` takes no input: send none"),
    ],
)
async def test_an_input_that_does_not_fit_is_never_retried(
    function: Callable[..., Any], payload: Payload, message: str
) -> None:
    with pytest.raises(ActivityError) as raised:
        await Definition(function).call(Context.detached(), payload)
    assert raised.value.type == "InvalidInput"
    assert raised.value.non_retryable
    assert str(raised.value).startswith(message)


def test_a_decorated_function_is_called_as_before() -> None:
    assert sync("ada") == ("ada", True)


@activity("two")
async def two(first: str, second: str) -> None: ...


@activity("splat")
async def splat(*values: str) -> None: ...


@activity("keyword")
async def keyword(*, name: str) -> None: ...


@activity("odd")
async def odd(value: threading.Thread) -> None: ...


@activity("unresolved")
async def unresolved(value: Nowhere) -> None: ...  # type: ignore[name-defined] # noqa: F821


async def undecorated() -> None: ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (two, "activity `two` takes `first`, `second`, but an activity has one input"),
        (splat, "activity `splat`: parameter `*values"),
        (keyword, "activity `keyword`: parameter `name"),
        (odd, "activity `odd`, parameter `value`: `Thread` cannot be read from JSON"),
        (unresolved, "activity `unresolved`: an annotation cannot be resolved: name 'Nowhere'"),
        (undecorated, '`undecorated` is no activity: decorate it with @activity("some.name")'),
    ],
)
def test_a_function_that_cannot_be_an_activity_is_refused_with_the_reason(
    function: Callable[..., Any], message: str
) -> None:
    with pytest.raises(TypeError) as raised:
        Definition(function)
    assert str(raised.value).startswith(message)


def test_an_activity_without_a_name_is_refused() -> None:
    with pytest.raises(TypeError, match="needs the name by which workflows start it"):
        activity(undecorated)  # type: ignore[arg-type]
