"""What others say to a run: signals, queries and updates."""

from dataclasses import dataclass
from typing import Annotated, Any

import refrain_sdk
from context import Time
from refrain_sdk import Failure, Query, Signal, Update, sleep, wait_condition, workflow

GO = Signal("go", str, doc="Ends the wait.")


@workflow(signals=[GO])
async def select(time: Time) -> dict[str, Any]:
    """Waits for a signal or a timer."""
    match await refrain_sdk.select(signal=GO.recv(), timer=sleep(time.duration)):
        case "signal", word:
            return {"signal": word}
        case _:
            return {"timer": True}


ADD_SIGNAL = Signal("add", int, doc="Adds to the total.")
FINISH: Signal[None] = Signal("finish", type(None), doc="Ends the run.")
TOTAL = Query("total", int, doc="The total so far.")


@workflow(signals=[ADD_SIGNAL, FINISH], queries=[TOTAL])
async def query() -> int:
    """Adds up what signals bring until one says that it is enough."""
    total = 0

    @ADD_SIGNAL.handle
    async def _(n: int) -> None:
        nonlocal total
        total += n

    @TOTAL.handle
    def _() -> int:
        return total

    await FINISH.recv()
    return total


@dataclass
class Goal:
    """How much."""

    until: Annotated[int, "The total at which it is enough."]


ADD_UPDATE = Update("add", int, int, doc="Adds a positive number; the total then.")


@workflow(updates=[ADD_UPDATE])
async def update(goal: Goal) -> int:
    """Adds up what updates bring until it is enough."""
    total = 0

    @ADD_UPDATE.validate
    def _(n: int) -> None:
        if n <= 0:
            raise Failure(f"{n} is not positive", type="not-positive")

    @ADD_UPDATE.handle
    async def _(n: int) -> int:
        nonlocal total
        total += n
        return total

    await wait_condition(lambda: total >= goal.until)
    return total
