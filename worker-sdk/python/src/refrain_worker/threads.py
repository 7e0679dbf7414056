"""Threads for sync activities."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def run_in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run a blocking function in a thread of its own, with this task's context variables.

    Not in an executor: Python waits for an executor's threads before it ends, so that one activity that never
    returns would keep the process from ending. These are daemon threads, and no more than the worker has slots.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: T | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is None:
            result.set_result(value)  # type: ignore[arg-type] # it is a T where there is no error
        else:
            result.set_exception(error)

    def body() -> None:
        value: T | None = None
        error: BaseException | None = None
        try:
            value = context.run(function, *arguments)
        except StopIteration as stopped:
            # A future cannot hold one.
            error = RuntimeError("the activity raised StopIteration")
            error.__cause__ = stopped
        except BaseException as raised:  # noqa: BLE001 - whatever it is, it belongs to the one who waits
            error = raised
        # A loop that is closed: the worker has ended without this attempt.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, value, error)

    name = getattr(function, "__name__", "activity")
    threading.Thread(target=body, name=f"refrain-{name}", daemon=True).start()
    return await result
