"""When a request is made again: after the failures that pass by themselves, with growing, jittered intervals."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import tenacity

FIRST_INTERVAL = 0.1
"""Seconds; the upper bound of the first interval, doubled for each one after it."""
LONGEST_INTERVAL = 10.0
"""Seconds; hosts come back within moments, and a worker should notice."""

_log = logging.getLogger("refrain_worker")

T = TypeVar("T")


class PassingError(Exception):
    """No answer, or one that says "not now": the same request may succeed later."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the host asks to be left alone."""


async def repeat(call: Callable[[], Awaitable[T]], what: str, within: float | None = None) -> T:
    """Make the request until it fails with something other than :class:`PassingError`, or does not fail.

    After `within` seconds the last :class:`PassingError` is raised; without a limit, never.
    """
    jittered = tenacity.wait_random_exponential(multiplier=FIRST_INTERVAL, max=LONGEST_INTERVAL)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, PassingError) else 0.0
        return max(jittered(state), min(asked, LONGEST_INTERVAL))

    def log(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        # That the host does not answer is told by its contact, once for all requests.
        _log.debug("%s: %s; attempt %d follows", what, error, state.attempt_number + 1)

    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(PassingError),
        wait=wait,
        stop=tenacity.stop_never if within is None else tenacity.stop_before_delay(within),
        before_sleep=log,
        reraise=True,
    )

    async def attempt() -> T:
        return await call()

    # tenacity awaits what it can see to be a coroutine function, and takes a lambda for a sync one.
    return await retrying(attempt)
