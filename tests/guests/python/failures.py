"""What goes wrong: retries, a failure's way to the run's end, undoing, and a bug."""

import refrain_sdk
from activities import echo
from refrain_sdk import Activity, Retry, activity, context, millis, secs, workflow


def broken(value: str) -> Activity[str]:
    """The activity that fails for good."""
    return activity("broken", value, result=str, start_to_close=secs(10))


@workflow
async def retries() -> str:
    """Needs three attempts for one activity, and fails by another."""
    patient = Retry(initial_interval=millis(10), maximum_attempts=5)
    await activity("flaky", {"fail_times": 2}, result=str, start_to_close=secs(10), retry=patient)
    with context("stop-and-snapshot for container abc123"), context("stop container abc123"):
        return await broken("abc123")


@workflow
async def saga() -> None:
    """Books a trip, of which the last part is not to be had."""
    async with refrain_sdk.saga("trip") as trip:
        trip.undo("cancel hotel", echo, "cancel hotel")
        await echo("book hotel")
        trip.undo("cancel flight", echo, "cancel flight")
        await echo("book flight")
        trip.undo("cancel car", echo, "cancel car")
        with context("book the car"):
            await broken("book car")


@workflow
async def bug() -> None:
    """Has a bug."""
    raise ValueError("this is a bug")
