"""How a run under test ended, and how it got there."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ..failures import from_record
from ..payloads import decode
from ..wire import Completed, Completion, EndedCanceled, Failed, NextRun, Outcome, Payload


@dataclass
class Ended:
    """A run that has ended."""

    completion: Completion
    elapsed: timedelta
    """The run's time from its start to its end."""
    calls: list[str]
    """Commands in their order: `1 = activity greet "Ada"`, `2 = timer 10s`, `wait`, `cancel 2`, `detach 1`.

    What an activity says about its turn is at the end: `3 = activity train "m" task-queue="gpu" priority=1`. A local
    one is `4 = local activity look-up "m"`. A child has two ops, of its start and of its end: `5, 6 = child ship "m"
    id="ship-7"`. What is sent to others: `7 = signal order-7 approved true`, `8 = request-cancel order-7`. Updates,
    by index: `accept update-0`, `reject update-1: why`, `complete update-0: 3`.
    """
    log: list[str]
    """The run's log: `INFO message key=value`."""
    answers: list[Outcome] = field(default_factory=list)
    updates: list[Outcome | None] = field(default_factory=list)

    def result(self, hint: Any = Any) -> Any:
        """What the workflow returned. Raises the failure with which it failed, and ValueError if it ended otherwise."""
        match self.completion:
            case Completed():
                return decode(self.completion.output, hint)
            case Failed():
                raise from_record(self.completion.failure)
            case _:
                raise ValueError(f"the run has no result: {self.completion}")

    def answer(self, index: int, hint: Any = Any) -> Any:
        """The answer to the query with this index, in the order in which they were asked. Raises its failure."""
        return _value(self.answers[index], hint)

    def update_result(self, index: int, hint: Any = Any) -> Any:
        """What was answered to the update with this index. Raises its failure; ValueError while there is no answer."""
        outcome = self.updates[index]
        if outcome is None:
            raise ValueError("the update has no answer")
        return _value(outcome, hint)

    @property
    def is_canceled(self) -> bool:
        """Whether it was canceled."""
        return isinstance(self.completion, EndedCanceled)

    @property
    def next_run(self) -> NextRun | None:
        """The next run, when this one continued as new."""
        return self.completion if isinstance(self.completion, NextRun) else None


def _value(outcome: Outcome, hint: Any) -> Any:
    if isinstance(outcome, Payload):
        return decode(outcome, hint)
    raise from_record(outcome)
