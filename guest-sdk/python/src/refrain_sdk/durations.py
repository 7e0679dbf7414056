"""Lengths of time: `timedelta`, or a number of seconds as asyncio takes it."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeAlias

from .wire import NANOSECONDS

Duration: TypeAlias = timedelta | float
"""A length of time; a number is in seconds."""


def to_nanoseconds(duration: Duration) -> int:
    """The length in whole nanoseconds; nothing below zero."""
    if isinstance(duration, timedelta):
        return max(0, (duration.days * 86_400 + duration.seconds) * NANOSECONDS + duration.microseconds * 1_000)
    return max(0, round(duration * NANOSECONDS))


def optional(duration: Duration | None) -> int | None:
    """As :func:`to_nanoseconds`, for what may be left out."""
    return None if duration is None else to_nanoseconds(duration)


def millis(n: float) -> timedelta:
    """That many milliseconds."""
    return timedelta(milliseconds=n)


def secs(n: float) -> timedelta:
    """That many seconds."""
    return timedelta(seconds=n)


def mins(n: float) -> timedelta:
    """That many minutes."""
    return timedelta(minutes=n)


def hours(n: float) -> timedelta:
    """That many hours."""
    return timedelta(hours=n)


def days(n: float) -> timedelta:
    """That many days of 24 hours."""
    return timedelta(days=n)
