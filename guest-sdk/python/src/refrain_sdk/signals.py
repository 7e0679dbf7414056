"""Signals: what others tell a run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar, overload

from . import log, run
from .executions import Execution, Sent
from .failures import Failure
from .inbox import Channel, Wake
from .payloads import decode
from .waits import Waits
from .wire import Payload

T = TypeVar("T")


class Signal(Generic[T]):
    """A kind of signal: its name and its type. All with one name are one queue.

    ```python
    APPROVED = Signal("approved", bool, doc="Whether the order may be sent.")

    @workflow(signals=[APPROVED])
    async def order() -> str:
        return "sent" if await APPROVED.recv() else "refused"
    ```

    Signals that come while nobody waits are kept, and those that are still unread when the run continues as new are the
    first that the next one gets. In any other case they end with the run, and a warning in its log says so.
    """

    @overload
    def __init__(self, name: str, type: type[T], *, doc: str = ...) -> None: ...
    @overload
    def __init__(self: Signal[Any], name: str, type: Any = ..., *, doc: str = ...) -> None: ...

    def __init__(self, name: str, type: Any = Any, *, doc: str = "") -> None:  # noqa: A002
        self.name = name
        self.type = type
        self.doc = doc

    def recv(self) -> Recv[T]:
        """Wait for the next one.

        One whose input does not fit is passed over, with an error in the run's log: who sends nonsense must not be able
        to end a workflow.
        """
        return Recv(self)

    def try_recv(self, default: Any = None) -> T | Any:
        """The next one, if it is there, else the default."""
        for value in self._there(1):
            return value
        return default

    def drain(self) -> list[T]:
        """All that are there, in the order in which they came."""
        return self._there(None)

    def _there(self, at_most: int | None) -> list[T]:
        unread = run.current().inbox.channel(self.name).unread
        values: list[T] = []
        while unread and len(values) != at_most:
            _, payload = unread.popleft()
            try:
                values.append(decode(payload, self.type))
            except Failure as failure:
                self._pass_over(failure)
        return values

    def _pass_over(self, failure: Failure) -> None:
        log.error(f"signal passed over: {failure}", signal=self.name)

    def handle(self, handler: Callable[[T], Awaitable[None]]) -> Callable[[T], Awaitable[None]]:
        """Handle this signal from now on, in place of the handler before, if there was one; also as a decorator.

        Each by a task of its own, so that several may be under way at once. They begin in the order in which the
        signals came, those that are unread first. :meth:`recv` gets none any more. One whose input does not fit is
        passed over. A failure of the handler fails the run; a workflow that ends cuts its handlers off: wait for
        `all_handlers_finished`.
        """
        current = run.current()

        def take_in(payload: Payload) -> Wake:
            try:
                value: T = decode(payload, self.type)
            except Failure as failure:
                self._pass_over(failure)
                return lambda: None

            async def handling() -> None:
                await handler(value)

            return current.handlers.begin(("signal", self.name), handling())

        channel = current.inbox.channel(self.name)
        channel.handler = take_in
        while channel.unread:
            take_in(channel.unread.popleft()[1])()
        return handler

    def send_to(self, target: Execution, input: T) -> Sent:  # noqa: A002
        """Send it to another execution: `Execution.signal` with this name."""
        return target.signal(self.name, input)


class Recv(Waits[T]):
    """Made by :meth:`Signal.recv`. Giving it up takes no signal."""

    def __init__(self, signal: Signal[T]) -> None:
        super().__init__()
        self._signal = signal

    def is_ready(self) -> bool:
        """Whether one is there that fits, or may."""
        return bool(self._channel().unread)

    def _channel(self) -> Channel:
        return run.current().inbox.channel(self._signal.name)

    async def wait(self) -> T:
        """Wait for the next one."""
        channel = self._channel()
        while True:
            for value in self._signal._there(1):
                return value
            receiver: asyncio.Future[None] = run.current().loop.create_future()
            channel.receivers.append(receiver)
            try:
                await receiver
            except asyncio.CancelledError:
                if receiver.done() and not receiver.cancelled() and channel.unread:
                    channel.wake()  # it is for the next one
                elif receiver in channel.receivers:
                    channel.receivers.remove(receiver)
                raise
