"""Children: executions that this run starts, and that know it as their parent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar, overload

from . import retries, run, scopes
from .durations import Duration, optional
from .executions import Execution
from .failures import Failure
from .ops import OpFuture
from .payloads import decode, encode, set_named
from .retries import Retry
from .wire import Cancellation, ChildOptions, IdReuse, Named, ParentClose, Payload
from .work import Work
from .workflows import Workflow

T = TypeVar("T")


class Child(Work[T]):
    """A child that was started: a future of its outcome, over all its runs.

    To give it up gives up the outcome and nothing else: the child goes on, for as long as its `parent_close` lets it.
    """

    def _read(self, output: Payload) -> T:
        try:
            value: T = decode(output, self._hint)
        except Failure as failure:
            raise failure.context("result") from None
        return value

    def _tell(self, failure: Failure) -> Failure:
        return of_child(failure, self._doing)


def of_child(failure: Failure, doing: str) -> Failure:
    """Say which child it was, where the host has not."""
    return failure if failure.message.startswith(doing) else failure.context(doing)


class ChildStarted(OpFuture[Execution]):
    """Tells when a child exists, and under which ids. To give it up is not to wait for that."""

    def _read(self, output: Payload) -> Execution:
        execution: Execution = decode(output, Execution)
        return execution

    def _tell(self, failure: Failure) -> Failure:
        return of_child(failure, self._doing)


@overload
def child(workflow: Workflow[Any, T], input: Any = ..., **options: Any) -> Child[T]: ...
@overload
def child(workflow: str, input: Any = ..., *, result: type[T], **options: Any) -> Child[T]: ...
@overload
def child(workflow: str, input: Any = ..., **options: Any) -> Child[Any]: ...


def child(workflow: str | Workflow[Any, Any], input: Any = None, **options: Any) -> Child[Any]:  # noqa: A002
    """Start a child workflow, at the call. What is returned is a future of its result.

    ```python
    receipt = await child(ship, order, id=f"ship-{order.number}", execution_timeout=days(14))
    ```

    A child that fails raises a failure that says so, with the child's own chain under it: `child workflow "ship" (id
    "ship-7") failed: no vacancy`. Its details are the child's.

    `workflow`: a workflow whose code is at hand, which tells the result's type, or a name.
    `result`: the type as which the result is read.
    `id`: its workflow id; without it one that nothing else has. One that is in use is a failure (`already-exists`).
    `id_reuse`: whether an id may be used again whose execution has ended; without it, it may.
    `component`: the component that has the workflow; without it this run's own, if that has it, else the only one.
    `task_queue`: of its activities; without it this run's.
    `execution_timeout`, `run_timeout`: at most this long for all its runs together, for each of them.
    `retry`: when and how often another run follows one that failed; without it none does.
    `parent_close`: what happens to it when this run ends first, also by continue-as-new; without it, it is terminated.
    `cancellation`: what `request_cancel` does; without it the child is asked, and nobody waits for that.
    `cancel_with_run`: when someone asks this run to end, cancel the child too, and wait for what comes of it.
    `memo`: notes that are kept with it, by key. `summary`: one line for people who read the history.
    """
    started, finished = _start(workflow, input, **options)
    # So the run is not woken for it.
    started.cancel()
    return finished


@overload
def child_watched(workflow: Workflow[Any, T], input: Any = ..., **options: Any) -> tuple[ChildStarted, Child[T]]: ...
@overload
def child_watched(
    workflow: str, input: Any = ..., *, result: type[T], **options: Any
) -> tuple[ChildStarted, Child[T]]: ...
@overload
def child_watched(workflow: str, input: Any = ..., **options: Any) -> tuple[ChildStarted, Child[Any]]: ...


def child_watched(workflow: str | Workflow[Any, Any], input: Any = None, **options: Any) -> Any:  # noqa: A002
    """As :func:`child`, with a future that tells when the child exists, and under which ids.

    ```python
    started, shipped = child_watched(ship, order)
    await (await started).signal("address", "12 Main Street")
    receipt = await shipped
    ```

    It costs the run a wait of its own, so take :func:`child` where nothing depends on it.
    """
    return _start(workflow, input, **options)


def _start(
    workflow: str | Workflow[Any, Any],
    value: Any,
    *,
    result: Any = None,
    id: str | None = None,  # noqa: A002 - the word of the API
    id_reuse: IdReuse = "allow",
    component: str | None = None,
    task_queue: str | None = None,
    execution_timeout: Duration | None = None,
    run_timeout: Duration | None = None,
    retry: Retry | None = None,
    parent_close: ParentClose = "terminate",
    cancellation: Cancellation = "try-cancel",
    cancel_with_run: bool = False,
    memo: Mapping[str, Any] | None = None,
    summary: str | None = None,
) -> tuple[ChildStarted, Child[Any]]:
    name = workflow if isinstance(workflow, str) else workflow.name
    if result is None:
        result = Any if isinstance(workflow, str) else workflow.output
    # The host's words, which begin its own failures.
    doing = f"child workflow {json.dumps(name, ensure_ascii=False)}"
    started = ChildStarted(doing)
    finished: Child[Any] = Child(result, doing)
    try:
        scopes.check()
        payload, notes = _encode(value, memo or {})
    except Failure as failure:
        started.fail(of_child(failure, doing))
        finished.fail(of_child(failure, doing))
        return started, finished
    options = ChildOptions(
        workflow_id=id,
        id_reuse=id_reuse,
        component=component,
        task_queue=task_queue,
        execution_timeout=optional(execution_timeout),
        run_timeout=optional(run_timeout),
        retry=retries.to_wire(retry),
        parent_close=parent_close,
        cancellation=cancellation,
        memo=notes,
        summary=summary,
    )
    started_op, finished_op = run.current().host.start_child(name, payload, options)
    started.begin(started_op)
    finished.begin(finished_op, cancel_with_run)
    return started, finished


def _encode(value: Any, memo: Mapping[str, Any]) -> tuple[Payload, Named]:
    try:
        payload = encode(value)
    except Failure as failure:
        raise failure.context("input") from None
    notes: Named = []
    for key, note in memo.items():
        try:
            set_named(notes, key, note)
        except Failure as failure:
            raise failure.context(f"memo `{key}`") from None
    return payload, notes
