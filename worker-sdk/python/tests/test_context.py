"""What an attempt knows of itself, without a worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from refrain_worker import ActivityError, CancelReason, Context, Payload, Pending


@dataclass
class Checkpoint:
    step: int


def test_the_next_attempt_finds_the_last_heartbeat() -> None:
    beats: list[Payload | None] = []
    ctx = Context.detached(on_heartbeat=beats.append)
    assert ctx.last_heartbeat() is None
    ctx.heartbeat(Checkpoint(1))
    ctx.heartbeat({"step": 2})
    ctx = Context.detached(attempt=2, last_heartbeat=beats[-1])
    assert ctx.last_heartbeat() == {"step": 2}
    assert ctx.last_heartbeat(Checkpoint) == Checkpoint(2)
    with pytest.raises(ActivityError, match="the details of the last heartbeat: expected `int`, got `object`"):
        ctx.last_heartbeat(int)


def test_details_are_read_when_the_activity_beats() -> None:
    beats: list[Payload | None] = []
    progress = {"step": 1}
    Context.detached(on_heartbeat=beats.append).heartbeat(progress)
    progress["step"] = 2
    assert beats == [Payload(Payload.JSON, b'{"step":1}')]


def test_details_without_a_json_form_are_an_error_and_reach_nobody() -> None:
    beats: list[Payload | None] = []
    with pytest.raises(ActivityError, match="the details of a heartbeat: it has no JSON form") as raised:
        Context.detached(on_heartbeat=beats.append).heartbeat(object())
    assert raised.value.non_retryable
    assert not beats


async def test_the_first_reason_to_stop_stands() -> None:
    ctx = Context.detached()
    ctx.check_cancelled()
    assert not ctx.is_cancelled
    assert not ctx.cancelled.wait_blocking(0)
    waiting = asyncio.create_task(ctx.cancelled.wait())
    assert ctx.cancelled.set(CancelReason.REQUESTED)
    assert not ctx.cancelled.set(CancelReason.SHUTDOWN)
    assert await waiting is CancelReason.REQUESTED
    assert ctx.cancelled.is_set()
    assert ctx.cancel_reason is CancelReason.REQUESTED
    with pytest.raises(asyncio.CancelledError, match="cancellation was requested"):
        ctx.check_cancelled()


def test_pending_passes_an_activitys_own_except_exception() -> None:
    def careful(ctx: Context) -> None:
        try:
            raise ctx.pending()
        except Exception:  # noqa: BLE001 - the point
            pytest.fail("caught")

    with pytest.raises(Pending, match="attempt 1 of `approve` ends elsewhere"):
        careful(Context.detached("approve"))
