"""An event loop of asyncio whose timers are durable and whose order is fixed.

What is ready runs first come, first served. Nothing here depends on addresses, hashes or the clock: tasks and futures
are numbered, and their number is their hash, so that even the sets in which asyncio itself keeps some of them are in
the same order on each replay, by whatever build.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from itertools import count
from typing import Any, TypeVar

from .bugs import Bug
from .host import Host
from .inbox import Inbox
from .wire import NANOSECONDS, Outcome

T = TypeVar("T")

_numbers = count(1)


class Future(asyncio.Future[T]):
    """A future whose hash is its number."""

    is_deadline = False

    def __init__(self, *, loop: asyncio.AbstractEventLoop) -> None:
        self._number = next(_numbers)
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


class Task(asyncio.Task[T]):
    """A task whose hash is its number."""

    def __init__(self, coro: Coroutine[Any, Any, T], **options: Any) -> None:
        self._number = next(_numbers)
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._number


class Timer(asyncio.TimerHandle):
    """A callback that a durable timer calls."""

    __slots__ = ("is_deadline", "op")
    op: int | None
    is_deadline: bool

    def settle(self, _outcome: Outcome) -> None:
        """The timer has fired: nobody else can end it."""
        loop: Loop = self._loop  # type: ignore[attr-defined]
        loop.ready.append(self)


class Loop(asyncio.AbstractEventLoop):
    """Runs what is ready. Who drives it waits for the host when nothing is."""

    def __init__(self, host: Host, inbox: Inbox) -> None:
        self._host = host
        self._inbox = inbox
        self._tasks: dict[int, asyncio.Task[Any]] = {}
        self.ready: deque[asyncio.Handle] = deque()
        self._bug: BaseException | None = None
        self._reads = 0
        self._step_time: int | None = None

    # Running.

    def run_ready(self, until: asyncio.Future[Any]) -> None:
        """Run what is ready, and what that makes ready, but nothing once `until` is done. Raises what was a bug."""
        while self.ready and not until.done():
            handle = self.ready.popleft()
            if not handle.cancelled():
                handle._run()
            if self._bug is not None:
                raise Bug(self._bug)

    def begin_step(self) -> None:
        """A wait has returned."""
        self._reads = 0
        self._step_time = None

    # The clock.

    def now(self) -> int:
        """The run's time, in nanoseconds since 1970. It moves on with each call."""
        self._reads += 1
        return self._host.now()

    def step_time(self) -> int:
        """The time from which timers count in this step, in nanoseconds since 1970. Costs the step one read."""
        if self._step_time is None:
            # Each read, says `wit/`, moves the clock on by a microsecond.
            ahead = self._reads * 1_000
            self._step_time = self.now() - ahead
        return self._step_time

    def time(self) -> float:
        """Seconds since 1970, the same all over a step."""
        return self.step_time() / NANOSECONDS

    # What asyncio asks of a loop.

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Run it after what is ready."""
        handle = asyncio.Handle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """As `call_soon`: there is one thread."""
        return self.call_soon(callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Start a durable timer. What is due already runs after what is ready, without one."""
        # `when` is asyncio's own affair: for the host only the delay counts.
        timer = Timer(0.0, callback, list(args), self, context)
        timer.op = None
        timer.is_deadline = False
        if delay > 0:
            timer.op = self._host.start_timer(round(delay * NANOSECONDS), None)
            self._inbox.add(timer.op, timer)
        else:
            self.ready.append(timer)
        return timer

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Start a durable timer that fires at that time of this loop, to the microsecond.

        It is how `asyncio.timeout` limits something. When a wait brings both the limit and what is limited, the limit
        comes last: what was waited for has won.
        """
        # A float of today's seconds is exact to some 0.2 us, which rounding takes away.
        timer = self.call_later(round(when - self.time(), 6), callback, *args, context=context)
        assert isinstance(timer, Timer)  # noqa: S101 - no other is made
        timer.is_deadline = True
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        assert isinstance(handle, Timer)  # noqa: S101 - no other is made
        if handle.op is not None:
            self._inbox.end_timer(self._host, handle.op)

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, T] | Generator[Any, None, T], **options: Any) -> asyncio.Task[T]:
        """Run it beside what runs; it begins after what is ready. The loop holds it until it has ended."""
        # Where it could begin at once, `eager_start`, it would not begin in the order of the calls.
        options.pop("eager_start", None)
        task: Task[T] = Task(coro, loop=self, **options)  # type: ignore[arg-type]
        self._tasks[hash(task)] = task
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        del self._tasks[hash(task)]

    def get_debug(self) -> bool:
        """Never: asyncio's debug mode looks at clocks."""
        return False

    def is_running(self) -> bool:
        """Whether it runs: it exists as long as its run."""
        return True

    def is_closed(self) -> bool:
        """Never."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Called by asyncio where an exception has nobody to go to."""
        error = context.get("exception")
        if isinstance(error, BaseException) and "handle" in context:
            self._bug = error
            return
        # A task that failed and was never awaited. When this is said depends on the collector: a line of the log may.
        message = str(context.get("message", "unhandled exception"))
        self._host.log("error", f"{message}: {error!r}" if error is not None else message, [])

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Any, *args: Any
    ) -> Any:
        """Not here."""
        raise NotImplementedError("workflow code has one thread: call the function, or use an activity")
