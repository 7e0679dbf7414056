"""What the host's HTTP API says, as types. Fields that this version does not know are passed over."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from . import duration
from .payload import EncodedPayload, Payload, from_wire

_NO_RAW = msgspec.Raw()


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that the host gave to this worker. It is durably started."""

    task_token: str
    activity: str
    attempt: int
    workflow_id: str
    run_id: str
    activity_id: str
    workflow: str
    task_queue: str
    namespace: str
    idempotency_key: str
    scheduled_at: datetime
    started_at: datetime
    deadline: datetime | None = None
    heartbeat_timeout: str | None = None
    priority: int = 3
    input: msgspec.Raw = _NO_RAW
    input_payload: EncodedPayload | None = None
    last_heartbeat: msgspec.Raw = _NO_RAW
    last_heartbeat_payload: EncodedPayload | None = None

    def __post_init__(self) -> None:
        self.longest_silence()  # what cannot be read is found with the answer, and not in the attempt

    def argument(self) -> Payload:
        """The activity's input; JSON's `null` if there is none."""
        return from_wire(self.input, self.input_payload) or Payload(Payload.JSON, b"null")

    def last_details(self) -> Payload | None:
        """How far an earlier attempt had come."""
        return from_wire(self.last_heartbeat, self.last_heartbeat_payload)

    def longest_silence(self) -> timedelta | None:
        """How long the attempt may go without a heartbeat."""
        return None if self.heartbeat_timeout is None else duration.parse(self.heartbeat_timeout)

    def time_allowed(self) -> timedelta | None:
        """How long the attempt may take: by the host's clock alone, since this machine's may differ."""
        return None if self.deadline is None else self.deadline - self.started_at


class HeartbeatAnswer(msgspec.Struct, frozen=True):
    """What the host answers to a heartbeat."""

    cancel_requested: bool = False
    paused: bool = False
    reset: bool = False


class Problem(msgspec.Struct, frozen=True):
    """Problem details (RFC 9457): an answer that is a refusal."""

    type: str = ""
    code: str = ""
    title: str = ""
    detail: str = ""
    hint: str = ""

    def is_stale_task(self) -> bool:
        """Whether the attempt in question is not the current one any more."""
        return self.code == "stale-task" or self.type.endswith(":stale-task")
