"""What the host does when a workflow under test calls it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any, TypeAlias

from ..failures import Canceled, Failure, HostFailure, TimedOut, to_record
from ..payloads import decode, encode
from ..wire import (
    NANOSECONDS,
    ActivityOptions,
    Cancellation,
    ChildOptions,
    Completion,
    Event,
    FailureRecord,
    Finished,
    Level,
    Outcome,
    Payload,
    QueryMessage,
    RunInfo,
    Target,
    UpdateMessage,
)

Work: TypeAlias = tuple[int, Callable[[Any], Any]]
"""How long it takes, in nanoseconds, and what stands for it."""


def by_host(error_type: str, message: str) -> FailureRecord:
    """A failure of the host's own."""
    return to_record(HostFailure(message, type=error_type))


def show_duration(nanoseconds: int) -> str:
    """The duration as Rust's `Debug` writes it: `90s`, `1.5s`, `50ms`."""
    for unit, name in ((NANOSECONDS, "s"), (1_000_000, "ms"), (1_000, "us")):
        if nanoseconds >= unit or (nanoseconds == 0 and name == "ms"):
            return f"{nanoseconds / unit:.9f}".rstrip("0").rstrip(".") + name
    return f"{nanoseconds}ns"


def _text(payload: Payload) -> str:
    return payload.data.decode()


class PlayedHost:
    """Plays the host for one run."""

    def __init__(self) -> None:
        self.activities: dict[str, Work] = {}
        self.children: dict[str, Work] = {}
        self.refused: dict[str, str] = {}
        self.missing: list[str] = []
        self.unpatched: list[str] = []
        self.long_from: int | None = None
        self.clock = 0
        self.ended_at: int | None = None
        self.calls: list[str] = []
        self.lines: list[str] = []
        self.answers: list[Outcome] = []
        self.updates: list[Outcome | None] = []
        self._pending: list[int] = []
        self._accepted: list[int] = []
        self._due: list[tuple[int, int, Event]] = []
        self._sequence = count()
        self._op = 0
        self._open: dict[int, Cancellation] = {}
        self._gone: dict[int, None] = {}
        self._reads = 0
        self._randomness = 0
        self._asked = False
        self._tried: str | None = None

    # Time.

    def schedule(self, at: int, event: Event) -> None:
        """Something happens at that time."""
        heapq.heappush(self._due, (at, next(self._sequence), event))

    def queries_left(self) -> int:
        """How many queries were not asked."""
        return sum(isinstance(event, QueryMessage) for _, _, event in self._due)

    def next(self) -> list[Event]:
        """What is due first, and all that is due then."""
        self.reject_unanswered()
        if self.ended_at is not None:
            self._due = [due for due in self._due if isinstance(due[2], QueryMessage)]
            heapq.heapify(self._due)
        elif not self._asked:
            self.calls.append("wait")
        self._asked = False
        while self._due and self._is_gone(self._due[0][2]):
            heapq.heappop(self._due)
        if not self._due:
            if self.ended_at is None:
                raise AssertionError("the workflow waits for ever: nothing is scheduled")
            return []
        at = self._due[0][0]
        if isinstance(self._due[0][2], QueryMessage):
            # Asked alone, of the run as its last step left it.
            self._asked = True
            return [heapq.heappop(self._due)[2]]
        self.clock = max(self.clock, at)
        self._reads = 0
        events: list[Event] = []
        later = []
        while self._due and self._due[0][0] <= at:
            due = heapq.heappop(self._due)
            if isinstance(due[2], QueryMessage):
                later.append(due)  # after what happens in this moment
            elif not self._is_gone(due[2]):
                events.append(due[2])
        for due in later:
            heapq.heappush(self._due, due)
        for event in events:
            if isinstance(event, Finished):
                self._open.pop(event.op, None)
            elif isinstance(event, UpdateMessage):
                self._pending.append(event.request)
        return events

    def _is_gone(self, event: Event) -> bool:
        return isinstance(event, Finished) and id(event) in self._gone

    # Ops.

    def _new_op(self) -> int:
        self._op += 1
        return self._op

    def _ends(self, op: int, after: int, outcome: Outcome, cancellation: Cancellation) -> None:
        self._open[op] = cancellation
        self.schedule(self.clock + after, Finished(op, outcome))

    def _only_look(self, call: str) -> None:
        if self._asked:
            self._tried = f"the query's handling called {call}: a query only looks, and may not"
            raise RuntimeError(self._tried)

    def start_activity(self, name: str, input: Payload, options: ActivityOptions) -> int:  # noqa: A002
        """Does the work at once, and delivers what came of it when its time has passed."""
        return self._start("activity", name, input, options)

    def start_local_activity(self, name: str, input: Payload, options: ActivityOptions) -> int:  # noqa: A002
        """As an activity."""
        return self._start("local activity", name, input, options)

    def _start(self, what: str, name: str, value: Payload, options: ActivityOptions) -> int:
        self._only_look("activity.start")
        op = self._new_op()
        shown = [("task-queue", options.task_queue), ("priority", options.priority)]
        turn = [f' {key}="{value}"' if isinstance(value, str) else f" {key}={value}" for key, value in shown if value]
        turn += [f" {key}={_text(value)}" for key, value in options.more]
        self.calls.append(f"{op} = {what} {name} {_text(value)}{''.join(turn)}")
        if name not in self.activities:
            raise AssertionError(f"this Env has no activity `{name}`")
        takes, function = self.activities[name]
        outcome = _outcome(function, value)
        limit = options.start_to_close_timeout or options.schedule_to_close_timeout
        if limit is not None and takes > limit:
            message = f"activity `{name}` took longer than {show_duration(limit)}"
            takes, outcome = limit, to_record(TimedOut(message, type="start-to-close"))
        self._ends(op, takes, outcome, options.cancellation)
        return op

    def start_timer(self, nanoseconds: int, summary: str | None) -> int:
        """Fires after that time."""
        self._only_look("timer.start")
        op = self._new_op()
        self.calls.append(f"{op} = timer {show_duration(nanoseconds)}{f' {summary}' if summary else ''}")
        self._ends(op, nanoseconds, encode(None), "try-cancel")
        return op

    def start_child(self, workflow: str, input: Payload, options: ChildOptions) -> tuple[int, int]:  # noqa: A002
        """Does what stands for the child at once."""
        self._only_look("child.start")
        started, finished = self._new_op(), self._new_op()
        shown = [("id", options.workflow_id), ("component", options.component), ("task-queue", options.task_queue)]
        more = [f' {key}="{value}"' for key, value in shown if value]
        more += [f" id-reuse={options.id_reuse}"] * (options.id_reuse != "allow")
        more += [f" parent-close={options.parent_close}"] * (options.parent_close != "terminate")
        more += [f" memo:{key}={_text(value)}" for key, value in options.memo]
        self.calls.append(f"{started}, {finished} = child {workflow} {_text(input)}{''.join(more)}")
        child_id = options.workflow_id or f"child-{finished}"
        takes = 0
        if workflow in self.refused:
            message = f'child workflow "{workflow}" was not started: its id is "{child_id}"'
            begun: Outcome = by_host(self.refused[workflow], message)
            outcome = begun
        elif workflow in self.children:
            takes, function = self.children[workflow]
            begun = encode({"workflow_id": child_id, "run_id": f"{child_id}-run"})
            outcome = _outcome(function, input, f'child workflow "{workflow}" (id "{child_id}") failed')
        else:
            raise AssertionError(f"this Env has no child `{workflow}`")
        # To cancel the first has no effect.
        self._ends(started, 0, begun, "wait-for-cancellation")
        self._ends(finished, takes, outcome, options.cancellation)
        return started, finished

    def signal_external(self, target: Target, name: str, input: Payload) -> int:  # noqa: A002
        """Arrives at once, unless the target is missing."""
        self._only_look("external.signal")
        return self._send("signal", target, f" {name} {_text(input)}")

    def cancel_external(self, target: Target, reason: str) -> int:
        """Arrives at once, unless the target is missing."""
        self._only_look("external.request-cancel")
        return self._send("request-cancel", target, "")

    def _send(self, what: str, target: Target, more: str) -> int:
        op = self._new_op()
        run = f' run="{target.run_id}"' if target.run_id else ""
        self.calls.append(f"{op} = {what} {target.workflow_id}{run}{more}")
        outcome: Outcome = encode(None)
        if target.workflow_id in self.missing:
            outcome = by_host("not-found", f"there is no workflow `{target.workflow_id}`")
        self._ends(op, 0, outcome, "wait-for-cancellation")
        return op

    def cancel(self, op: int, reason: str) -> None:
        """Ends it as canceled at once, unless its own answer is to be waited for."""
        self._only_look("wait.cancel")
        self.calls.append(f"cancel {op}")
        cancellation = self._open.get(op)
        if cancellation is not None and cancellation != "wait-for-cancellation":
            self._drop(op)
            self._ends(op, 0, to_record(Canceled(reason)), cancellation)

    def detach(self, op: int) -> None:
        """Its end is never delivered."""
        self._only_look("wait.detach")
        self.calls.append(f"detach {op}")
        self._open.pop(op, None)
        self._drop(op)

    def _drop(self, op: int) -> None:
        for _, _, event in self._due:
            if isinstance(event, Finished) and event.op == op:
                self._gone[id(event)] = None

    # Messages.

    def accept(self, update: int) -> None:
        """Lets it in."""
        self._only_look("messages.accept")
        self.calls.append(f"accept update-{update}")
        self._pending.remove(update)
        self._accepted.append(update)

    def reject(self, update: int, reason: FailureRecord) -> None:
        """Turns it down."""
        self._only_look("messages.reject")
        self.calls.append(f"reject update-{update}: {_say(reason)}")
        self._pending.remove(update)
        self.updates[update] = reason

    def complete(self, update: int, answer: Outcome) -> None:
        """Answers it."""
        self._only_look("messages.complete")
        shown = _text(answer) if isinstance(answer, Payload) else _say(answer)
        self.calls.append(f"complete update-{update}: {shown}")
        self._accepted.remove(update)
        self.updates[update] = answer

    def reject_unanswered(self) -> None:
        """The step that got them has ended."""
        for update in self._pending:
            self.updates[update] = by_host("not-handled", "no handler took the update")
        self._pending.clear()

    def answer(self, query: int, answer: Outcome) -> None:
        """Keeps it."""
        tried, self._tried = self._tried, None
        self.answers.append(answer if tried is None else by_host("query-tried-to-change", tried))

    # The rest.

    def finish(self, completion: Completion) -> None:
        """Only queries come from now on."""
        self.ended_at = self.clock

    def info(self) -> RunInfo:
        """A run of no name."""
        return RunInfo(
            namespace="default",
            workflow_id="test",
            run_id="test-run",
            first_run_id="test-run",
            continued_run_id=None,
            workflow="test",
            task_queue="default",
            attempt=1,
            last_failure=None,
            started_at=0,
            parent=None,
            root=None,
            journal_entries=len(self.calls),
            journal_bytes=0,
            continue_as_new_suggested=self.long_from is not None and self.clock >= self.long_from,
        )

    def now(self) -> int:
        """The clock, and a microsecond for each call."""
        now = self.clock + self._reads * 1_000
        self._reads += 1
        return now

    def random_bytes(self, length: int) -> bytes:
        """SplitMix64: a test wants the same values each time, not good ones."""
        return bytes(self._random_byte() for _ in range(length))

    def _random_byte(self) -> int:
        mask = (1 << 64) - 1
        self._randomness = (self._randomness + 0x9E3779B97F4A7C15) & mask
        mixed = ((self._randomness ^ (self._randomness >> 30)) * 0xBF58476D1CE4E5B9) & mask
        return (mixed ^ (mixed >> 27)) & 0xFF

    def uuid(self) -> str:
        """One of version 4."""
        digits = self.random_bytes(16).hex()
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def patched(self, id: str) -> bool:  # noqa: A002
        """A run that gets there for the first time, unless it is told otherwise."""
        return id not in self.unpatched

    def get_version(self, id: str, minimum: int, maximum: int) -> int:  # noqa: A002
        """A run that gets there for the first time, unless it is told otherwise."""
        return minimum if id in self.unpatched else maximum

    def log(self, level: Level, message: str, fields: list[tuple[str, str]]) -> None:
        """Keeps the line."""
        self.lines.append(f"{level.upper()} {message}" + "".join(f" {key}={value}" for key, value in fields))


def _outcome(function: Callable[[Any], Any], payload: Payload, doing: str | None = None) -> Outcome:
    try:
        return encode(function(decode(payload)))
    except Failure as failure:
        return to_record(failure if doing is None else failure.context(doing))


def _say(failure: FailureRecord) -> str:
    return ": ".join([failure.top.message, *(cause.message for cause in failure.causes)])
