"""What an attempt knows of itself, and its line back to the host."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar, overload

from .cancellation import Cancellation, CancelReason
from .convert import Decoder, encode
from .errors import INVALID_HEARTBEAT, INVALID_OUTPUT, ActivityError, Pending
from .payload import Payload
from .wire import HeartbeatAnswer, Task

T = TypeVar("T")


class Context:
    """One attempt of one activity. May be used from any thread, unless a method says otherwise."""

    def __init__(self, task: Task, cancellation: Cancellation, on_heartbeat: Callable[[Payload | None], None]) -> None:
        """Make the context of an attempt: the worker does. For tests of activities: :meth:`detached`."""
        self._task = task
        self._cancellation = cancellation
        self._on_heartbeat = on_heartbeat
        self._last = task.last_details()
        self._answer = HeartbeatAnswer()
        allowed = task.time_allowed()
        self._ends = None if allowed is None else time.monotonic() + allowed.total_seconds()

    @classmethod
    def detached(
        cls,
        activity: str = "detached",
        *,
        attempt: int = 1,
        last_heartbeat: Any = None,
        on_heartbeat: Callable[[Payload | None], None] = lambda details: None,
    ) -> Context:
        """Make the context of an attempt that belongs to no run: for tests that call an activity themselves.

        Such a test cancels the attempt with `ctx.cancelled.set(CancelReason.REQUESTED)`, and an `async` one also
        as its own task.
        """
        now = datetime.now(timezone.utc)
        task = Task(
            task_token="detached",  # noqa: S106 - no secret
            activity=activity,
            workflow_id="detached",
            run_id="detached",
            activity_id="0",
            workflow="detached",
            task_queue="detached",
            namespace="default",
            idempotency_key="detached/0",
            attempt=attempt,
            scheduled_at=now,
            started_at=now,
        )
        context = cls(task, Cancellation(), on_heartbeat)
        if last_heartbeat is not None:
            context._last = encode(last_heartbeat)
        return context

    @property
    def namespace(self) -> str:
        """The namespace of the run."""
        return self._task.namespace

    @property
    def workflow(self) -> str:
        """The type of the workflow that started this activity."""
        return self._task.workflow

    @property
    def workflow_id(self) -> str:
        """The id of the workflow execution that started this activity."""
        return self._task.workflow_id

    @property
    def run_id(self) -> str:
        """The id of the run that started this activity."""
        return self._task.run_id

    @property
    def activity(self) -> str:
        """The name under which this activity was started."""
        return self._task.activity

    @property
    def activity_id(self) -> str:
        """The id of this activity in its run."""
        return self._task.activity_id

    @property
    def task_queue(self) -> str:
        """The task queue that the attempt came from."""
        return self._task.task_queue

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self._task.attempt

    @property
    def idempotency_key(self) -> str:
        """A string that names this activity of this run, the same for all of its attempts and for no other.

        Hand it to services that can tell a repeated request by a key.
        """
        return self._task.idempotency_key

    @property
    def task_token(self) -> str:
        """The string that names this attempt to the host's HTTP API.

        Whoever has it can complete, fail, cancel or heartbeat the attempt: hand it only to those who may. See
        :class:`Pending`.
        """
        return self._task.task_token

    @property
    def scheduled_at(self) -> datetime:
        """When the activity was scheduled, by the host's clock."""
        return self._task.scheduled_at

    @property
    def started_at(self) -> datetime:
        """When this attempt began, by the host's clock."""
        return self._task.started_at

    @property
    def heartbeat_timeout(self) -> timedelta | None:
        """How long the attempt may go without a heartbeat before it is taken for dead; None if it need not beat."""
        return self._task.longest_silence()

    @property
    def deadline(self) -> datetime | None:
        """When the attempt's outcome stops being of interest, by the host's clock; None if nothing limits it."""
        return self._task.deadline

    def time_left(self) -> timedelta | None:
        """How long the attempt's outcome is still of interest; None if nothing limits it.

        Counted on this machine from the arrival of the task: a clock that differs from the host's does not matter.
        """
        return None if self._ends is None else timedelta(seconds=max(0.0, self._ends - time.monotonic()))

    @property
    def cancelled(self) -> Cancellation:
        """The event that the attempt should stop.

        An `async` activity need not look at it: its task is cancelled, once, as `asyncio` cancels tasks. It may
        await its cleanup in `except asyncio.CancelledError` or `finally`, and protect a part with
        `asyncio.shield`. One that lets the `CancelledError` out is recorded as canceled, one that returns a value
        has completed.
        """
        return self._cancellation

    @property
    def is_cancelled(self) -> bool:
        """Whether the attempt should stop: for sync activities, between two pieces of work."""
        return self._cancellation.is_set()

    @property
    def cancel_reason(self) -> CancelReason | None:
        """Why the attempt should stop, if it should."""
        return self._cancellation.reason

    def check_cancelled(self) -> None:
        """Raise `asyncio.CancelledError` if the attempt should stop: the way out of a sync activity."""
        if self._cancellation.reason is not None:
            raise self.stopped()

    @property
    def is_paused(self) -> bool:
        """Whether an operator paused the activity, as far as heartbeats have told.

        The attempt may go on, and its result counts. One that stops by `raise ctx.stopped()` is not counted; that
        and one that fails are made again once the activity is unpaused.
        """
        return self._answer.paused

    @property
    def is_reset(self) -> bool:
        """Whether an operator reset the activity, as far as heartbeats have told.

        The attempt may go on, and its result counts. One that stops by `raise ctx.stopped()`, or fails, is followed
        at once by one with the number 1.
        """
        return self._answer.reset

    def heartbeat(self, details: Any = None) -> None:
        """Tell the host that this attempt is alive, and how far it has come.

        Cheap: call it for each piece of work. What is sent is limited to a few requests per heartbeat timeout, the
        newest details first. The details are anything with a JSON form, and are read at once: what is changed
        afterwards is not sent.
        """
        try:
            payload = None if details is None else encode(details)
        except ValueError as error:
            message = f"the details of a heartbeat: {error}"
            raise ActivityError(INVALID_OUTPUT, message, non_retryable=True) from error
        self._on_heartbeat(payload)

    @overload
    def last_heartbeat(self) -> Any: ...
    @overload
    def last_heartbeat(self, type: type[T]) -> T | None: ...
    def last_heartbeat(self, type: Any = None) -> Any:  # noqa: A002
        """How far an earlier attempt had come: the details of its last heartbeat.

        None in a first attempt and after attempts that sent none. Read as the `type`, or else as the JSON it is.
        """
        last = self._last
        if last is None:
            return None
        try:
            return (Decoder() if type is None else Decoder(type)).decode(last)
        except ValueError as error:
            message = f"the details of the last heartbeat: {error}"
            raise ActivityError(INVALID_HEARTBEAT, message) from error

    def stopped(self) -> asyncio.CancelledError:
        """What to raise when the attempt stops because it should, or is paused or reset: `raise ctx.stopped()`."""
        if self._cancellation.reason is not None:
            return asyncio.CancelledError(self._cancellation.reason.value)
        reason = "the activity was reset" if self.is_reset else "the activity was paused" if self.is_paused else ""
        return asyncio.CancelledError(reason or "the activity stopped without being asked to")

    def pending(self) -> Pending:
        """What to raise when somebody else will end this attempt: `raise ctx.pending()`."""
        return Pending(f"attempt {self.attempt} of `{self.activity}` ends elsewhere")

    def _heard(self, answer: HeartbeatAnswer) -> None:
        """Take in what the host answered to a heartbeat."""
        self._answer = answer
