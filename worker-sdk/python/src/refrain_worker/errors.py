"""What activities raise, and what a worker raises."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

CANCELED = "Canceled"
"""The type of an attempt that stopped because it was asked to."""
INVALID_INPUT = "InvalidInput"
"""The type of an input that the activity cannot read."""
INVALID_OUTPUT = "InvalidOutput"
"""The type of a result, or of heartbeat details, that cannot be sent."""
INVALID_HEARTBEAT = "InvalidHeartbeat"
"""The type of details of an earlier attempt that this one cannot read."""
TIMED_OUT = "TimedOut"
"""The type of an attempt that stopped since its deadline was over."""
UNKNOWN_ACTIVITY = "UnknownActivity"
"""The type of a task that this worker did not ask for."""
WORKER_SHUTDOWN = "WorkerShutdown"
"""The type of an attempt that was stopped since its worker is stopping."""


class ActivityError(Exception):
    """Why an activity failed, with what the retry policy and the workflow may want to know of it.

    Every other exception fails the activity too: its type is the name of its class, and it is retried.
    """

    def __init__(
        self,
        type: str,  # noqa: A002 - the word of the API
        message: str,
        *,
        non_retryable: bool = False,
        details: Any = None,
        next_retry_delay: timedelta | float | None = None,
        benign: bool = False,
    ) -> None:
        """Make one.

        `type`: the name by which workflows and retry policies tell errors apart.
        `message`: what happened, for people.
        `non_retryable`: another attempt could not do better.
        `details`: anything with a JSON form that a workflow may want to know beyond the message.
        `next_retry_delay`: when the next attempt should begin (seconds, if a number), in place of what the retry
        policy computes.
        `benign`: expected in normal operation: recorded as ever, but not logged as a problem.
        """
        super().__init__(message)
        self.type = type
        self.message = message
        self.non_retryable = non_retryable
        self.details = details
        if isinstance(next_retry_delay, (int, float)):
            next_retry_delay = timedelta(seconds=next_retry_delay)
        self.next_retry_delay = next_retry_delay
        self.benign = benign


class Pending(BaseException):
    """Raised by an activity that somebody else will end: a webhook, a person.

    The attempt goes on without running here, under the same timeouts, until it is completed, failed or cancelled
    over HTTP, by its task token or by the ids of workflow and activity. Give the token away before raising this;
    an end that comes first stands.

    No `Exception`, so that an activity's own `except Exception` lets it pass.
    """


class WorkerError(Exception):
    """The worker cannot go on: the host refuses its polls, for instance, or it has been set up wrongly."""
