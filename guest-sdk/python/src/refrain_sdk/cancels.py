"""The wish of others that this run end early. Nothing is canceled by itself: the workflow hears of it here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from . import run
from .combine import give_up, select
from .failures import Canceled
from .waits import Waits

T = TypeVar("T")


def is_cancel_requested() -> bool:
    """Whether someone asked this run to end early."""
    return run.current().inbox.cancel_reason is not None


class CancelRequest(Waits[str]):
    """Made by :func:`canceled`."""

    def __init__(self, *, late: bool = False) -> None:
        super().__init__()
        self._late = late

    def is_ready(self) -> bool:
        """Whether the request is there."""
        return is_cancel_requested()

    async def wait(self) -> str:
        """Wait until it is there; gives its reason."""
        current = run.current()
        inbox = current.inbox
        if inbox.cancel_reason is None:
            requested: asyncio.Future[str] = current.loop.create_future()

            def hear(reason: str) -> None:
                if not requested.done():
                    requested.set_result(reason)

            ticket = inbox.on_cancel(hear, late=self._late)
            try:
                await requested
            finally:
                inbox.not_on_cancel(ticket)
        return inbox.cancel_reason or ""


def canceled() -> CancelRequest:
    """Wait until someone asks this run to end early; gives the reason."""
    return CancelRequest()


async def or_canceled(awaitable: Awaitable[T]) -> T:
    """Wait for it, or raise Canceled as soon as someone asks this run to end.

    ```python
    await or_canceled(sleep(days(30)))
    ```

    It is all that most workflows need: the failure passes through the sagas, which undo, and a workflow that lets it
    out ends as canceled. What
    ended in the moment of the request has ended. A coroutine does not begin when the request is already there.
    """
    if is_cancel_requested():
        give_up(awaitable)
        raise Canceled(run.current().inbox.cancel_reason or "")
    first, value = await select(awaitable, CancelRequest(late=True))
    if first == 0:
        return value  # type: ignore[return-value]
    raise Canceled(str(value))
