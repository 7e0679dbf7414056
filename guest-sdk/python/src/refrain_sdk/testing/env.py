"""What a workflow under test meets: activities, children, and messages at given times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from ..durations import Duration, to_nanoseconds
from ..payloads import encode
from ..run import enter
from ..wire import CancelMessage, Outcome, QueryMessage, SignalMessage, UpdateMessage
from ..workflows import Workflow, execute
from .ended import Ended
from .host import PlayedHost, by_host


class Env:
    """An empty one. Its methods return it, so that they are written one after the other."""

    def __init__(self) -> None:
        self._host = PlayedHost()
        self._updates = 0

    def activity(self, name: str, function: Callable[[Any], Any], *, takes: Duration = 0) -> Env:
        """An activity: the function gets the input as JSON values, and returns the result or raises a `Failure`."""
        self._host.activities[name] = (to_nanoseconds(takes), function)
        return self

    def child(self, workflow: str, function: Callable[[Any], Any], *, takes: Duration = 0) -> Env:
        """Children of that workflow: what the function returns or raises stands for the outcome."""
        self._host.children[workflow] = (to_nanoseconds(takes), function)
        return self

    def refused_child(self, workflow: str, error_type: str) -> Env:
        """Children of that workflow cannot be started: `already-exists`, for example."""
        self._host.refused[workflow] = error_type
        return self

    def without_execution(self, workflow_id: str) -> Env:
        """There is no execution with that id: what is sent to it fails (`not-found`). Others are always there."""
        self._host.missing.append(workflow_id)
        return self

    def unpatched(self, id: str) -> Env:  # noqa: A002 - the word of the contract
        """The run passed that change before it was there."""
        self._host.unpatched.append(id)
        return self

    def signal(self, after: Duration, name: str, input: Any = None) -> Env:  # noqa: A002
        """A signal that comes some time after the start."""
        self._host.schedule(to_nanoseconds(after), SignalMessage(name, encode(input)))
        return self

    def query(self, after: Duration, name: str, input: Any = None) -> Env:  # noqa: A002
        """A query that is asked some time after the start, also after the run's end. `Ended.answer` has its answer."""
        self._host.schedule(to_nanoseconds(after), QueryMessage(0, name, encode(input)))
        return self

    def update(self, after: Duration, name: str, input: Any = None) -> Env:  # noqa: A002
        """An update that comes some time after the start; its id is `update-0`, the next one's `update-1`."""
        request = self._updates
        self._updates += 1
        self._host.updates.append(None)
        self._host.schedule(to_nanoseconds(after), UpdateMessage(request, f"update-{request}", name, encode(input)))
        return self

    def cancel(self, after: Duration, reason: str = "") -> Env:
        """A cancel request that comes some time after the start."""
        self._host.schedule(to_nanoseconds(after), CancelMessage(reason))
        return self

    def suggest_continue_as_new(self, after: Duration) -> Env:
        """Some time after the start the journal nears its limit. Without it, it never does."""
        self._host.long_from = to_nanoseconds(after)
        return self

    def run(self, workflow: Workflow[Any, Any], input: Any = None) -> Ended:  # noqa: A002
        """Run a workflow to its end. Raises its bugs, and AssertionError when it waits for ever."""
        host = self._host
        try:
            completion = execute([workflow], workflow.name, encode(input), host)
        finally:
            enter(None)
        host.reject_unanswered()
        elapsed = host.clock if host.ended_at is None else host.ended_at
        not_served: Outcome = by_host("not-served", "the run has ended, and handled no query")
        answers = host.answers + [not_served] * host.queries_left()
        return Ended(completion, timedelta(microseconds=elapsed / 1_000), host.calls, host.lines, answers, host.updates)
