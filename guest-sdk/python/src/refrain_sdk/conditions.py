"""Conditions: waiting until what the workflow knows is so.

Nothing tells when a variable has changed, so each condition is looked at again when everything that could go on has
run, in the order in which they began to wait. Who waited for one that is true goes on before the next is looked at.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from . import run
from .waits import Waits


class Settles(Protocol):
    """Something that is looked at when nothing can go on and no condition is true."""

    def settle(self) -> bool:
        """Whether it has let something go on."""
        ...


class Conditions:
    """One run's."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[[], bool], asyncio.Future[None]]] = deque()
        self._left = 0
        """How many of them this round has still to look at."""
        self._changed = True
        self.settling: list[Settles] = []

    def changed(self) -> None:
        """Something has run or is going to, which may have made a condition true."""
        self._changed = True

    def add(self, predicate: Callable[[], bool]) -> asyncio.Future[None]:
        """Done when the predicate is true."""
        waiter: asyncio.Future[None] = run.current().loop.create_future()
        self._waiting.append((predicate, waiter))
        return waiter

    def look(self) -> bool:
        """Called when nothing can go on. Whether something can now."""
        while True:
            while self._left > 0:
                self._left -= 1
                predicate, waiter = self._waiting.popleft()
                if waiter.done():
                    continue
                if self._let_go(predicate, waiter):
                    self._changed = True
                    return True
                self._waiting.append((predicate, waiter))
            if not self._changed:
                return self._settle()
            self._changed = False
            self._left = len(self._waiting)

    def _let_go(self, predicate: Callable[[], bool], waiter: asyncio.Future[None]) -> bool:
        try:
            if not predicate():
                return False
        except Exception as error:  # noqa: BLE001 - it is who waits that made the mistake
            waiter.set_exception(error)
        else:
            waiter.set_result(None)
        return True

    def _settle(self) -> bool:
        # The innermost first: it was entered last.
        for one in reversed(self.settling):
            if one.settle():
                self._changed = True
                return True
        return False


class Condition(Waits[None]):
    """Made by :func:`wait_condition`."""

    def __init__(self, predicate: Callable[[], bool]) -> None:
        super().__init__()
        self._predicate = predicate

    def is_ready(self) -> bool:
        """Whether it is true."""
        return self._predicate()

    async def wait(self) -> None:
        """Wait until it is true."""
        conditions = run.current().conditions
        if not self._predicate():
            await conditions.add(self._predicate)
        # Who waited goes on, and may make others true.
        conditions.changed()


def wait_condition(predicate: Callable[[], bool]) -> Condition:
    """Wait until the predicate is true.

    ```python
    await asyncio.wait_for(wait_condition(lambda: paid >= price), days(14))
    ```

    It is called at once, and again whenever everything that could go on has run: at least once for each wait of the
    workflow, so it costs as much as there are conditions. It may only look; how often it is called is nobody's promise.
    What it looks at is what the workflow knows: time passes unseen, so give it a limit.
    """
    return Condition(predicate)
