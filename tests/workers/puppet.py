"""A worker for tests, in Python: what `src/bin/worker.rs` is in Rust. Configured by the environment."""

import asyncio
import json
import logging
import os
from typing import Any

from refrain_worker import ActivityError, Context, Worker, activity

IDENTITY = os.environ["REFRAIN_TEST_IDENTITY"]


@activity("test.echo")
async def echo(value: Any) -> Any:
    """Return the input."""
    return value


@activity("test.flaky")
async def flaky(ctx: Context, script: dict[str, int]) -> dict[str, int]:
    """Fail until its time has come, and then say which attempt it is."""
    if ctx.attempt < script["succeeds_at"]:
        raise ActivityError("Flaky", f"attempt {ctx.attempt} fails")
    return {"attempt": ctx.attempt}


@activity("test.puppet")
async def puppet(ctx: Context, script: dict[str, str]) -> Any:
    """Obey."""
    address, port = script["stage"].rsplit(":", 1)
    orders, stage = await asyncio.open_connection(address, int(port))

    def say(what: dict[str, Any]) -> None:
        stage.write(json.dumps(what).encode() + b"\n")

    say(
        {
            "worker": IDENTITY,
            "attempt": ctx.attempt,
            "task_token": ctx.task_token,
            "last_heartbeat": ctx.last_heartbeat(),
        }
    )
    cancelled: asyncio.CancelledError | None = None
    line = asyncio.ensure_future(orders.readline())
    while True:
        try:
            # The cancellation of this task must not take the order with it.
            text = await asyncio.shield(line)
        except asyncio.CancelledError as error:
            cancelled = error
            say({"cancelled": ctx.cancel_reason.value if ctx.cancel_reason else "nobody knows"})
            continue
        order: dict[str, Any] = json.loads(text) if text else {"order": "gone"}
        match order:
            case {"order": "heartbeat", "details": details}:
                ctx.heartbeat(details)
            case {"order": "complete", "result": result}:
                return result
            case {"order": "fail", "error_type": error_type, "message": message, "non_retryable": non_retryable}:
                raise ActivityError(error_type, message, non_retryable=non_retryable)
            case {"order": "stop"}:
                raise cancelled or ActivityError("Misled", "was to stop, and nobody else wants it", non_retryable=True)
            case {"order": "pending"}:
                raise ctx.pending()
            case _:
                raise ActivityError("Abandoned", "the test is gone")
        line = asyncio.ensure_future(orders.readline())


if __name__ == "__main__":
    logging.basicConfig(level="INFO")
    worker = Worker(
        activities=[echo, flaky, puppet],
        task_queue=os.environ["REFRAIN_TASK_QUEUE"],
        slots=int(os.environ["REFRAIN_TEST_SLOTS"]),
        identity=IDENTITY,
    )
    asyncio.run(worker.run())
