"""Scopes: what is begun together and given up together.

A *place* is one block of code that runs in a scope. Places form a tree, by the block in which each was entered. Work
belongs to the innermost place around the call that starts it, also in tasks that were made there: a context variable
says which that is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType

from . import run
from .failures import Canceled

_INNERMOST: ContextVar[Place | None] = ContextVar("innermost scope", default=None)


class CancelScope:
    """Cancels what was started in it, all at once.

    ```python
    async with CancelScope(with_run=True):
        await asyncio.gather(*(activity("copy", disk, start_to_close=hours(1)) for disk in disks))
    ```

    What belongs to it are the activities and children that are started in its block, and in tasks made there. When it
    is canceled, by :meth:`cancel`, or with `with_run` by who asks the run to end:

    1. Each of them that is still open is asked to end, in the order in which they were started. What was given up is
       detached, and not asked.
    2. What would be started in it from then on fails at once as `Canceled`. Nobody else hears of it.
    3. The block goes on: it sees the failures, and may clean up in a :func:`shield`.
    4. Timers and receivers have no failure to see. So when nothing that belongs to the scope is open any more, no
       shield
       is at work, and everything that could go on has run, a block that still waits is cut off: its task is cancelled
       there, and the scope raises `Canceled` with the reason.

    A scope in another's block is canceled with it. A saga's block is such a scope, and its compensations are shielded.
    More than one block may run in the same scope. What is sent to other executions, and timers, belong to no scope.
    """

    def __init__(self, *, with_run: bool = False) -> None:
        self._with_run = with_run
        self._reason: str | None = None
        self._places: dict[int, Place] = {}
        self._entered = 0

    @property
    def is_canceled(self) -> bool:
        """Whether it was canceled."""
        return self._reason is not None

    @property
    def reason(self) -> str | None:
        """Why it was canceled, if it was."""
        return self._reason

    def cancel(self, reason: str = "") -> None:
        """Cancel it. The first reason counts; a scope is canceled once and for all."""
        if self._reason is not None:
            return
        self._reason = reason
        run.current().conditions.changed()
        for place in list(self._places.values()):
            place.canceled(reason)

    async def __aenter__(self) -> CancelScope:
        self._entered += 1
        place = Place(self, self._entered)
        self._places[self._entered] = place
        place.enter()
        inbox = run.current().inbox
        if place.outer is not None and place.outer.scope.reason is not None:
            self.cancel(place.outer.scope.reason)
        if self._with_run:
            if inbox.cancel_reason is not None:
                self.cancel(inbox.cancel_reason)
            elif self._reason is None:
                place.ticket = inbox.on_cancel(self.cancel)
        if self._reason is not None and place not in run.current().conditions.settling:
            run.current().conditions.settling.append(place)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        place = _INNERMOST.get()
        assert place is not None and place.scope is self  # noqa: S101, PT018 - blocks nest
        del self._places[place.number]
        if place.leave(isinstance(error, asyncio.CancelledError)):
            raise Canceled(self._reason or "") from None


class Place:
    """One block in a scope."""

    def __init__(self, scope: CancelScope, number: int) -> None:
        self.scope = scope
        self.number = number
        self.outer = _INNERMOST.get()
        self.ops: dict[int, None] = {}
        """What belongs to it and was not seen to end, in the order in which it was started."""
        self.nested: dict[tuple[int, int], Place] = {}
        self.shields = 0
        self.ticket: int | None = None
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a workflow's code runs in tasks
        self._task = task
        self._cancelling = task.cancelling()
        self._cut_off = False
        self._token: Token[Place | None] | None = None

    @property
    def _key(self) -> tuple[int, int]:
        return id(self.scope), self.number

    def enter(self) -> None:
        """The block begins."""
        self._token = _INNERMOST.set(self)
        if self.outer is not None:
            self.outer.nested[self._key] = self

    def leave(self, was_cancelled: bool) -> bool:
        """The block has ended. Whether it was this scope that cut it off."""
        if self._token is not None:
            _INNERMOST.reset(self._token)
        if self.outer is not None:
            del self.outer.nested[self._key]
        current = run.current()
        if self.ticket is not None:
            current.inbox.not_on_cancel(self.ticket)
        if self in current.conditions.settling:
            current.conditions.settling.remove(self)
        if not self._cut_off:
            return False
        # As `asyncio.timeout` does: somebody else may have cancelled the task as well.
        return self._task.uncancel() <= self._cancelling and was_cancelled

    def canceled(self, reason: str) -> None:
        """The scope was canceled."""
        current = run.current()
        for op in [op for op in self.ops if current.inbox.is_open(op)]:
            current.host.cancel(op, reason)
        current.conditions.settling.append(self)
        for nested in list(self.nested.values()):
            nested.scope.cancel(reason)

    def settle(self) -> bool:
        """Called when nothing can go on: cuts the block off if it has nothing to wait for that it would see."""
        if self._cut_off or self._is_busy():
            return False
        self._cut_off = True
        self._task.cancel()
        return True

    def _is_busy(self) -> bool:
        inbox = run.current().inbox
        return (
            self.shields > 0
            or any(inbox.is_open(op) for op in self.ops)
            or any(nested._is_busy() for nested in self.nested.values())
        )


def check() -> None:
    """Raise Canceled when nothing may be started in the innermost scope any more."""
    place = _INNERMOST.get()
    if place is not None and place.scope.reason is not None:
        raise Canceled(place.scope.reason)


def join(op: int) -> Place | None:
    """Let an op that was just started belong to the innermost scope, if there is any."""
    place = _INNERMOST.get()
    if place is not None:
        place.ops[op] = None
    return place


@contextmanager
def shield() -> Generator[None]:
    """Take a block out of the scopes around it.

    What is started in it belongs to none of them, and they wait until it has ended. It is where a canceled scope cleans
    up; sagas do so by themselves.

    ```python
    async with CancelScope(with_run=True):
        try:
            await activity("work", "bench 7", start_to_close=hours(1))
        except Failure:
            with shield():
                await activity("tidy up", "bench 7", start_to_close=60)
            raise
    ```
    """
    place = _INNERMOST.get()
    token = _INNERMOST.set(None)
    if place is not None:
        place.shields += 1
    try:
        yield
    finally:
        if place is not None:
            place.shields -= 1
        _INNERMOST.reset(token)
