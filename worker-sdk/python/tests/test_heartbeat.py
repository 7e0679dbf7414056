"""When heartbeats are sent: by a clock that the tests hold."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from refrain_worker import Payload, heartbeat
from refrain_worker.client import StaleError
from refrain_worker.heartbeat import Beat, Heartbeats, Throttle, interval_for
from refrain_worker.retry import PassingError
from refrain_worker.wire import HeartbeatAnswer


def beat(step: int) -> Beat:
    return Beat(Payload(Payload.JSON, b"%d" % step))


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [(None, 30), (timedelta(seconds=9), 3), (timedelta(milliseconds=300), 0.1), (timedelta(hours=1), 30)],
)
def test_the_interval_is_a_third_of_the_timeout_and_half_a_minute_at_most(
    timeout: timedelta | None, seconds: float
) -> None:
    assert interval_for(timeout) == pytest.approx(seconds)


def test_the_first_beat_goes_at_once_and_the_newest_when_the_interval_is_over() -> None:
    throttle = Throttle(interval=3)
    assert throttle.due() is None
    throttle.beat(beat(1))
    assert throttle.due() == float("-inf")
    assert throttle.take(now=100) == beat(1)
    assert throttle.due() is None
    throttle.beat(beat(2))
    throttle.beat(beat(3))
    assert throttle.due() == 103
    assert throttle.take(now=103) == beat(3)
    assert throttle.due() is None


def test_a_beat_after_a_long_silence_goes_at_once() -> None:
    throttle = Throttle(interval=3)
    throttle.beat(beat(1))
    throttle.take(now=100)
    throttle.beat(beat(2))
    due = throttle.due()
    assert due is not None
    assert due < 200


@pytest.mark.parametrize(("interval", "again"), [(30, 101), (0.5, 100.5)])
def test_a_beat_that_did_not_arrive_is_sent_again_soon(interval: float, again: float) -> None:
    throttle = Throttle(interval)
    throttle.beat(beat(1))
    throttle.take(now=99)
    throttle.put_back(beat(1), now=100)
    assert throttle.due() == again
    assert throttle.take(now=again) == beat(1)


def test_a_beat_that_did_not_arrive_gives_way_to_a_newer_one() -> None:
    throttle = Throttle(interval=3)
    throttle.beat(beat(1))
    throttle.take(now=100)
    throttle.beat(beat(2))
    throttle.put_back(beat(1), now=100)
    assert throttle.take(now=103) == beat(2)


class Host:
    """Takes heartbeats, and answers each as told."""

    def __init__(self, *answers: HeartbeatAnswer | Exception) -> None:
        self.got: asyncio.Queue[Payload | None] = asyncio.Queue()
        self.heard: list[HeartbeatAnswer] = []
        self.stale = asyncio.Event()
        self._answers = list(answers)

    async def send(self, details: Payload | None, timeout: float) -> HeartbeatAnswer:
        self.got.put_nowait(details)
        answer = self._answers.pop(0) if self._answers else HeartbeatAnswer()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def heartbeats(self, interval: float) -> Heartbeats:
        return Heartbeats(interval, self.send, self.heard.append, lambda why: self.stale.set())


async def test_beats_from_another_thread_are_sent() -> None:
    host = Host()
    heartbeats = host.heartbeats(interval=3600)
    threading.Thread(target=heartbeats.beat, args=(beat(1).details,)).start()
    assert await host.got.get() == beat(1).details
    await heartbeats.close()


async def test_what_the_throttle_holds_back_is_returned_at_the_end() -> None:
    host = Host()
    heartbeats = host.heartbeats(interval=3600)
    heartbeats.beat(beat(1).details)
    assert await host.got.get() == beat(1).details
    heartbeats.beat(beat(2).details)
    assert await heartbeats.close() == beat(2)
    heartbeats.beat(beat(3).details)
    assert host.got.empty()


async def test_a_beat_that_is_on_its_way_at_the_end_counts_as_unsent() -> None:
    arrived = asyncio.Event()

    async def never(details: Payload | None, timeout: float) -> HeartbeatAnswer:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError

    heartbeats = Heartbeats(3600, never, lambda answer: None, lambda why: None)
    heartbeats.beat(beat(1).details)
    await arrived.wait()
    assert await heartbeats.close() == beat(1)


async def test_a_lost_beat_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "RETRY_INTERVAL", 0.0)
    host = Host(PassingError("no answer"))
    heartbeats = host.heartbeats(interval=3600)
    heartbeats.beat(beat(1).details)
    assert [await host.got.get(), await host.got.get()] == [beat(1).details] * 2
    await heartbeats.close()
    assert len(host.heard) == 1


async def test_a_stale_attempt_sends_no_more() -> None:
    host = Host(StaleError("attempt 2 is current"))
    heartbeats = host.heartbeats(interval=0)
    heartbeats.beat(beat(1).details)
    await host.stale.wait()
    heartbeats.beat(beat(2).details)
    await heartbeats.close()
    assert host.got.qsize() == 1
