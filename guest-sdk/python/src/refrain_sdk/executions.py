"""Other executions: what is sent to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import run
from .failures import Failure, from_record
from .loop import Future
from .payloads import encode
from .wire import Outcome, Payload, Target


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
        sent = Sent(f"signal `{name}` to {self._shown()}")
        try:
            payload = encode(input)
        except Failure as failure:
            sent.fail(failure.context(f"input of {sent.doing}"))
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


class Sent(Future[None]):
    """Something sent to another execution. Giving it up takes nothing back."""

    def __init__(self, doing: str) -> None:
        self._run = run.current()
        super().__init__(loop=self._run.loop)
        self.doing = doing
        self._op: int | None = None

    def begin(self, op: int) -> None:
        """It was sent under this op."""
        self._op = op
        self._run.inbox.add(op, self)

    def fail(self, failure: Failure) -> None:
        """It did not get there."""
        self.set_exception(failure)
        self._log_traceback = False

    def settle(self, outcome: Outcome) -> None:
        """Its op has ended."""
        if self.done():
            return
        if isinstance(outcome, Payload):
            self.set_result(None)
        else:
            self.fail(from_record(outcome).context(self.doing))

    def cancel(self, msg: object = None) -> bool:
        """Do not wait whether it gets there."""
        if not super().cancel(msg):
            return False
        if self._op is not None and self._run.inbox.forget(self._op):
            self._run.host.detach(self._op)
        return True
