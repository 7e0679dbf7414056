"""Other executions: what is sent to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import run
from .failures import Failure
from .ops import OpFuture
from .payloads import encode
from .wire import Payload, Target


@dataclass(frozen=True)
class Execution:
    """One run, or whichever run of an execution is current."""

    workflow_id: str
    run_id: str | None = None
    """None: its current run."""

    def signal(self, name: str, input: Any = None) -> Sent:  # noqa: A002 - the word of the API
        """Send it a signal, at the call.

        Awaiting tells when the signal is durable there, or raises why it cannot be: there is no such execution
        (`not-found`), or it has ended (`closed`).
        """
        doing = f"signal `{name}` to {self._shown()}"
        sent = Sent(doing)
        try:
            payload = encode(input)
        except Failure as failure:
            sent.fail(failure.context(f"input of {doing}"))
        else:
            sent.begin(run.current().host.signal_external(self._target(), name, payload))
        return sent

    def cancel(self, reason: str = "") -> Sent:
        """Ask it to cancel itself, at the call. Awaiting tells when the request is durable there, not yet its end."""
        sent = Sent(f"cancel request to {self._shown()}")
        sent.begin(run.current().host.cancel_external(self._target(), reason))
        return sent

    def _target(self) -> Target:
        return Target(self.workflow_id, self.run_id)

    def _shown(self) -> str:
        workflow = f"workflow `{self.workflow_id}`"
        return workflow if self.run_id is None else f"run `{self.run_id}` of {workflow}"


def external(workflow_id: str, run_id: str | None = None) -> Execution:
    """The current run of the execution with this id, whichever that is when something is sent to it, or one run."""
    return Execution(workflow_id, run_id)


class Sent(OpFuture[None]):
    """Something sent to another execution. Giving it up takes nothing back."""

    def _read(self, output: Payload) -> None:
        """That it has got there is all that there is to know."""

    def _tell(self, failure: Failure) -> Failure:
        return failure.context(self._doing)
