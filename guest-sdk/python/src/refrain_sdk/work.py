"""Activities and children: work that was started, is waited for, and can be canceled."""

from __future__ import annotations

from typing import Any, TypeVar

from . import scopes
from .failures import Failure
from .ops import OpFuture
from .payloads import decode
from .wire import Payload

T = TypeVar("T")


class Work(OpFuture[T]):
    """A future of what becomes of work that was started.

    To give it up (`Future.cancel`, also by a timeout or a lost `select`) gives up the outcome and nothing else: the
    work goes on. :meth:`request_cancel` ends it early.
    """

    def __init__(self, hint: Any, doing: str) -> None:
        super().__init__(doing)
        self._hint = hint
        self._place: scopes.Place | None = None
        self._ticket: int | None = None

    def begin(self, op: int, cancel_with_run: bool = False) -> None:
        """It was started under this op."""
        super().begin(op)
        inbox = self._run.inbox
        self._place = scopes.join(op)
        if cancel_with_run:
            if inbox.cancel_reason is not None:
                self.request_cancel(inbox.cancel_reason)
            else:
                self._ticket = inbox.on_cancel(self.request_cancel)

    def request_cancel(self, reason: str = "") -> None:
        """Ask it to end. Await this to see what came of it: the result, if that was faster, or `Canceled`."""
        if self._op is not None and self._run.inbox.is_open(self._op):
            self._run.host.cancel(self._op, reason)

    def _read(self, output: Payload) -> T:
        try:
            value: T = decode(output, self._hint)
        except Failure as failure:
            raise failure.context(f"result of {self._doing}") from None
        return value

    def _leave(self) -> None:
        if self._place is not None and self._op is not None:
            self._place.ops.pop(self._op, None)
        if self._ticket is not None:
            self._run.inbox.not_on_cancel(self._ticket)
