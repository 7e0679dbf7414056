"""From `@workflow` on an `async def` to what a component exports."""

from __future__ import annotations

import asyncio
import inspect
import random
import typing
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, update_wrapper
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from . import bugs, executor, log
from .ends import ContinueAsNew, completion_of, failed
from .failures import Canceled, Failure, HostFailure, to_record
from .host import Host
from .payloads import decode, encode
from .run import Run, enter
from .schema import schema
from .wire import Completed, Completion, Failed, OnTrap, Payload

if TYPE_CHECKING:
    from .queries import Query
    from .signals import Signal
    from .updates import Update

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class MessageDescription:
    """A signal, query or update that a workflow takes; schemas are JSON texts."""

    name: str
    doc: str
    input_schema: str | None
    output_schema: str | None


@dataclass(frozen=True)
class Description:
    """What `describe` tells of a workflow."""

    name: str
    doc: str
    input_schema: str
    output_schema: str
    signals: list[MessageDescription]
    queries: list[MessageDescription]
    updates: list[MessageDescription]
    on_trap: OnTrap


class Workflow(Generic[P, R]):
    """A workflow, as :func:`workflow` makes it of a function. Calling it calls the function, in the same run."""

    def __init__(
        self,
        function: Callable[P, Coroutine[Any, Any, R]],
        name: str,
        on_trap: OnTrap,
        signals: Sequence[Signal[Any]],
        queries: Sequence[Query[Any]],
        updates: Sequence[Update[Any, Any]],
    ) -> None:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"workflow `{name}` is no `async def`")
        self.function = function
        self.name = name
        self.on_trap = on_trap
        self._signals = signals
        self._queries = queries
        self._updates = updates
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """The function's own coroutine, which runs in the run that awaits it."""
        return self.function(*args, **kwargs)

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return typing.get_type_hints(self.function, include_extras=True)

    @cached_property
    def _parameter(self) -> inspect.Parameter | None:
        parameters = list(inspect.signature(self.function).parameters.values())
        if len(parameters) > 1:
            names = ", ".join(f"`{parameter.name}`" for parameter in parameters)
            raise TypeError(
                f"workflow `{self.name}` takes {names}, but a workflow has one input: make them fields of a dataclass"
            )
        return parameters[0] if parameters else None

    @property
    def input(self) -> Any:
        """The type of its input."""
        if self._parameter is None:
            return type(None)
        hint = self._hints.get(self._parameter.name, Any)
        return hint if self._parameter.default is inspect.Parameter.empty else hint | None

    @property
    def output(self) -> Any:
        """The type of its result."""
        return self._hints.get("return", Any)

    def describe(self) -> Description:
        """What `describe` tells of it. Raises TypeError when an annotation has no form in JSON."""
        return Description(
            name=self.name,
            doc=inspect.cleandoc(self.function.__doc__ or ""),
            input_schema=schema(self.input),
            output_schema=schema(self.output),
            signals=[MessageDescription(one.name, one.doc, schema(one.type), None) for one in self._signals],
            queries=[
                MessageDescription(one.name, one.doc, schema(one.input), schema(one.result)) for one in self._queries
            ],
            updates=[
                MessageDescription(one.name, one.doc, schema(one.input), schema(one.result)) for one in self._updates
            ],
            on_trap=self.on_trap,
        )

    async def run(self, run: Run, payload: Payload) -> Completion:
        """Run it to its end. Raises what is a bug."""
        try:
            value = decode(payload, self.input)
        except Failure as why:
            # The same input fails in the same way each time.
            bad = Failure(f"input of workflow `{self.name}`", type="bad-input", non_retryable=True)
            return failed(run, bad.caused_by(why))
        function: Any = self.function
        has_default = self._parameter is not None and self._parameter.default is not inspect.Parameter.empty
        arguments = () if self._parameter is None or (has_default and value is None) else (value,)
        try:
            output = await function(*arguments)
            try:
                return Completed(encode(output))
            except Failure as failure:
                raise failure.context("result") from None
        except (Failure, ContinueAsNew) as error:
            return completion_of(run, error)
        except asyncio.CancelledError:
            if run.inbox.cancel_reason is None:
                raise bugs.Bug(RuntimeError("the workflow's own task was cancelled")) from None
            return failed(run, Canceled(run.inbox.cancel_reason))


@overload
def workflow(function: Callable[P, Coroutine[Any, Any, R]], /) -> Workflow[P, R]: ...
@overload
def workflow(
    *,
    name: str | None = ...,
    signals: Sequence[Signal[Any]] = ...,
    queries: Sequence[Query[Any]] = ...,
    updates: Sequence[Update[Any, Any]] = ...,
    on_trap: OnTrap = ...,
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Workflow[P, R]]: ...


def workflow(
    function: Callable[..., Coroutine[Any, Any, Any]] | None = None,
    /,
    *,
    name: str | None = None,
    signals: Sequence[Signal[Any]] = (),
    queries: Sequence[Query[Any]] = (),
    updates: Sequence[Update[Any, Any]] = (),
    on_trap: OnTrap = "park",
) -> Any:
    """Make a workflow of an `async def` with one input or none.

    Its annotations say what the input is read as and what the result is; its docstring is for people who may start it.

    `name`: by which it is started; without it the function's.
    `signals`, `queries`, `updates`: those that it takes, for people and programs that send them.
    `on_trap`: what becomes of a run whose code raises what is no failure: it is parked, so that fixed code can take
    over, or it fails.
    """

    def make(function: Callable[..., Coroutine[Any, Any, Any]]) -> Workflow[..., Any]:
        return Workflow(function, name or function.__name__, on_trap, signals, queries, updates)

    return make if function is None else make(function)


def execute(workflows: Iterable[Workflow[Any, Any]], name: str, payload: Payload, host: Host) -> Completion:
    """Run one of the workflows to its end. Raises what is a bug, which the log has already."""
    found = next((one for one in workflows if one.name == name), None)
    if found is None:
        failure = HostFailure(f"this component has no workflow `{name}`", type="not-found")
        return Failed(to_record(failure))
    run = Run(host)
    enter(run)
    log.install()
    # What the snapshot holds is the same in every run; what the run's seed gives is its own, and the same in replays.
    random.seed(int.from_bytes(host.random_bytes(16), "little"))
    try:
        completion = executor.drive(run, found.run(run, payload))
    except bugs.Bug as bug:
        bugs.log(host, bug.error)
        raise bug.error from None
    except BaseException as error:
        bugs.log(host, error)
        raise
    # Returning ends the run as well, and every query after that.
    if run.queries:
        executor.finish(run, completion)
    return completion
