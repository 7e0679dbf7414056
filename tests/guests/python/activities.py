"""Activities: one after the other, and many at once."""

from dataclasses import dataclass
from typing import Annotated, TypeVar

from refrain_sdk import Activity, activity, join, secs, workflow

T = TypeVar("T")


@dataclass
class Count:
    """How many."""

    n: Annotated[int, "From 1 to this."]


def echo(value: T) -> Activity[T]:
    """The activity that returns its input."""
    return activity("echo", value, result=type(value), start_to_close=secs(10))


@workflow
async def sequence(count: Count) -> int:
    """Adds up what one activity after the other returns."""
    total = 0
    for i in range(1, count.n + 1):
        total += await echo(i)
    return total


@workflow
async def parallel(count: Count) -> list[int]:
    """Returns what activities return that run at once, in the order in which they were started."""
    return await join(echo(i) for i in range(1, count.n + 1))


@workflow
async def fan_out(count: Count) -> int:
    """Adds up what activities return that run at once."""
    return sum(await join(echo(i) for i in range(1, count.n + 1)))
