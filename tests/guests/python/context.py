"""What a run asks its host for besides work: time, randomness, and a log."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import refrain_sdk
from refrain_sdk import millis, now, random_bytes, sleep, uuid, workflow

VERSION_4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass
class Time:
    """How long."""

    ms: Annotated[int, "Milliseconds."]

    @property
    def duration(self) -> timedelta:
        """The same as a length of time."""
        return millis(self.ms)


@workflow
async def timer(time: Time) -> str:
    """Sleeps."""
    await sleep(time.duration)
    return "slept"


@dataclass
class Reads:
    """What is so of what was read."""

    moves_on: Annotated[bool, "Whether the second look at the clock showed a later time."]
    uuid: Annotated[bool, "Whether the UUID is one of version 4, in lower case."]
    bytes: Annotated[int, "How many random bytes there were."]


@workflow
async def reads() -> Reads:
    """Reads the clock twice, random bytes and a UUID, in this order."""
    first, second = now(), now()
    random = random_bytes(8)
    return Reads(moves_on=second > first, uuid=VERSION_4.fullmatch(uuid()) is not None, bytes=len(random))


@workflow
async def log() -> None:
    """Writes two lines to the run's log."""
    refrain_sdk.log.info("hello", n=1)
    refrain_sdk.log.warn("careful")
