"""What the run was told and has not used yet: outcomes of ops, signals, a cancel request; and who waits for it.

A wait may bring many events. All are *taken in* first, so that whoever looks (`try_recv`, `is_cancel_requested`) sees
all that the journal says was delivered; then those who wait are *woken*, one event after the other, and what one event
sets in motion has come to rest before the next. So of two things that happened the one that happened first is seen
first, however deep in tasks and gathers it is waited for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeAlias

from .host import Host
from .wire import CancelMessage, Event, Finished, Outcome, Payload, SignalMessage

NO_LONGER = "no longer waited for"
"""The reason with which timers end that lost against something else."""

Wake: TypeAlias = Callable[[], None]
"""Lets those go on who waited for one event."""

Handler: TypeAlias = Callable[[Payload], Wake]
"""Takes a signal's input in; what it returns begins the handling."""


class Waiting(Protocol):
    """Who waits for an op."""

    is_deadline: bool
    """Whether it limits something else, which has won if the same wait brings both."""

    def settle(self, outcome: Outcome) -> None:
        """The op has ended."""
        ...


class Channel:
    """The signals of one name."""

    def __init__(self) -> None:
        self.unread: deque[tuple[int, Payload]] = deque()
        """Each with its place among all signals that came."""
        self.receivers: deque[asyncio.Future[None]] = deque()
        self.handler: Handler | None = None

    def wake(self) -> None:
        """Let the receiver go on that has waited longest."""
        while self.receivers:
            receiver = self.receivers.popleft()
            if not receiver.done():
                receiver.set_result(None)
                return


class Inbox:
    """One run's."""

    def __init__(self) -> None:
        self._ops: dict[int, Waiting] = {}
        self._channels: dict[str, Channel] = {}
        self._arrivals = 0
        self._on_cancel: dict[int, tuple[Callable[[str], None], bool]] = {}
        self._tickets = 0
        self.late: list[Wake] = []
        """Who is woken when all that a wait brought has come to rest: limits, which lose against what they limit."""
        self.cancel_reason: str | None = None
        self.closed = False
        """The run has ended: what is given up from now on is the host's to end."""

    def take_in(self, event: Event) -> Wake | None:
        """Keep what the event brings; the return value wakes who waits for it."""
        match event:
            case Finished():
                waiting = self._ops.pop(event.op, None)
                if waiting is None:
                    return None
                wake = partial(waiting.settle, event.outcome)
                if waiting.is_deadline:
                    self.late.append(wake)
                    return None
                return wake
            case SignalMessage():
                channel = self.channel(event.name)
                if channel.handler is not None:
                    return channel.handler(event.input)
                self._arrivals += 1
                channel.unread.append((self._arrivals, event.input))
                return channel.wake
            case CancelMessage():
                self.cancel_reason = event.reason
                self.late.append(partial(self._wake_canceled, True))
                return partial(self._wake_canceled, False)
            case _:
                return None

    def close(self) -> tuple[SignalMessage, ...]:
        """The run has ended. Returns the signals that were not read, in the order in which they came."""
        self.closed = True
        unread = [(place, name, value) for name, channel in self._channels.items() for place, value in channel.unread]
        unread.sort(key=lambda signal: signal[0])
        return tuple(SignalMessage(name, value) for _, name, value in unread)

    # Ops.

    def add(self, op: int, waiting: Waiting) -> None:
        """An op was started, and this waits for it."""
        self._ops[op] = waiting

    def is_open(self, op: int) -> bool:
        """Whether the end of that op is still to come, and wanted."""
        return op in self._ops

    def forget(self, op: int) -> bool:
        """Nobody waits for that op any more. Whether the host has to be told."""
        return self._ops.pop(op, None) is not None and not self.closed

    def end_timer(self, host: Host, op: int) -> None:
        """Nobody waits for that timer any more, so it need not go on."""
        if self.forget(op):
            host.cancel(op, NO_LONGER)
            host.detach(op)

    # Signals.

    def channel(self, name: str) -> Channel:
        """The signals of that name."""
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = Channel()
        return channel

    # The cancel request.

    def on_cancel(self, callback: Callable[[str], None], *, late: bool = False) -> int:
        """Call it when someone asks the run to end; the number is for :meth:`not_on_cancel`.

        `late`: as a limit, after all else that the same wait brought.
        """
        self._tickets += 1
        self._on_cancel[self._tickets] = (callback, late)
        return self._tickets

    def not_on_cancel(self, ticket: int) -> None:
        """Do not call it any more."""
        self._on_cancel.pop(ticket, None)

    def _wake_canceled(self, late: bool) -> None:
        tickets = [ticket for ticket, (_, is_late) in self._on_cancel.items() if is_late == late]
        for ticket in tickets:
            # One may have been taken back by the one before.
            found = self._on_cancel.pop(ticket, None)
            if found is not None:
                found[0](self.cancel_reason or "")
