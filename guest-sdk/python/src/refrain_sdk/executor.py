"""Runs a workflow to its end, and waits when nothing can go on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

from . import log
from .ends import ContinueAsNew, completion_of
from .failures import Failure
from .run import Run
from .wire import Completion, NextRun, QueryMessage, SignalMessage, UpdateMessage


def drive(run: Run, main: Coroutine[Any, Any, Completion]) -> Completion:
    """Run `main` to its end. Other tasks end with it: what they still have open is the host's to end.

    Raises what is a bug.
    """
    loop = run.loop
    asyncio._set_running_loop(loop)
    try:
        completion = _drive(run, main)
        _hand_on(run, completion)
        return completion
    finally:
        asyncio._set_running_loop(None)


def _drive(run: Run, main: Coroutine[Any, Any, Completion]) -> Completion:
    loop, inbox = run.loop, run.inbox
    ended: asyncio.Future[Completion] = loop.create_future()
    run.handlers.failed = ended  # type: ignore[assignment]  # only exceptions are put there

    def end(task: asyncio.Task[Completion]) -> None:
        if not ended.done():
            error = task.exception()
            if error is None:
                ended.set_result(task.result())
            else:
                ended.set_exception(error)

    loop.create_task(main, context=Context()).add_done_callback(end)
    loop.run_ready(until=ended)
    while not ended.done():
        if run.conditions.look() or run.handlers.handle_next_update():
            # One after the other, so that each sees what those before it have done.
            loop.run_ready(until=ended)
            continue
        # The one place where a workflow sleeps.
        events = run.host.next()
        loop.begin_step()
        wakes = []
        for event in events:
            if isinstance(event, QueryMessage):
                answer(run, event)  # it has changed nothing
                continue
            if isinstance(event, UpdateMessage):
                run.handlers.updates.append(event)
            elif (wake := inbox.take_in(event)) is not None:
                wakes.append(wake)
            run.conditions.changed()
        late, inbox.late = inbox.late, []
        for wake in [*wakes, *late]:
            wake()
            loop.run_ready(until=ended)
            if ended.done():
                break
    try:
        return ended.result()
    except (Failure, ContinueAsNew) as error:  # of a handler
        return completion_of(run, error)


def finish(run: Run, completion: Completion) -> None:
    """End the run. Where it is replayed for a query that comes after its end, answer that."""
    run.host.finish(completion)
    while events := run.host.next():
        for event in events:
            if isinstance(event, QueryMessage):
                answer(run, event)


def answer(run: Run, query: QueryMessage) -> None:
    """Answer a query that a wait has delivered."""
    from .queries import answer_to

    run.host.answer(query.request, answer_to(run, query))


def _hand_on(run: Run, completion: Completion) -> None:
    """Say what is left behind: signals by name, and handlers. A run that follows gets the signals."""
    unread: tuple[SignalMessage, ...] = run.inbox.close()
    if isinstance(completion, NextRun):
        object.__setattr__(completion, "unread", unread)
    else:
        counts: dict[str, int] = {}
        for signal in unread:
            counts[signal.name] = counts.get(signal.name, 0) + 1
        for name, count in counts.items():
            log.warn("ended with unread signals", signal=name, count=count)
    for (kind, name), count in run.handlers.unfinished():
        log.warn(f"ended before handlers of {kind} `{name}` had finished", count=count)
