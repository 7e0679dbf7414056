"""Many batches of many tasks, a few of them at once; what fails is counted, and stops nothing else.

`fan_out` gives each batch to a child, `batch`, which does its tasks: so no journal has more than a few entries for each
batch, or each task of one batch. `join` takes the next from its generator when one has ended, so a million batches need
neither a million open ops nor the memory for them; with `return_failures` it goes on, and gives the outcome of each.

A task hashes a file, `batch-0007/task-0042` of a directory that the host's `fs` plugin may read. `cargo xtask example
fan-out` makes such files, but not all of them, and kills the host in the middle.
"""

from dataclasses import dataclass, field
from typing import Annotated

from refrain_sdk import (
    Activity,
    Canceled,
    CancelScope,
    Failure,
    Retry,
    child,
    component,
    join,
    local_activity,
    log,
    secs,
    strict,
    workflow,
)

REASONS = 5
"""How many reasons are told: the first few tell what is wrong, and the histories of the batches have the others."""

ATTEMPTS = 3
"""What fails three times within a second or two is a matter for people."""


@strict
@dataclass
class FanOut:
    """How much there is to do."""

    source: Annotated[str, "The directory of the files, by its name in the host's configuration."]
    batches: int
    tasks: Annotated[int, "How many tasks each batch has."]
    batches_at_once: Annotated[int, "How many batches are under way at once; at least 1."]
    tasks_at_once: Annotated[int, "How many tasks of a batch are; at least 1."]


@dataclass
class Count:
    """How many went well, and how many did not."""

    done: int = 0
    failed: int = 0


@dataclass
class Summary:
    """What was done."""

    batches: Count = field(default_factory=Count)
    tasks: Annotated[Count, "Those of the batches that failed are in neither number."] = field(default_factory=Count)
    bytes: Annotated[int, "Of all files."] = 0
    reasons: Annotated[list[str], "Why some of the batches failed."] = field(default_factory=list)


@dataclass
class Batch:
    """One batch."""

    source: str
    number: int
    tasks: int
    at_once: int


@dataclass
class Did:
    """What was done of a batch."""

    tasks: Count
    bytes: int


@workflow
async def fan_out(work: FanOut) -> Summary:
    """Does all tasks of all batches, and counts what could not be done."""
    if work.batches_at_once < 1 or work.tasks_at_once < 1:
        raise Failure("`batches_at_once` or `tasks_at_once` is 0: give at least 1", non_retryable=True)
    summary = Summary()
    # Who calls it off ends the batches that are under way, and those that are not never start.
    async with CancelScope(with_run=True):
        children = (
            child(batch, Batch(work.source, number, work.tasks, work.tasks_at_once)) for number in range(work.batches)
        )
        outcomes = await join(children, limit=work.batches_at_once, return_failures=True)
    for outcome in outcomes:
        match outcome:
            case Canceled():
                raise outcome
            case Failure():
                summary.batches.failed += 1
                if len(summary.reasons) < REASONS:
                    summary.reasons.append(str(outcome))
            case _:
                summary.batches.done += 1
                summary.tasks.done += outcome.tasks.done
                summary.tasks.failed += outcome.tasks.failed
                summary.bytes += outcome.bytes
    log.info("all batches have ended", done=summary.batches.done, failed=summary.batches.failed)
    return summary


@workflow
async def batch(batch: Batch) -> Did:
    """Does the tasks of one batch. It fails when none of them can be done."""
    did = Did(Count(), 0)
    last = None
    tasks = (task(batch, number) for number in range(batch.tasks))
    for outcome in await join(tasks, limit=batch.at_once, return_failures=True):
        if isinstance(outcome, Failure):
            did.tasks.failed += 1
            last = outcome
        else:
            did.tasks.done += 1
            did.bytes += outcome.size
    if last is not None and did.tasks.done == 0:
        raise last.context(f"batch {batch.number}: none of {batch.tasks} tasks can be done")
    return did


@dataclass
class File:
    """What is told of a file."""

    size: int


def task(batch: Batch, number: int) -> Activity[File]:
    """Hashes a file. Local: it is short, and may well be done again when the host dies."""
    file = {"directory": batch.source, "path": f"batch-{batch.number:04}/task-{number:04}"}
    return local_activity("fs.hash", file, result=File, start_to_close=secs(30), retry=Retry(maximum_attempts=ATTEMPTS))


Definition = component(fan_out, batch)
