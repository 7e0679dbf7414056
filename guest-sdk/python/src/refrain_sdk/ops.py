"""Ops: what was started under a number, and ends once. Here is what all that wait for one do alike."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

from . import run
from .failures import Failure, from_record
from .loop import Future
from .wire import Outcome, Payload

T = TypeVar("T")


class OpFuture(Future[T]):
    """A future of an op's end. To give it up (`Future.cancel`) gives up the outcome: what was started goes on."""

    def __init__(self, doing: str) -> None:
        self._run = run.current()
        super().__init__(loop=self._run.loop)
        self._doing = doing
        self._op: int | None = None

    def begin(self, op: int) -> None:
        """It was started under this op."""
        self._op = op
        self._run.inbox.add(op, self)

    def fail(self, failure: Failure) -> None:
        """It could not be started, or has failed."""
        self.set_exception(failure)
        # Whoever does not want to know need not: what is a bug traps where it happens.
        self._log_traceback = False

    def settle(self, outcome: Outcome) -> None:
        """Its op has ended."""
        self._leave()
        if self.done():
            return
        try:
            if not isinstance(outcome, Payload):
                raise from_record(outcome)
            value = self._read(outcome)
        except Failure as failure:
            self.fail(self._tell(failure))
        else:
            self.set_result(value)

    def cancel(self, msg: object = None) -> bool:
        """Give up the outcome."""
        if not super().cancel(msg):
            return False
        self._leave()
        if self._op is not None and self._run.inbox.forget(self._op):
            self._run.host.detach(self._op)
        return True

    @abstractmethod
    def _read(self, output: Payload) -> T:
        """What a result says."""

    def _tell(self, failure: Failure) -> Failure:
        """What a failure is raised as."""
        return failure

    def _leave(self) -> None:
        """It is over, or nobody waits for it any more."""
