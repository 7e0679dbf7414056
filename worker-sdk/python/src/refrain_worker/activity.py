"""What an activity is: a function, a name, and the type of its input."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from .context import Context
from .convert import Decoder
from .errors import INVALID_INPUT, ActivityError
from .payload import Payload
from .threads import run_in_thread

_NAME = "__refrain_activity__"

F = TypeVar("F", bound=Callable[..., Any])


def activity(name: str) -> Callable[[F], F]:
    """Name a function as the activity that workflows start under `name`.

    The function stays what it is, and can be called as before, in tests for instance. It takes an input, or a
    :class:`Context` and an input, or either alone. An `async def` runs in the event loop and must not block it; a
    `def` gets a thread of its own.

    The input is read as the type of its annotation: a dataclass, a TypedDict, a Pydantic model, or whatever else
    has a form in JSON; `bytes` and :class:`Payload` take what is not JSON. Without one it is the JSON as it is.
    """
    if not isinstance(name, str) or not name:
        raise TypeError('an activity needs the name by which workflows start it: @activity("mail.send")')

    def named(function: F) -> F:
        setattr(function, _NAME, name)
        return function

    return named


def is_activity(value: object) -> bool:
    """Whether this is a function that :func:`activity` has named."""
    return callable(value) and isinstance(getattr(value, _NAME, None), str)


class Definition:
    """An activity as the worker sees it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """Read the signature of a function, or of a bound method. Raises TypeError if it is no activity's."""
        name = getattr(function, _NAME, None)
        if not isinstance(name, str):
            shown = getattr(function, "__qualname__", repr(function))
            raise TypeError(f'`{shown}` is no activity: decorate it with @activity("some.name")')
        self.name: str = name
        self.is_async = inspect.iscoroutinefunction(function)
        self._function = function
        parameters = _parameters(name, function)
        self._takes_context = bool(parameters) and parameters[0].annotation is Context
        inputs = parameters[1:] if self._takes_context else parameters
        if len(inputs) > 1:
            names = ", ".join(f"`{parameter.name}`" for parameter in inputs)
            raise TypeError(
                f"activity `{name}` takes {names}, but an activity has one input: make them fields of a dataclass"
                " (and annotate the context, if it takes one, as `Context`)"
            )
        self._input = inputs[0] if inputs else None
        try:
            self._decoder = Decoder(self._input.annotation) if self._input else None
        except TypeError as error:
            assert self._input  # noqa: S101 - there is no decoder to fail without it
            raise TypeError(f"activity `{name}`, parameter `{self._input.name}`: {error}") from None

    async def call(self, ctx: Context, payload: Payload) -> Any:
        """Run the function on a task's input."""
        arguments = [*([ctx] if self._takes_context else []), *self._read(payload)]
        if self.is_async:
            return await self._function(*arguments)
        return await run_in_thread(self._function, *arguments)

    def _read(self, payload: Payload) -> list[Any]:
        nothing = payload.is_json() and payload.data.strip() in (b"", b"null")
        if self._input is None or self._decoder is None:
            if nothing:
                return []
            raise _invalid(f"activity `{self.name}` takes no input: send none")
        if nothing and self._input.default is not inspect.Parameter.empty:
            return []
        try:
            return [self._decoder.decode(payload)]
        except ValueError as error:
            raise _invalid(f"the input of activity `{self.name}`: {error}") from None


def _invalid(message: str) -> ActivityError:
    return ActivityError(INVALID_INPUT, message, non_retryable=True)


def _parameters(name: str, function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The positional parameters, with annotations resolved."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(f"activity `{name}`: an annotation cannot be resolved: {error}") from error
    found = []
    for parameter in inspect.signature(function).parameters.values():
        positional = (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        if parameter.kind in positional:
            found.append(parameter.replace(annotation=hints.get(parameter.name, parameter.empty)))
        elif parameter.kind is not parameter.KEYWORD_ONLY or parameter.default is parameter.empty:
            raise TypeError(
                f"activity `{name}`: parameter `{parameter}` is not filled by the worker: an activity has one input"
            )
    return found
