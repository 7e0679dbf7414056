"""Sagas: undo what was done, in reverse order, when a later step fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from . import log
from .failures import Canceled, Failure
from .scopes import CancelScope, shield

_NAMED = 5
"""How many failed compensations a message names; the details have all of them."""


@dataclass(frozen=True)
class Compensated:
    """One compensation that ran."""

    undo: str
    """Its name."""
    failure: str | None
    """Why it failed, if it did."""


@dataclass(frozen=True)
class Compensations:
    """The details of a failed saga: its compensations, in the order in which they ran."""

    compensations: list[Compensated]

    @property
    def failed(self) -> list[Compensated]:
        """Those that failed: what is left for a person to undo."""
        return [one for one in self.compensations if one.failure is not None]


class saga:  # noqa: N801 - written as what it is used for, as `asyncio.timeout` is
    """A block whose steps are undone when it fails, the last one first.

    ```python
    async with saga("book the trip") as trip:
        trip.undo("give the seat back", activity, "free-seat", order, start_to_close=30)
        with context("book the seat"):
            await activity("book-seat", order, start_to_close=30)
        trip.undo("give the room back", activity, "free-room", order, start_to_close=30)
        with context("book the room"):
            await activity("book-room", order, start_to_close=30, retry=Retry(maximum_attempts=3))
    ```

    Register a compensation *before* the step that it undoes: a step that fails half way is undone too. So write
    compensations that do no harm when there is nothing to undo. Each is tried again by its own retry policy, and the
    next begins when it has ended; so let it try hard, but not for ever. One that fails for good does not keep the
    others from running. When the run was asked to end, or the scope around it was canceled, compensations run all the
    same.

    The failure says what this saga was doing, which compensations failed, then why it failed: `book the trip (1 of 2
    compensations failed: give the room back): book the room: no vacancy`. Its details are :class:`Compensations`, and
    the run's log has a line for each as it begins and as it fails. Bugs pass through: code that is mistaken undoes
    nothing.
    """

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._compensations: list[tuple[str, Callable[[], Awaitable[Any]]]] = []
        # A scope of its own: when one around it is canceled, the block is given up alone, and compensations run.
        self._scope = CancelScope()

    def undo(self, name: str, compensation: Callable[..., Awaitable[Any]], /, *args: Any, **options: Any) -> None:
        """Register what undoes the next step: called with these arguments and awaited, if the saga fails."""
        self._compensations.append((name, lambda: compensation(*args, **options)))

    async def __aenter__(self) -> saga:
        await self._scope.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._scope.__aexit__(kind, error, trace)
        except Canceled as canceled:
            error = canceled
        if isinstance(error, Failure):
            raise await self._compensate(error) from error
        if isinstance(error, asyncio.CancelledError):
            # Given up from outside, by a timeout for instance, which waits until this has ended.
            await self._compensate(Canceled("no longer waited for"))

    async def _compensate(self, why: Failure) -> Failure:
        total = len(self._compensations)
        compensated = []
        for name, compensation in reversed(self._compensations):
            log.info(f"undo: {name}", because=why)
            failure = None
            try:
                with shield():
                    await compensation()
            except Failure as failed:
                failure = str(failed)
                log.error(f"could not {name}: {failure}")
            compensated.append(Compensated(name, failure))
        compensations = Compensations(compensated)
        failed_names = [one.undo for one in compensations.failed]
        doing = self._doing
        if failed_names:
            names = ", ".join(failed_names[:_NAMED]) + (", ..." if len(failed_names) > _NAMED else "")
            doing = f"{doing} ({len(failed_names)} of {total} compensations failed: {names})"
        return why.context(doing).with_details(compensations)
