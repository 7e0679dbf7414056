"""The one door to the host.

In a component it leads to the imports of `wit/`, in a native test to a host that is played. Nothing else in the SDK
knows which of the two it is. Each function is one of `wit/`, where it is documented.
"""

from __future__ import annotations

from typing import Protocol

from .wire import (
    ActivityOptions,
    ChildOptions,
    Completion,
    Event,
    FailureRecord,
    Level,
    Outcome,
    Payload,
    RunInfo,
    Target,
)


class Host(Protocol):
    """What a run can ask for."""

    def start_activity(self, name: str, input: Payload, options: ActivityOptions) -> int: ...  # noqa: A002, D102
    def start_local_activity(self, name: str, input: Payload, options: ActivityOptions) -> int: ...  # noqa: A002, D102
    def start_timer(self, nanoseconds: int, summary: str | None) -> int: ...  # noqa: D102

    def start_child(self, workflow: str, input: Payload, options: ChildOptions) -> tuple[int, int]:  # noqa: A002
        """The ops of its start and of its end."""
        ...

    def signal_external(self, target: Target, name: str, input: Payload) -> int: ...  # noqa: A002, D102
    def cancel_external(self, target: Target, reason: str) -> int: ...  # noqa: D102

    def next(self) -> list[Event]:
        """THE ONE CALL THAT BLOCKS. At least one event; none only in a test whose run has ended."""
        ...

    def cancel(self, op: int, reason: str) -> None: ...  # noqa: D102
    def detach(self, op: int) -> None: ...  # noqa: D102
    def accept(self, update: int) -> None: ...  # noqa: D102
    def reject(self, update: int, reason: FailureRecord) -> None: ...  # noqa: D102
    def complete(self, update: int, answer: Outcome) -> None: ...  # noqa: D102
    def answer(self, query: int, answer: Outcome) -> None: ...  # noqa: D102

    def finish(self, completion: Completion) -> None:
        """Returns where queries are still to be answered, and nowhere else."""
        ...

    def info(self) -> RunInfo: ...  # noqa: D102

    def now(self) -> int:
        """Nanoseconds since 1970."""
        ...

    def random_bytes(self, length: int) -> bytes: ...  # noqa: D102
    def uuid(self) -> str: ...  # noqa: D102
    def patched(self, id: str) -> bool: ...  # noqa: A002, D102
    def get_version(self, id: str, minimum: int, maximum: int) -> int: ...  # noqa: A002, D102
    def log(self, level: Level, message: str, fields: list[tuple[str, str]]) -> None: ...  # noqa: D102
