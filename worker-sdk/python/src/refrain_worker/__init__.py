"""Activities of Refrain workflows, in Python.

A *worker* is a process that polls a task queue of a Refrain host, runs the activities it is given, and reports
how they ended::

    from refrain_worker import Context, Worker, activity

    @activity("greeter.greet")
    async def greet(ctx: Context, name: str) -> str:
        return f"Hello, {name}!"

    await Worker("http://127.0.0.1:7420", task_queue="ml", activities=[greet]).run()

**At least once.** An attempt may be cut off after its effect and before its outcome is recorded, and the next
attempt begins again from the start. So either make the effect the same when it is repeated, or hand
:attr:`Context.idempotency_key` to the service that is called: it is the same for all attempts.

**Long work** calls :meth:`Context.heartbeat` with its progress, which the next attempt finds in
:meth:`Context.last_heartbeat`. Beating is also how a cancellation reaches it.

**Errors** are retried under the workflow's retry policy. :class:`ActivityError` says more than other exceptions:
a type for the policy, details, when to try again, and whether to.
"""

from .activity import activity
from .cancellation import Cancellation, CancelReason
from .context import Context
from .errors import ActivityError, Pending, WorkerError
from .payload import Payload
from .worker import Worker

__all__ = [
    "ActivityError",
    "CancelReason",
    "Cancellation",
    "Context",
    "Payload",
    "Pending",
    "Worker",
    "WorkerError",
    "activity",
]
