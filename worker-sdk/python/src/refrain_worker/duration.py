"""Durations as people write them: "30s", "1m 30s", "250ms"."""

from __future__ import annotations

import re
from datetime import timedelta

_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = r"(\d+(?:\.\d+)?)\s*(d|h|ms|m|s|us|µs|ns)"
_WHOLE = re.compile(rf"\s*{_PART}(?:\s*{_PART})*\s*")


def parse(text: str) -> timedelta:
    """The duration that `text` names. Raises ValueError if it names none."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f'"{text}" is no duration: write one like "30s" or "1m 30s"')
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_PART, text)))


def show(seconds: float) -> str:
    """The duration in whole milliseconds, rounded: the host takes any."""
    return f"{round(seconds * 1000)}ms"
