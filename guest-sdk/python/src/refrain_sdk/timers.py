"""Durable timers and the run's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from . import run
from .durations import Duration, to_nanoseconds
from .loop import Future
from .wire import Outcome

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_nanoseconds(nanoseconds: int) -> datetime:
    """The point in time, to the microsecond."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1_000)


def now() -> datetime:
    """The run's time, in UTC: the same on every replay, never running back, and moving on with each call."""
    return from_nanoseconds(run.current().loop.now())


class Sleep(Future[None]):
    """A running timer, made by :func:`sleep`."""

    def __init__(self, nanoseconds: int, summary: str | None) -> None:
        current = run.current()
        super().__init__(loop=current.loop)
        self._run = current
        self._op = current.host.start_timer(nanoseconds, summary)
        current.inbox.add(self._op, self)

    def settle(self, _outcome: Outcome) -> None:
        """Only this future could cancel the timer: every outcome means that it fired."""
        if not self.done():
            self.set_result(None)

    def cancel(self, msg: object = None) -> bool:
        """End the timer."""
        if not super().cancel(msg):
            return False
        self._run.inbox.end_timer(self._run.host, self._op)
        return True


def sleep(duration: Duration, summary: str | None = None) -> Sleep:
    """Wait, durably: the host may crash or forget the run meanwhile.

    The timer starts at the call, not where it is awaited. The summary is one line for people who read the history.
    `asyncio.sleep` does the same from where it is awaited; with 0 it only lets others run, without a timer.
    """
    return Sleep(to_nanoseconds(duration), summary)


def sleep_until(deadline: datetime, summary: str | None = None) -> Sleep:
    """Wait until the run's time is the deadline; one that has passed waits for nothing but the next step.

    Raises ValueError for a time without a zone.
    """
    if deadline.tzinfo is None:
        raise ValueError("the deadline has no time zone: give `tzinfo=timezone.utc`, for instance")
    until = (deadline - _EPOCH) // timedelta(microseconds=1) * 1_000
    return Sleep(max(0, until - run.current().loop.step_time()), summary)
