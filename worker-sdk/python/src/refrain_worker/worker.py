"""The worker: polls a task queue while it has free slots, and ends without leaving work behind."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

from .activity import Definition, activity
from .attempt import Attempt
from .cancellation import CancelReason
from .client import Client, RefusedError
from .errors import UNKNOWN_ACTIVITY, ActivityError, WorkerError
from .retry import PassingError, repeat
from .wire import Task

DEFAULT_ADDRESS = "http://127.0.0.1:7420"
DEFAULT_QUEUE = "default"
DEFAULT_SLOTS = 8
"""Attempts at once."""
DEFAULT_MAX_POLLERS = 4
"""Polls that wait at once. A poll that has got its task makes room for the next, so a few feed many slots."""
DEFAULT_GRACE = 15.0
"""Seconds that attempts get to end by themselves. With those below within the 30 s that Kubernetes gives a pod."""
POLL_WAIT = 30.0
"""Seconds that a poll waits for a task."""
POLL_MARGIN = 10.0
"""Seconds after which an answer that should be there is taken for lost."""
SHORTEST_POLL = 0.5
"""Seconds between polls that brought nothing: a host that lets none wait, as it stops, is not asked all the time."""
LAST_POLL = 2.0
"""Seconds for the last poll of a worker that stops."""
STOPPING = 5.0
"""Seconds that attempts get to stop once they are asked to."""
LAST_REPORTS = 5.0
"""Seconds for reports that are still on their way then."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_log = logging.getLogger("refrain_worker")

T = TypeVar("T")


class Worker:
    """A process's offer to run activities from a task queue."""

    def __init__(
        self,
        address: str | None = None,
        *,
        activities: Sequence[Callable[..., Any]],
        task_queue: str | None = None,
        slots: int = DEFAULT_SLOTS,
        max_pollers: int = DEFAULT_MAX_POLLERS,
        grace: float = DEFAULT_GRACE,
        namespace: str | None = None,
        api_key: str | None = None,
        identity: str | None = None,
    ) -> None:
        """Make one.

        `address`: the host's; else `REFRAIN_ADDRESS`, else that of a host on this machine.
        `activities`: functions decorated with `@activity`, and bound methods of such.
        `task_queue`: the queue to poll; else `REFRAIN_TASK_QUEUE`, else `default`.
        `slots`: attempts at once.
        `max_pollers`: polls that wait at once; never more than there are free slots.
        `grace`: seconds that running attempts get to end when the worker stops.
        `namespace`: else `REFRAIN_NAMESPACE`, else `default`.
        `api_key`: else `REFRAIN_API_KEY`, else none.
        `identity`: the worker's name, for people; the machine's name and the process id unless given.

        Raises TypeError for a function that cannot be an activity, and ValueError for other things that do not do.
        """
        for name, number in (("slots", slots), ("max_pollers", max_pollers)):
            if number < 1:
                raise ValueError(f"`{name}` is {number}: it has to be at least 1")
        if grace < 0:
            raise ValueError(f"`grace` is {grace}: it has to be at least 0")
        self._definitions = _by_name(activities)
        self._queue = _queue(task_queue)
        self._max_pollers = min(slots, max_pollers)
        self._grace = grace
        self._identity = identity or f"{socket.gethostname()}:{os.getpid()}"
        self._client = Client(
            address or os.environ.get("REFRAIN_ADDRESS") or DEFAULT_ADDRESS,
            namespace or os.environ.get("REFRAIN_NAMESPACE") or "default",
            api_key or os.environ.get("REFRAIN_API_KEY"),
        )
        self._slots = asyncio.Semaphore(slots)
        self._attempts: dict[asyncio.Task[None], Attempt] = {}
        self._stopping = asyncio.Event()
        self._hurrying = asyncio.Event()

    @property
    def activities(self) -> list[str]:
        """The names of the activities that it offers."""
        return list(self._definitions)

    async def run(self) -> None:
        """Work until told to stop, by :meth:`stop`, SIGTERM or SIGINT, and until all that was begun has ended.

        Once only. A second signal, or the cancellation of this task, ends the grace of running attempts at once.
        Raises :class:`WorkerError` when the host refuses the worker's polls.
        """
        async with self._client as client:
            with self._signals():
                _log.info("polling task queue `%s` for %s", self._queue, ", ".join(self._definitions))
                pollers = [asyncio.create_task(self._poller(client)) for _ in range(self._max_pollers)]
                try:
                    # None of them ends before the worker stops, unless it fails.
                    await asyncio.wait(pollers, return_when=asyncio.FIRST_COMPLETED)
                except asyncio.CancelledError:
                    self._hurrying.set()
                    raise
                finally:
                    self._stopping.set()
                    await asyncio.wait(pollers)
                    await self._drain()
        for error in [poller.exception() for poller in pollers]:
            if isinstance(error, RefusedError):
                raise WorkerError(f"the host refuses to give tasks of queue `{self._queue}`: {error}") from error
            if error is not None:
                raise error

    def stop(self) -> None:
        """Poll no more, and let :meth:`run` return when what runs has ended. Again: without grace.

        From the event loop; from elsewhere with `loop.call_soon_threadsafe(worker.stop)`.
        """
        if self._stopping.is_set():
            self._hurrying.set()
        else:
            _log.info("stopping: %d attempts get %g s to end", len(self._attempts), self._grace)
        self._stopping.set()

    async def _poller(self, client: Client) -> None:
        """Take a slot, get a task for it, begin the attempt, again and again."""
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set() and await self._unless_stopping(self._slots.acquire()):
            task = None
            try:
                while task is None and not self._stopping.is_set():
                    earliest = loop.time() + SHORTEST_POLL
                    task = await self._poll(client)
                    if task is None:
                        await self._unless_stopping(asyncio.sleep(earliest - loop.time()))
            finally:
                if task is None:
                    self._slots.release()
            if task is not None:
                self._begin(client, task)

    async def _poll(self, client: Client) -> Task | None:
        """One poll, repeated under its id until there is an answer: none that is lost costs a task."""
        asked = (self._queue, self._identity, str(uuid.uuid4()), list(self._definitions))
        # Repeated without waiting: the answer tells at once that the host is there again.
        waits = itertools.chain([POLL_WAIT], itertools.repeat(0.0))
        task = await self._unless_stopping(
            repeat(lambda: client.poll(*asked, wait=next(waits), margin=POLL_MARGIN), "poll")
        )
        if task is None and self._stopping.is_set():
            # The host may just have answered the poll that was broken off: the same id gets that task.
            with contextlib.suppress(PassingError):
                task = await repeat(lambda: client.last_poll(*asked, margin=LAST_POLL), "last poll", within=LAST_POLL)
        return task

    def _begin(self, client: Client, task: Task) -> None:
        definition = self._definitions.get(task.activity) or _unknown(task.activity)
        attempt = Attempt(task, definition, client)
        running = asyncio.create_task(attempt.run())
        self._attempts[running] = attempt
        running.add_done_callback(self._ended)

    def _ended(self, running: asyncio.Task[None]) -> None:
        self._attempts.pop(running, None)
        self._slots.release()
        if not running.cancelled() and (error := running.exception()) is not None:
            _log.error("an attempt was lost by an error of the worker's own", exc_info=error)

    async def _drain(self) -> None:
        """Let attempts end; then ask them to; then report without them."""
        if await self._all_end_within(self._grace, self._hurrying):
            return
        for attempt in list(self._attempts.values()):
            attempt.cancel(CancelReason.SHUTDOWN)
        if await self._all_end_within(STOPPING):
            return
        for attempt in list(self._attempts.values()):
            attempt.abandon()
        if await self._all_end_within(LAST_REPORTS):
            return
        _log.error("%d attempts could not be reported; the host will time them out", len(self._attempts))
        for running in list(self._attempts):
            running.cancel()

    async def _all_end_within(self, seconds: float, unless: asyncio.Event | None = None) -> bool:
        if not self._attempts:
            return True
        all_end = asyncio.create_task(_all_of(list(self._attempts)))
        hurry = asyncio.create_task((unless or asyncio.Event()).wait())
        try:
            await asyncio.wait({all_end, hurry}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            return all_end.done()
        finally:
            all_end.cancel()
            hurry.cancel()

    async def _unless_stopping(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What the work results in; None if the worker stops before it is done."""
        task = asyncio.create_task(work)
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
            return None if task.cancelled() else task.result()
        finally:
            stop.cancel()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Stop at SIGTERM and SIGINT, where that can be arranged: in a process's main thread."""
        loop = asyncio.get_running_loop()
        arranged = []
        if threading.current_thread() is threading.main_thread():
            # Windows' loops cannot; there the cancellation of `run` by Ctrl-C does it.
            with contextlib.suppress(NotImplementedError):
                for number in _SIGNALS:
                    loop.add_signal_handler(number, self.stop)
                    arranged.append(number)
        try:
            yield
        finally:
            for number in arranged:
                loop.remove_signal_handler(number)


def _queue(argument: str | None) -> str:
    """The queue to poll. An empty one is a variable that was not filled in, and no wish for the tasks of `default`."""
    named = (("task_queue", argument), ("REFRAIN_TASK_QUEUE", os.environ.get("REFRAIN_TASK_QUEUE")))
    for name, queue in named:
        if queue == "":
            raise ValueError(f"`{name}` is empty: name a task queue, or leave it out to take `{DEFAULT_QUEUE}`")
        if queue is not None:
            return queue
    return DEFAULT_QUEUE


async def _all_of(tasks: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)


def _unknown(name: str) -> Definition:
    """The end of a task that was not asked for. It may be retried: another worker may have the activity."""

    @activity(name)
    async def refuse(_: Any) -> None:
        raise ActivityError(UNKNOWN_ACTIVITY, f"this worker has no activity `{name}`")

    return Definition(refuse)


def _by_name(activities: Sequence[Callable[..., Any]]) -> dict[str, Definition]:
    found: dict[str, Definition] = {}
    for definition in map(Definition, activities):
        if definition.name in found:
            raise ValueError(f"activity `{definition.name}` is there twice: give one of them another name")
        found[definition.name] = definition
    if not found:
        raise ValueError("`activities` is empty: a worker without activities has nothing to do")
    return found
