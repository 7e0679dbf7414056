"""What the log says of a host that does not answer."""

from __future__ import annotations

import asyncio
import logging

import pytest

from fake_host import BUSY, LOST, Answer, FakeHost, working
from refrain_worker import Context, Worker, activity, worker
from refrain_worker.contact import Contact
from refrain_worker.retry import PassingError

LOST_LINE = "the host at http://h does not answer"


@activity("greet")
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@activity("beating")
async def beating(ctx: Context) -> None:
    ctx.heartbeat()
    while not ctx.is_paused:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0)


def told(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    """The lines of at least this level that speak of the host's absence."""
    return [each.getMessage() for each in caplog.records if each.levelno >= level and "answer" in each.getMessage()]


def test_an_absence_is_told_at_once_then_every_thirty_seconds_and_its_end_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "refrain_worker")
    seconds = [0.0]
    contact = Contact("http://h", lambda: seconds[-1])
    contact.answered()
    for second in range(70):
        seconds.append(second)
        for _ in range(4):
            contact.missed(PassingError("refused"))
    contact.answered()
    contact.answered()
    assert told(caplog) == [
        f"{LOST_LINE} (1 try); asking until it does: refused",
        f"{LOST_LINE} (121 tries); asking until it does: refused",
        f"{LOST_LINE} (241 tries); asking until it does: refused",
        "the host at http://h answers again",
    ]


def test_a_host_that_comes_and_goes_is_no_flood(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "refrain_worker")
    seconds = [0.0]
    contact = Contact("http://h", lambda: seconds[-1])
    for second in range(60):
        seconds.append(second)
        contact.missed(PassingError("refused"))
        contact.answered()
    assert len(told(caplog)) == 4, "two absences, and their ends"


async def test_all_polls_heartbeats_and_reports_that_miss_the_host_are_one_piece_of_news(
    host: FakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "refrain_worker")
    host.on_poll = lambda poll: (LOST if len(host.told("poll")) % 2 else BUSY) if len(host.told("poll")) < 12 else None
    host.script("heartbeat", LOST, Answer(200, {"cancel_requested": False, "paused": True, "reset": False}))
    host.script("complete", LOST, BUSY)
    async with working(Worker(host.address, activities=[beating])):
        await host.offer("beating", heartbeat_timeout="30ms")
        await host.hears("complete", times=3)
    assert len(host.told("poll")) > 12
    assert host.told("heartbeat")
    assert len(told(caplog, logging.WARNING)) == 1


async def test_a_poll_is_repeated_without_waiting_so_that_the_hosts_return_is_told_at_once(host: FakeHost) -> None:
    host.script("poll", LOST)
    await host.offer("greet", input="Ada")
    async with working(Worker(host.address, activities=[greet], max_pollers=1)):
        polls = await host.hears("poll", times=3)
    assert [poll.body["wait"] for poll in polls[:3]] == ["30000ms", "0ms", "30000ms"]


async def test_the_last_polls_of_a_worker_that_stops_warn_nobody(
    host: FakeHost, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "refrain_worker")
    monkeypatch.setattr(worker, "LAST_POLL", 0.2)
    host.on_poll = lambda poll: LOST if poll["wait"] == "0ms" else None
    async with working(Worker(host.address, activities=[greet])):
        await host.hears("poll", times=4)
    assert len(host.told("poll")) > 4
    assert not told(caplog)
