"""What a run may know: itself, and randomness."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from . import run
from .executions import Execution
from .failures import Failure, from_record
from .timers import from_nanoseconds
from .wire import Target

_AT_ONCE = 65_536
"""The most random bytes that the host gives at once."""


@dataclass(frozen=True)
class Info:
    """What a run knows about itself."""

    namespace: str
    workflow_id: str
    run_id: str
    first_run_id: str
    """The first run of this chain of continue-as-new, retry and reset."""
    continued_run_id: str | None
    """The run that this one continues."""
    workflow: str
    task_queue: str
    """Of its activities."""
    attempt: int
    """From 1; counts the attempts of the run's own retry policy."""
    last_failure: Failure | None
    """Why the attempt before this one failed."""
    started_at: datetime
    parent: Execution | None
    """Who started it as a child."""
    root: Execution | None
    """The top of the tree of parents."""
    journal_entries: int
    """The journal's length when the latest wait returned."""
    journal_bytes: int
    continue_as_new_suggested: bool
    """The journal nears its limit: raise `ContinueAsNew` when it suits."""


def info() -> Info:
    """What this run knows about itself."""
    wire = run.current().host.info()
    return Info(
        namespace=wire.namespace,
        workflow_id=wire.workflow_id,
        run_id=wire.run_id,
        first_run_id=wire.first_run_id,
        continued_run_id=wire.continued_run_id,
        workflow=wire.workflow,
        task_queue=wire.task_queue,
        attempt=wire.attempt,
        last_failure=None if wire.last_failure is None else from_record(wire.last_failure),
        started_at=from_nanoseconds(wire.started_at),
        parent=_execution(wire.parent),
        root=_execution(wire.root),
        journal_entries=wire.journal_entries,
        journal_bytes=wire.journal_bytes,
        continue_as_new_suggested=wire.continue_as_new_suggested,
    )


def _execution(target: Target | None) -> Execution | None:
    return None if target is None else Execution(target.workflow_id, target.run_id)


def random_bytes(length: int) -> bytes:
    """Bytes of the run's own random stream: the same on every replay."""
    host = run.current().host
    parts = [host.random_bytes(min(_AT_ONCE, length - place)) for place in range(0, length, _AT_ONCE)]
    return b"".join(parts)


def uuid() -> str:
    """A version 4 UUID, in lower case, the same on every replay."""
    return run.current().host.uuid()
