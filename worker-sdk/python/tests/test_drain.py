"""How a worker ends."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from fake_host import BUSY, PATIENCE, FakeHost
from refrain_worker import CancelReason, Context, Worker, activity, worker


class Work:
    """An activity that a test can wait for, and end."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.reason: CancelReason | None = None

    @activity("work")
    async def run(self, ctx: Context) -> str:
        self.begun.set()
        try:
            await self.may_end.wait()
        finally:
            self.reason = ctx.cancel_reason
        return "done"


async def begin(host: FakeHost, work: Work, **options: Any) -> tuple[Worker, asyncio.Task[None]]:
    """A worker in the middle of an attempt."""
    worker = Worker(host.address, activities=[work.run], **options)
    running = asyncio.create_task(worker.run())
    await host.offer("work")
    await asyncio.wait_for(work.begun.wait(), PATIENCE)
    return worker, running


def is_shutdown(body: dict[str, Any]) -> bool:
    failure = body["failure"]
    return failure["type"] == "WorkerShutdown" and not failure["non_retryable"] and bool(body["benign"])


async def test_attempts_end_within_the_grace_and_no_more_are_begun(host: FakeHost) -> None:
    work = Work()
    worker, running = await begin(host, work, slots=2)
    worker.stop()
    # The last words of the polls; after them the queue is left to others.
    await host.hears("poll", times=3)
    await host.offer("work")
    work.may_end.set()
    await asyncio.wait_for(running, PATIENCE)
    assert [report.body.get("result") for report in host.told("complete", "fail")] == ["done"]
    assert work.reason is None


async def test_attempts_past_the_grace_are_stopped_and_reported_as_to_be_retried(host: FakeHost) -> None:
    work = Work()
    worker, running = await begin(host, work, grace=0)
    worker.stop()
    await asyncio.wait_for(running, PATIENCE)
    (failure,) = host.told("complete", "fail", "cancel")
    assert is_shutdown(failure.body)
    assert work.reason is CancelReason.SHUTDOWN


async def test_a_second_stop_ends_the_grace(host: FakeHost) -> None:
    worker, running = await begin(host, Work(), grace=3600)
    worker.stop()
    worker.stop()
    await asyncio.wait_for(running, PATIENCE)
    assert is_shutdown(host.told("fail")[0].body)


async def test_the_cancellation_of_run_ends_the_grace_and_leaves_nothing_unreported(host: FakeHost) -> None:
    _, running = await begin(host, Work(), grace=3600)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, PATIENCE)
    assert is_shutdown(host.told("fail")[0].body)


async def test_a_sync_activity_that_will_not_stop_is_reported_and_left_behind(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "STOPPING", 0.0)
    begun, gate = threading.Event(), threading.Event()

    @activity("stubborn")
    def stubborn() -> None:
        begun.set()
        gate.wait()

    stuck = Worker(host.address, activities=[stubborn], grace=0)
    running = asyncio.create_task(stuck.run())
    await host.offer("stubborn")
    await asyncio.to_thread(begun.wait, PATIENCE)
    stuck.stop()
    await asyncio.wait_for(running, PATIENCE)
    gate.set()
    assert [is_shutdown(report.body) for report in host.told("complete", "fail")] == [True]


async def test_a_report_on_its_way_is_repeated_while_the_worker_stops(host: FakeHost) -> None:
    work = Work()
    worker, running = await begin(host, work)
    host.script("complete", BUSY, BUSY, BUSY)
    work.may_end.set()
    await host.hears("complete")
    worker.stop()
    await asyncio.wait_for(running, PATIENCE)
    assert len(host.told("complete")) == 4


async def test_a_host_that_is_gone_does_not_keep_a_worker(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LAST_REPORTS", 0.0)
    monkeypatch.setattr(worker, "STOPPING", 0.0)
    work = Work()
    stuck, running = await begin(host, work, grace=0)
    host.script("fail", *[BUSY] * 10_000)
    stuck.stop()
    await asyncio.wait_for(running, PATIENCE)
