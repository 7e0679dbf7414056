"""Durations as the host writes them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from refrain_worker import duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("1m 30s", 90), ("1h1m", 3660), ("250ms", 0.25), ("1.5s", 1.5), ("2d", 172800), ("7us", 7e-6)],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert duration.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "30", "s", "30 apples", "-1s", "1s x"])
def test_what_is_no_duration_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=f'^"{text}" is no duration: write one like'):
        duration.parse(text)


def test_a_duration_is_written_in_milliseconds() -> None:
    assert [duration.show(seconds) for seconds in (0, 0.25, 30, 3.0004)] == ["0ms", "250ms", "30000ms", "3000ms"]
