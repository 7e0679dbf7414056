"""When to try again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .durations import Duration, optional, to_nanoseconds
from .payloads import set_named
from .wire import Named, RetryPolicy


@dataclass(frozen=True, kw_only=True)
class Retry:
    """When and how often the host tries an activity or a child again; by default without end, 1 s to 100 s apart."""

    initial_interval: Duration | None = None
    """From the first failure to the second attempt; without it 1 s."""
    backoff_coefficient: float | None = None
    """How much longer each interval is than the one before, at least 1; without it 2."""
    maximum_interval: Duration | None = None
    """The longest interval; without it 100 times the first."""
    maximum_attempts: int = 0
    """How many attempts at most, the first one included; 0 is without limit."""
    non_retryable: Sequence[str] = ()
    """The types of failures that end the attempts."""
    jitter: float | None = None
    """Shortens each interval by a random part of at most this share of it, 0 to 1; without it 0."""

    @staticmethod
    def never() -> Retry:
        """One attempt and no other."""
        return Retry(maximum_attempts=1)


def to_wire(retry: Retry | None) -> RetryPolicy | None:
    """The policy as the host is told of it."""
    if retry is None:
        return None
    more: Named = []
    if retry.jitter is not None:
        set_named(more, "jitter", float(retry.jitter))
    # Zeros mean the host's defaults, so that they are written in one place.
    return RetryPolicy(
        initial_interval=to_nanoseconds(retry.initial_interval or 0),
        backoff_coefficient=float(retry.backoff_coefficient or 0.0),
        maximum_interval=optional(retry.maximum_interval),
        maximum_attempts=retry.maximum_attempts,
        non_retryable_error_types=tuple(retry.non_retryable),
        more=more,
    )
