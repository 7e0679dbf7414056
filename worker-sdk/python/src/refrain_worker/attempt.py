"""One attempt, from the task in hand to the report that the host has acknowledged.

what the activity does           told to the host
returns                          complete
raises Pending                   pending
raises CancelledError            as asked by the workflow: cancel
                                 as the worker stops:      fail, WorkerShutdown, benign
                                 as its deadline is over:  fail, TimedOut
                                 when paused or reset:     cancel, which the host does not count
                                 for no reason known here: fail, CancelledError
raises anything else             fail
ignores that the worker stops    fail, WorkerShutdown, without waiting for it any longer
whatever it does, once stale     nothing
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from . import report
from .activity import Definition
from .cancellation import Cancellation, CancelReason
from .client import Client, RefusedError, StaleError
from .context import Context
from .convert import encode
from .errors import CANCELED, INVALID_OUTPUT, TIMED_OUT, WORKER_SHUTDOWN, ActivityError, Pending
from .heartbeat import Heartbeats, interval_for
from .payload import Payload
from .report import Report
from .retry import PassingError, repeat
from .wire import HeartbeatAnswer, Task

DEADLINE_GRACE = 1.0
"""Seconds past its deadline at which an attempt is stopped: the host, whose word counts, comes first."""
LAST_REPORT = 10.0
"""Seconds for which a report is repeated at least, however near the deadline is."""
LONGEST_REPORT = 3600.0
"""Seconds for which the report of an attempt without a deadline is repeated: hosts are back by then."""

_log = logging.getLogger("refrain_worker")

T = TypeVar("T")


class Attempt:
    """Runs one activity for one task."""

    def __init__(self, task: Task, definition: Definition, client: Client) -> None:
        """Make it, in the event loop in which it runs."""
        self._task = task
        self._definition = definition
        self._client = client
        self._name = f"attempt {task.attempt} of `{task.activity}` in workflow `{task.workflow_id}`"
        self._cancellation = Cancellation()
        self._heartbeats = Heartbeats(
            interval_for(task.longest_silence()), self._send_heartbeat, self._heard, self._stale
        )
        self._context = Context(task, self._cancellation, self._heartbeats.beat)
        self._body: asyncio.Task[Report] | None = None
        self._abandoned = asyncio.Event()

    async def run(self) -> None:
        """Run the activity and report how it ended."""
        loop = asyncio.get_running_loop()
        left = self._context.time_left()
        timer = None
        if left is not None:
            timer = loop.call_later(left.total_seconds() + DEADLINE_GRACE, self.cancel, CancelReason.TIMED_OUT)
        try:
            ended = await self._execute()
        finally:
            if timer is not None:
                timer.cancel()
            unsent = await self._heartbeats.close()
        if self._cancellation.reason is CancelReason.STALE:
            return
        try:
            if unsent is not None and not ended.is_result:
                # What the next attempt, or whoever ends this one, begins with.
                await self._deliver_heartbeat(unsent.details)
            await self._deliver(ended)
        except StaleError as stale:
            _log.info("%s: its end is not recorded: %s", self._name, stale)
        except (PassingError, RefusedError) as error:
            _log.error("%s: its end could not be reported, and the host will time it out: %s", self._name, error)

    def cancel(self, reason: CancelReason) -> None:
        """Ask the attempt to stop; only the first time counts."""
        if self._cancellation.set(reason) and self._definition.is_async and self._body is not None:
            self._body.cancel()

    def abandon(self) -> None:
        """Do not wait for the activity any longer: it has been asked to stop, and goes on."""
        self._abandoned.set()

    async def _execute(self) -> Report:
        if self._cancellation.is_set():
            return self._stopped()
        self._body = asyncio.create_task(self._outcome())
        abandoned = asyncio.create_task(self._abandoned.wait())
        try:
            await asyncio.wait({self._body, abandoned}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            abandoned.cancel()
        if not self._body.done():
            _log.error("%s: it goes on although it was asked to stop; reported as failed", self._name)
            return self._stopped()
        # A task that is cancelled before it begins does not catch it.
        return self._stopped() if self._body.cancelled() else self._body.result()

    async def _outcome(self) -> Report:
        """Call the activity; whatever it does is a report."""
        try:
            return report.completed(_sendable(await self._definition.call(self._context, self._task.argument())))
        except Pending:
            return report.pending()
        except asyncio.CancelledError as error:
            if self._cancellation.is_set():
                return self._stopped()
            # It need not stop for these; that it did is no failure, and uses up no attempt.
            return report.canceled() if self._context.is_paused or self._context.is_reset else self._failed(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - no activity ends the worker, not even by SystemExit
            return self._failed(error)

    def _failed(self, error: BaseException) -> Report:
        benign = isinstance(error, ActivityError) and error.benign
        _log.log(
            logging.DEBUG if benign else logging.WARNING,
            "%s failed: %s: %s",
            self._name,
            report.type_of(error),
            error,
            exc_info=None if isinstance(error, ActivityError) else error,
        )
        return report.failed(error)

    def _stopped(self) -> Report:
        """What is told of an attempt that let itself be cancelled."""
        reason = self._cancellation.reason
        message = f"stopped before the end: {reason.value if reason else 'its task was cancelled'}"
        if reason is CancelReason.REQUESTED:
            return report.canceled()
        kinds = {CancelReason.SHUTDOWN: WORKER_SHUTDOWN, CancelReason.TIMED_OUT: TIMED_OUT}
        kind = kinds.get(reason, CANCELED) if reason else CANCELED
        return report.failed(ActivityError(kind, message, benign=True))

    async def _send_heartbeat(self, details: Payload | None, timeout: float) -> HeartbeatAnswer:
        return await self._client.heartbeat(self._task.task_token, details, timeout)

    def _heard(self, answer: HeartbeatAnswer) -> None:
        self._context._heard(answer)
        if answer.cancel_requested:
            self.cancel(CancelReason.REQUESTED)

    def _stale(self, why: str) -> None:
        _log.info("%s is not wanted any more: %s", self._name, why)
        self.cancel(CancelReason.STALE)

    async def _deliver(self, ended: Report) -> None:
        """Report until it is durable. What the host cannot take becomes a failure that says so."""
        try:
            await self._repeat(lambda: self._client.report(self._task.task_token, ended))
        except RefusedError as refused:
            _log.error("%s: the host refused its %s: %s", self._name, ended.route, refused)
            if ended.is_result:
                message = f"the result of activity `{self._task.activity}` was refused: {refused}"
                await self._deliver(report.failed(ActivityError(INVALID_OUTPUT, message, non_retryable=True)))
            elif ended.route == "fail":
                bare = report.barely(ended, str(refused))
                await self._repeat(lambda: self._client.report(self._task.task_token, bare))
            else:
                raise

    async def _deliver_heartbeat(self, details: Payload | None) -> None:
        try:
            await self._repeat(lambda: self._client.heartbeat(self._task.task_token, details))
        except RefusedError as refused:
            _log.error("%s: its last heartbeat was refused: %s", self._name, refused)

    async def _repeat(self, call: Callable[[], Awaitable[T]]) -> T:
        left = self._context.time_left()
        within = LONGEST_REPORT if left is None else max(left.total_seconds(), LAST_REPORT)
        return await repeat(call, self._name, within)


def _sendable(value: object) -> Payload:
    try:
        return encode(value)
    except ValueError as error:
        raise ActivityError(INVALID_OUTPUT, f"the result: {error}", non_retryable=True) from error
