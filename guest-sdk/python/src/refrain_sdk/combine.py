"""Several things at once: the first of them, or all of them with a limit.

Activities and children start where they are called, coroutines when the combinator begins, in the order in which they
are given. Events count in the order in which the host delivered them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from functools import partial
from typing import Any, Literal, TypeVar, overload

from . import run
from .failures import Failure
from .waits import Waits

T = TypeVar("T")


def give_up(awaitable: Awaitable[Any]) -> None:
    """Nobody waits for it any more: an activity is detached, a timer ended, a task cancelled, a coroutine closed."""
    if isinstance(awaitable, asyncio.Future):
        awaitable.cancel()
    elif isinstance(awaitable, Coroutine):
        awaitable.close()


async def _have_ended(futures: Iterable[asyncio.Future[Any]]) -> None:
    """Wait for tasks that were cancelled: what they do about it belongs to who began them."""
    tasks = [future for future in futures if isinstance(future, asyncio.Task) and not future.done()]
    if tasks:
        await asyncio.gather(*tasks, return_exceptions=True)


@overload
async def select(*awaitables: Awaitable[T]) -> tuple[int, T]: ...
@overload
async def select(*awaitables: Awaitable[Any]) -> tuple[int, Any]: ...
@overload
async def select(**awaitables: Awaitable[Any]) -> tuple[str, Any]: ...


async def select(*awaitables: Awaitable[Any], **named: Awaitable[Any]) -> tuple[Any, Any]:
    """Wait for the first: its place, or its name, and its result. The others are given up before it returns.

    ```python
    match await select(answer=ANSWER.recv(), late=sleep(days(7))):
        case "answer", answer: ...
        case "late", _: ...
    ```

    The one whose event happened first wins; of those that are ready from the start the one that was given first. Put
    `asyncio.shield` around what is to be waited for again. Raises what the first one raised, and ValueError without
    any.
    """
    if bool(awaitables) == bool(named):
        raise ValueError("select takes either awaitables or named ones, and at least one")
    given: dict[Any, Awaitable[Any]] = dict(enumerate(awaitables)) if awaitables else dict(named)
    for key, awaitable in given.items():
        if _is_ready(awaitable):
            for other_key, other in given.items():
                if other_key != key:
                    give_up(other)
            return key, await awaitable
    futures = {key: asyncio.ensure_future(awaitable) for key, awaitable in given.items()}
    first: asyncio.Future[Any] = run.current().loop.create_future()

    def ended(key: Any, _: asyncio.Future[Any]) -> None:
        if first.done():
            return
        # Here, and not where this goes on: the others end before anything else can happen.
        for other_key, other in futures.items():
            if other_key != key:
                other.cancel()
        first.set_result(key)

    for key, future in futures.items():
        future.add_done_callback(partial(ended, key))
    try:
        key = await first
    except asyncio.CancelledError:
        for future in futures.values():
            future.cancel()
        await _have_ended(futures.values())
        raise
    await _have_ended(futures.values())
    return key, futures[key].result()


def _is_ready(awaitable: Awaitable[Any]) -> bool:
    if isinstance(awaitable, asyncio.Future):
        return awaitable.done()
    return isinstance(awaitable, Waits) and awaitable.is_ready()


@overload
async def join(
    awaitables: Iterable[Awaitable[T]], *, limit: int | None = ..., return_failures: Literal[False] = ...
) -> list[T]: ...
@overload
async def join(
    awaitables: Iterable[Awaitable[T]], *, limit: int | None = ..., return_failures: Literal[True]
) -> list[T | Failure]: ...


async def join(
    awaitables: Iterable[Awaitable[Any]], *, limit: int | None = None, return_failures: bool = False
) -> list[Any]:
    """Wait for all; the results in the order of what was given, whatever the order in which they ended.

    ```python
    pages = await join((activity("fetch", url, start_to_close=30) for url in urls), limit=8)
    ```

    `limit`: at most so many at once: the next is taken from the iterator when one has ended, so give a generator.
    `return_failures`: failures stand among the results. Without it the first one is raised, and what still runs is
    given up. Other exceptions are raised in any case.
    """
    if limit is not None and limit < 1:
        raise ValueError("a join needs a limit of at least 1")
    fan_out = _FanOut(iter(awaitables), limit, return_failures)
    fan_out.fill()
    try:
        await fan_out.ended
    finally:
        await fan_out.give_up()
    return [fan_out.results[place] for place in range(len(fan_out.results))]


class _FanOut:
    def __init__(self, source: Any, limit: int | None, return_failures: bool) -> None:
        self._source = source
        self._limit = limit
        self._return_failures = return_failures
        self._started = 0
        self._running: dict[int, asyncio.Future[Any]] = {}
        self.results: dict[int, Any] = {}
        self.ended: asyncio.Future[None] = run.current().loop.create_future()

    def fill(self) -> None:
        """Start up to the limit."""
        while self._source is not None and (self._limit is None or len(self._running) < self._limit):
            try:
                future = asyncio.ensure_future(next(self._source))
            except StopIteration:
                self._source = None
            except Exception as error:  # noqa: BLE001 - of the iterator: it is who waits that gave it
                self._source = None
                self.ended.set_exception(error)
                return
            else:
                place = self._started
                self._started += 1
                self._running[place] = future
                future.add_done_callback(partial(self._take, place))
        if self._source is None and not self._running:
            self.ended.set_result(None)

    def _take(self, place: int, future: asyncio.Future[Any]) -> None:
        if self.ended.done():
            return
        del self._running[place]
        try:
            self.results[place] = future.result()
        except Failure as failure:
            if not self._return_failures:
                self.ended.set_exception(failure)
                return
            self.results[place] = failure
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            self.ended.set_exception(error)
            return
        self.fill()

    async def give_up(self) -> None:
        """Nobody waits for those that still run."""
        if not self.ended.done():
            self.ended.cancel()
        running = list(self._running.values())
        for future in running:
            future.cancel()
        await _have_ended(running)
