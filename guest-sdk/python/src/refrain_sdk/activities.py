"""Activities: work with side effects, done outside the workflow."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from . import retries, run, scopes
from .durations import Duration, optional
from .failures import Failure
from .payloads import encode, set_named
from .retries import Retry
from .wire import ActivityOptions, Cancellation, Named
from .work import Work

T = TypeVar("T")


class Activity(Work[T]):
    """An activity that was started: a future of its outcome."""


@overload
def activity(
    name: str,
    input: Any = ...,
    *,
    result: type[T],
    start_to_close: Duration | None = ...,
    schedule_to_close: Duration | None = ...,
    schedule_to_start: Duration | None = ...,
    heartbeat: Duration | None = ...,
    retry: Retry | None = ...,
    task_queue: str | None = ...,
    cancellation: Cancellation = ...,
    cancel_with_run: bool = ...,
    priority: int | None = ...,
    fairness: str | None = ...,
    fairness_weight: float | None = ...,
    summary: str | None = ...,
) -> Activity[T]: ...


@overload
def activity(
    name: str,
    input: Any = ...,
    *,
    result: Any = ...,
    start_to_close: Duration | None = ...,
    schedule_to_close: Duration | None = ...,
    schedule_to_start: Duration | None = ...,
    heartbeat: Duration | None = ...,
    retry: Retry | None = ...,
    task_queue: str | None = ...,
    cancellation: Cancellation = ...,
    cancel_with_run: bool = ...,
    priority: int | None = ...,
    fairness: str | None = ...,
    fairness_weight: float | None = ...,
    summary: str | None = ...,
) -> Activity[Any]: ...


def activity(name: str, input: Any = None, *, result: Any = Any, **options: Any) -> Activity[Any]:  # noqa: A002
    """Start an activity, at the call. What is returned is a future of its result.

    ```python
    greeting = await activity("greet", "Ada", result=str, start_to_close=10, retry=Retry(maximum_attempts=3))

    left = activity("count", "left", result=int, start_to_close=10)  # two at once
    right = activity("count", "right", result=int, start_to_close=10)
    print(await left + await right)
    ```

    Raises, where it is awaited, the last attempt's `Failure`, `TimedOut`, `HostFailure` or `Canceled`. Raises
    ValueError at the call when neither `start_to_close` nor `schedule_to_close` is given.

    `result`: the type as which the result is read; without it the JSON values as they are.
    `start_to_close`: at most this long for each attempt; one that takes longer is retried.
    `schedule_to_close`: at most this long for all attempts together.
    `schedule_to_start`: at most this long until a worker takes an attempt; what takes longer is not retried.
    `heartbeat`: an attempt that is silent for longer is retried.
    `retry`: when and how often to try again; without it without end, 1 s to 100 s apart.
    `task_queue`: the workers that poll this queue; without it the run's own. What a plugin of the host offers, the host
    does itself.
    `cancellation`: what :meth:`~Work.request_cancel` does to the work.
    `cancel_with_run`: when someone asks the run to end, ask the activity too, and wait for what comes of it. Leave it
    out where the work must be done all the same, as in compensations.
    `priority`: 1 (first) to 5; without it 3. Of what waits in a task queue, lower numbers start first.
    `fairness`: whose turn it takes in its queue, for example a tenant's: of what waits with the same priority, each key
    gets its turn. `fairness_weight`: how large that key's share is, 0.001 to 1000; without it 1.
    `summary`: one line for people who read the history.
    """
    return _start(False, name, input, result, **options)


def local_activity(name: str, input: Any = None, *, result: Any = Any, **options: Any) -> Activity[Any]:  # noqa: A002
    """Start a local activity: short work that needs no scheduling of its own, such as a lookup.

    The host runs it in its own process at once, and what comes of it is recorded with the step, so that it costs no
    write of its own to the disk. What is faster is weaker, too: it runs *before* the step that starts it is durable. If
    the host dies in that moment the work was done and nobody knows; so take it for what does no harm twice or in vain.

    Takes what :func:`activity` takes. `task_queue`, `priority` and `fairness` are without effect, and a type that none
    of the host's plugins offers fails as `not-found`.
    """
    return _start(True, name, input, result, **options)


def _start(
    local: bool,
    name: str,
    value: Any,
    result: Any,
    *,
    start_to_close: Duration | None = None,
    schedule_to_close: Duration | None = None,
    schedule_to_start: Duration | None = None,
    heartbeat: Duration | None = None,
    retry: Retry | None = None,
    task_queue: str | None = None,
    cancellation: Cancellation = "try-cancel",
    cancel_with_run: bool = False,
    priority: int | None = None,
    fairness: str | None = None,
    fairness_weight: float | None = None,
    summary: str | None = None,
) -> Activity[Any]:
    if start_to_close is None and schedule_to_close is None:
        raise ValueError(
            f"activity `{name}` needs `start_to_close` or `schedule_to_close`: when has it taken too long?"
        )
    more: Named = []
    if fairness is not None:
        set_named(more, "fairness-key", fairness)
    if fairness_weight is not None:
        set_named(more, "fairness-weight", float(fairness_weight))
    options = ActivityOptions(
        task_queue=task_queue,
        schedule_to_close_timeout=optional(schedule_to_close),
        schedule_to_start_timeout=optional(schedule_to_start),
        start_to_close_timeout=optional(start_to_close),
        heartbeat_timeout=optional(heartbeat),
        retry=retries.to_wire(retry),
        cancellation=cancellation,
        priority=priority,
        summary=summary,
        more=more,
    )
    started: Activity[Any] = Activity(result, f"activity `{name}`")
    try:
        scopes.check()
        try:
            payload = encode(value)
        except Failure as failure:
            raise failure.context(f"input of activity `{name}`") from None
    except Failure as failure:
        started.fail(failure)
        return started
    host = run.current().host
    start = host.start_local_activity if local else host.start_activity
    started.begin(start(name, payload, options), cancel_with_run)
    return started
