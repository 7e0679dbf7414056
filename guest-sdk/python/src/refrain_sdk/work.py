"""Activities and children: work that was started, is waited for, and can be canceled."""

from __future__ import annotations

from typing import Any, TypeVar

from . import run, scopes
from .failures import Failure, from_record
from .loop import Future
from .payloads import decode
from .wire import Outcome, Payload

T = TypeVar("T")


class Work(Future[T]):
    """A future of what becomes of work that was started.

    To give it up (`Future.cancel`, also by a timeout or a lost `select`) gives up the outcome and nothing else: the
    work goes on. :meth:`request_cancel` ends it early.
    """

    def __init__(self, hint: Any, doing: str) -> None:
        self._run = run.current()
        super().__init__(loop=self._run.loop)
        self._hint = hint
        self._doing = doing
        self._op: int | None = None
        self._place: scopes.Place | None = None
        self._ticket: int | None = None

    def begin(self, op: int, cancel_with_run: bool) -> None:
        """It was started under this op."""
        self._op = op
        inbox = self._run.inbox
        inbox.add(op, self)
        self._place = scopes.join(op)
        if cancel_with_run:
            if inbox.cancel_reason is not None:
                self.request_cancel(inbox.cancel_reason)
            else:
                self._ticket = inbox.on_cancel(self.request_cancel)

    def fail(self, failure: Failure) -> None:
        """It could not be started, or has failed."""
        self.set_exception(failure)
        # Whoever does not want to know need not: what is a bug traps where it happens.
        self._log_traceback = False

    def request_cancel(self, reason: str = "") -> None:
        """Ask it to end. Await this to see what came of it: the result, if that was faster, or `Canceled`."""
        if self._op is not None and self._run.inbox.is_open(self._op):
            self._run.host.cancel(self._op, reason)

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

    def _read(self, output: Payload) -> T:
        try:
            value: T = decode(output, self._hint)
        except Failure as failure:
            raise failure.context(f"result of {self._doing}") from None
        return value

    def _tell(self, failure: Failure) -> Failure:
        return failure

    def cancel(self, msg: object = None) -> bool:
        """Give up the outcome. The work goes on."""
        if not super().cancel(msg):
            return False
        self._leave()
        if self._op is not None and self._run.inbox.forget(self._op):
            self._run.host.detach(self._op)
        return True

    def _leave(self) -> None:
        if self._place is not None and self._op is not None:
            self._place.ops.pop(self._op, None)
        if self._ticket is not None:
            self._run.inbox.not_on_cancel(self._ticket)
