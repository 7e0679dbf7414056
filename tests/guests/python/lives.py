"""How runs begin others, go on as others, end when they are asked to, and change their code."""

from dataclasses import dataclass
from typing import Annotated

import refrain_sdk
from activities import Count, echo, sequence
from refrain_sdk import Canceled, ContinueAsNew, days, or_canceled, shield, sleep, workflow


@workflow
async def child(count: Count) -> int:
    """Lets a child do the work."""
    return await refrain_sdk.child(sequence, count)


@dataclass
class Round:
    """Which run of the chain it is."""

    round: Annotated[int, "From 1."]


@dataclass
class Rounds:
    """How many runs there were."""

    rounds: Annotated[int, "All of the chain."]


@workflow
async def continue_as_new(this: Round) -> Rounds:
    """Goes on as a new run until the third."""
    if this.round < 3:
        raise ContinueAsNew(Round(this.round + 1))
    return Rounds(this.round)


@workflow
async def cancel_cleanup() -> str:
    """Sleeps for a day, and cleans up when it is asked to end before that."""
    try:
        await or_canceled(sleep(days(1)))
    except Canceled:
        with shield():
            await echo("clean up")
        raise
    return "slept"


@workflow
async def patched() -> str:
    """Takes the new path of a change."""
    return await echo("new" if refrain_sdk.patched("change") else "old")
