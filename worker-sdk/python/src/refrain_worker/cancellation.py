"""Telling an attempt to stop: one side belongs to the worker, the other to the activity."""

from __future__ import annotations

import asyncio
import enum
import threading


class CancelReason(enum.Enum):
    """Why an attempt is asked to stop."""

    REQUESTED = "cancellation was requested"
    """The workflow cancelled the activity, or ended."""
    TIMED_OUT = "the attempt timed out"
    """The attempt took longer than its timeouts allow; its outcome is no longer wanted."""
    SHUTDOWN = "the worker is stopping"
    """The worker is stopping. The attempt counts, and another follows if one is left."""
    STALE = "the attempt is no longer the current one"
    """Another attempt is current, or the activity or its run has ended: nobody hears what this one answers."""


class Cancellation:
    """An event that happens when the attempt should stop. The first reason stands.

    The worker sets it from its event loop, and so may the tests of an activity.
    """

    def __init__(self) -> None:
        self._reason: CancelReason | None = None
        self._for_threads = threading.Event()
        self._for_tasks = asyncio.Event()

    @property
    def reason(self) -> CancelReason | None:
        """Why to stop; None as long as there is no need to."""
        return self._reason

    def is_set(self) -> bool:
        """Whether the attempt should stop. From any thread."""
        return self._for_threads.is_set()

    async def wait(self) -> CancelReason:
        """Wait until the attempt should stop; for ever, if that does not happen."""
        await self._for_tasks.wait()
        assert self._reason is not None  # noqa: S101 - set before the event
        return self._reason

    def wait_blocking(self, timeout: float | None = None) -> bool:
        """Block this thread until the attempt should stop, at most `timeout` seconds; whether it should.

        In place of `time.sleep` in a sync activity: it ends early when there is a reason.
        """
        return self._for_threads.wait(timeout)

    def set(self, reason: CancelReason) -> bool:
        """Ask the attempt to stop; False if it has been asked before."""
        if self._reason is not None:
            return False
        self._reason = reason
        self._for_threads.set()
        self._for_tasks.set()
        return True
