"""What goes through the door to the host, in types of the SDK's own.

They say the same as the records of `wit/`, whose bindings exist in a component alone. Lengths of time are whole
nanoseconds, points in time whole nanoseconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

JSON = "application/json"
"""The content type of every payload that the SDK writes."""

NANOSECONDS = 1_000_000_000
"""In one second."""

Kind: TypeAlias = Literal["application", "canceled", "timeout", "terminated", "host", "other"]
"""Who says that it failed."""

Level: TypeAlias = Literal["trace", "debug", "info", "warn", "error"]
"""How much a line of the log matters."""

Cancellation: TypeAlias = Literal["try-cancel", "wait-for-cancellation", "abandon"]
"""What a cancel request does to an activity or a child.

`try-cancel`: it is asked to stop, and fails here as canceled at once. `wait-for-cancellation`: it is asked to stop, and
its own answer is waited for. `abandon`: it is not told, and fails here as canceled at once.
"""

IdReuse: TypeAlias = Literal["allow", "allow-failed-only", "reject"]
"""What an execution that has ended means for another of the same id."""

ParentClose: TypeAlias = Literal["terminate", "request-cancel", "abandon"]
"""What becomes of a child whose parent's run ends first."""

OnTrap: TypeAlias = Literal["park", "fail"]
"""What becomes of a run whose code raises what is no failure."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A value on its way in or out."""

    data: bytes
    content_type: str = JSON


Named: TypeAlias = list[tuple[str, Payload]]
"""Options that the record had no field for when the contract was released."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One link of a failure's chain."""

    kind: Kind
    error_type: str
    message: str
    stack: str = ""
    details: Payload | None = None


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """Why something failed: what this level was doing, then why, outermost first."""

    top: Cause
    non_retryable: bool = False
    causes: tuple[Cause, ...] = ()


Outcome: TypeAlias = Payload | FailureRecord
"""How an op, an update or a query ended."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how often to try again; zeros are the host's defaults."""

    initial_interval: int = 0
    backoff_coefficient: float = 0.0
    maximum_interval: int | None = None
    maximum_attempts: int = 0
    non_retryable_error_types: tuple[str, ...] = ()
    more: Named = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ActivityOptions:
    """How to go about an activity."""

    task_queue: str | None = None
    schedule_to_close_timeout: int | None = None
    schedule_to_start_timeout: int | None = None
    start_to_close_timeout: int | None = None
    heartbeat_timeout: int | None = None
    retry: RetryPolicy | None = None
    cancellation: Cancellation = "try-cancel"
    priority: int | None = None
    summary: str | None = None
    more: Named = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """How to go about a child."""

    workflow_id: str | None = None
    id_reuse: IdReuse = "allow"
    component: str | None = None
    task_queue: str | None = None
    execution_timeout: int | None = None
    run_timeout: int | None = None
    retry: RetryPolicy | None = None
    parent_close: ParentClose = "terminate"
    cancellation: Cancellation = "try-cancel"
    memo: Named = field(default_factory=list)
    summary: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """An execution (no run: its current one), or one run of it."""

    workflow_id: str
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a run may know about itself."""

    namespace: str
    workflow_id: str
    run_id: str
    first_run_id: str
    continued_run_id: str | None
    workflow: str
    task_queue: str
    attempt: int
    last_failure: FailureRecord | None
    started_at: int
    parent: Target | None
    root: Target | None
    journal_entries: int
    journal_bytes: int
    continue_as_new_suggested: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """An event: the end of an op."""

    op: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class SignalMessage:
    """An event: a signal."""

    name: str
    input: Payload


@dataclass(frozen=True, slots=True)
class UpdateMessage:
    """An event: an update, to be accepted or rejected in this step."""

    request: int
    update_id: str
    name: str
    input: Payload


@dataclass(frozen=True, slots=True)
class QueryMessage:
    """An event: a query, to be answered before the next wait."""

    request: int
    name: str
    input: Payload


@dataclass(frozen=True, slots=True)
class CancelMessage:
    """An event: someone wants the run to end early."""

    reason: str


@dataclass(frozen=True, slots=True)
class OtherMessage:
    """An event of a kind that a later contract names; to be ignored."""

    kind: str


Event: TypeAlias = Finished | SignalMessage | UpdateMessage | QueryMessage | CancelMessage | OtherMessage


@dataclass(frozen=True, slots=True)
class Completed:
    """An end: with a result."""

    output: Payload


@dataclass(frozen=True, slots=True)
class Failed:
    """An end: the run's retry policy may start it again."""

    failure: FailureRecord


@dataclass(frozen=True, slots=True)
class EndedCanceled:
    """An end: the answer to a cancel request."""

    details: Payload | None


@dataclass(frozen=True, slots=True)
class NextRun:
    """An end: the run that follows this one."""

    input: Payload
    workflow: str | None = None
    newest_version: bool = False
    run_timeout: int | None = None
    unread: tuple[SignalMessage, ...] = ()


Completion: TypeAlias = Completed | Failed | EndedCanceled | NextRun
