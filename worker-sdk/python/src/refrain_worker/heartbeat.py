"""The heartbeats of one attempt: activities beat as often as they like, the host hears of it now and then.

:class:`Throttle` decides what goes when, and knows no clock, no thread and no network; :class:`Heartbeats` has them.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from .client import RefusedError, StaleError
from .payload import Payload
from .retry import PassingError
from .wire import HeartbeatAnswer

BEATS_PER_TIMEOUT = 3
"""Requests in the time of one heartbeat timeout, so that one or two may be lost."""
LONGEST_INTERVAL = 30.0
"""Seconds between requests at most, and where there is no heartbeat timeout: cancellations come in the answers."""
RETRY_INTERVAL = 1.0
"""Seconds until a beat that did not arrive is sent again, if the ordinary interval is not shorter."""
SHORTEST_ANSWER = 1.0
"""Seconds that an answer may take even where the interval is shorter."""

_log = logging.getLogger("refrain_worker")


def interval_for(heartbeat_timeout: timedelta | None) -> float:
    """Seconds between two requests."""
    if heartbeat_timeout is None:
        return LONGEST_INTERVAL
    return min(heartbeat_timeout.total_seconds() / BEATS_PER_TIMEOUT, LONGEST_INTERVAL)


@dataclass(frozen=True)
class Beat:
    """A sign of life, with the details if there are any."""

    details: Payload | None


class Throttle:
    """Which beat goes when: the first at once, later ones an interval apart, and always the newest."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._waiting: Beat | None = None
        self._not_before = float("-inf")

    def beat(self, beat: Beat) -> None:
        """The activity beats. What waited is superseded."""
        self._waiting = beat

    def due(self) -> float | None:
        """When to send what waits; None if nothing does."""
        return None if self._waiting is None else self._not_before

    def take(self, now: float) -> Beat | None:
        """What waits, to be sent now."""
        beat, self._waiting = self._waiting, None
        self._not_before = now + self._interval
        return beat

    def put_back(self, beat: Beat, now: float) -> None:
        """What was taken did not arrive: send it again soon, unless the activity has beaten since."""
        if self._waiting is None:
            self._waiting = beat
        self._not_before = now + min(self._interval, RETRY_INTERVAL)


class Heartbeats:
    """Sends an attempt's heartbeats, and hands on what the host answers."""

    def __init__(
        self,
        interval: float,
        send: Callable[[Payload | None, float], Awaitable[HeartbeatAnswer]],
        on_answer: Callable[[HeartbeatAnswer], None],
        on_stale: Callable[[str], None],
    ) -> None:
        """Make them, in the event loop in which they run. `send` also takes the seconds it may last."""
        self._loop = asyncio.get_running_loop()
        self._throttle = Throttle(interval)
        self._answer_timeout = max(interval, SHORTEST_ANSWER)
        self._send = send
        self._on_answer = on_answer
        self._on_stale = on_stale
        self._wake = asyncio.Event()
        # Guards what follows: beats come from any thread.
        self._lock = threading.Lock()
        self._closed = False
        self._sender = asyncio.create_task(self._run())

    def beat(self, details: Payload | None) -> None:
        """The activity beats: from any thread, without waiting."""
        with self._lock:
            if self._closed:
                return
            asleep = self._throttle.due() is None
            self._throttle.beat(Beat(details))
            if asleep:
                self._loop.call_soon_threadsafe(self._wake.set)

    async def close(self) -> Beat | None:
        """Send nothing more. Returns what has not been sent."""
        with self._lock:
            self._closed = True
        self._sender.cancel()
        await asyncio.wait({self._sender})
        return self._throttle.take(self._loop.time())

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (due := self._throttle.due()) is not None:
                # Newer details take the place of the waiting ones meanwhile.
                await asyncio.sleep(due - self._loop.time())
                if not await self._send_one():
                    return

    async def _send_one(self) -> bool:
        """Send what waits; False if the attempt is stale."""
        with self._lock:
            beat = self._throttle.take(self._loop.time())
        if beat is None:
            return True
        try:
            answer = await self._send(beat.details, self._answer_timeout)
        except StaleError as stale:
            self._on_stale(str(stale))
            return False
        except RefusedError as refused:
            # Too large, for instance. The attempt has to go on, and may do better with its next details.
            _log.error("a heartbeat was refused: %s", refused)
        except PassingError as passing:
            _log.debug("a heartbeat did not arrive: %s", passing)
            self._put_back(beat)
        except asyncio.CancelledError:
            self._put_back(beat)
            raise
        else:
            self._on_answer(answer)
        return True

    def _put_back(self, beat: Beat) -> None:
        with self._lock:
            self._throttle.put_back(beat, self._loop.time())
