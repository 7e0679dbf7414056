"""The handlers of signals and updates that are under way, and the updates that wait for theirs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeAlias

from . import run
from .wire import UpdateMessage

Handled: TypeAlias = tuple[str, str]
"""What a handler is for: `signal` or `update`, and its name."""


class Handlers:
    """One run's."""

    def __init__(self) -> None:
        self.running: dict[Handled, int] = {}
        self.updates: deque[UpdateMessage] = deque()
        """Delivered, and neither accepted nor rejected yet."""
        self.handle_update: Callable[[UpdateMessage], None] | None = None
        """The code of updates, once there are handlers. Without it they are left to the host, which rejects them."""
        self.failed: asyncio.Future[None] | None = None
        """Gets what a handler raised that has nobody else to go to."""

    def handle_next_update(self) -> bool:
        """Handle the update that came first, if there is one."""
        if not self.updates:
            return False
        update = self.updates.popleft()
        if self.handle_update is not None:
            self.handle_update(update)
        run.current().conditions.changed()
        return True

    def unfinished(self) -> list[tuple[Handled, int]]:
        """The handlers that have not finished, and how many of each."""
        return [(handled, number) for handled, number in self.running.items() if number > 0]

    def begin(
        self, handled: Handled, handling: Coroutine[Any, Any, None], context: Context | None = None
    ) -> Callable[[], None]:
        """A handler has something to do. What is returned lets its task begin, which belongs to no scope."""
        self.running[handled] = self.running.get(handled, 0) + 1

        def start() -> None:
            run.current().loop.create_task(self._run(handled, handling), context=context or Context())

        return start

    async def _run(self, handled: Handled, handling: Coroutine[Any, Any, None]) -> None:
        try:
            await handling
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - the run ends with it
            self._fail(error)
        self.running[handled] -= 1

    def _fail(self, error: BaseException) -> None:
        if self.failed is not None and not self.failed.done():
            self.failed.set_exception(error)


def all_handlers_finished() -> bool:
    """Whether all handlers of signals and updates have finished, and every update that came has been handled.

    Wait for it before the workflow ends, or they are cut off wherever they are:

    ```python
    await wait_condition(all_handlers_finished)
    ```
    """
    handlers = run.current().handlers
    return not handlers.updates and not handlers.unfinished()
