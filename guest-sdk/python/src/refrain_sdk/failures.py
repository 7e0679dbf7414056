"""Why something failed, told from the outside in."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, TypeVar

from .wire import Cause, FailureRecord, Kind, Payload

T = TypeVar("T")


class Failure(Exception):  # noqa: N818 - the word of the contract
    """Why a workflow or an activity failed: a chain that reads as one sentence, `what was done: why: why`.

    ```python
    raise Failure(f"no container named {name}", type="NotFound", non_retryable=True)
    ```

    A workflow that raises one fails. **Every other exception is a bug**: it is written to the run's log with its
    traceback, and the run is parked so that fixed code can take over. What is expected to go wrong in code that raises
    something else is caught there, and `raise Failure(...) from error` keeps it as the cause.

    `type`: the name by which retry policies and other workflows tell failures apart.
    `non_retryable`: no retry policy tries again.
    `details`: anything with a JSON form that programs may want to know. Without such a form: the reason, in its place.

    What arrives of others is of the class that says who failed: :class:`Canceled`, :class:`TimedOut`,
    :class:`Terminated`, :class:`HostFailure`, or this one.
    """

    kind: Kind = "application"

    def __init__(
        self,
        message: str,
        *,
        type: str = "Failure",  # noqa: A002 - the word of the contract
        non_retryable: bool = False,
        details: Any = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.type = type
        self.non_retryable = non_retryable
        self.stack = ""
        self.own_details: Payload | None = None
        self.own_causes: tuple[Cause, ...] = ()
        if details is not None:
            self.with_details(details)

    def with_details(self, details: Any) -> Failure:
        """Add data for programs; returns this failure."""
        from . import payloads

        try:
            self.own_details = payloads.encode(details)
        except Failure as failure:
            self.own_details = payloads.encode(str(failure))
        return self

    def caused_by(self, why: BaseException) -> Failure:
        """Put `why` at the end of its chain; returns this failure."""
        self.own_causes = (*self.causes, *_chain_of(why))
        return self

    def context(self, doing: str) -> Failure:
        """A failure that says what was being done, with this one as its cause.

        It keeps kind and type, and whether it may be retried.
        """
        outer = _of_kind(self.kind, doing, self.type)
        outer.non_retryable = self.non_retryable
        return outer.caused_by(self)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """What is under this level, outermost first; `raise ... from` adds to it as :meth:`caused_by` does."""
        if not self.own_causes and self.__cause__ is not None:
            return tuple(_chain_of(self.__cause__))
        return self.own_causes

    @property
    def details(self) -> Any:
        """The outermost details that there are, as JSON values; None without any."""
        return self.details_as(Any)

    def details_as(self, hint: type[T] | Any) -> T | Any:
        """The outermost details that fit the type; None without any."""
        from . import payloads

        for details in (self.own_details, *(cause.details for cause in self.causes)):
            if details is not None:
                try:
                    return payloads.decode(details, hint)
                except Failure:
                    continue
        return None

    @property
    def chain(self) -> tuple[str, ...]:
        """The messages, outermost first."""
        return (self.message, *(cause.message for cause in self.causes))

    def __str__(self) -> str:
        return ": ".join(self.chain)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.type}, {self})"


class Canceled(Failure):
    """It was canceled. A workflow that raises this after someone asked to cancel it ends as canceled."""

    kind: Kind = "canceled"

    def __init__(self, reason: str) -> None:
        super().__init__(reason, type="canceled")


class TimedOut(Failure):
    """A timeout of the host passed: its `type` says which, `start-to-close` for instance."""

    kind: Kind = "timeout"


class Terminated(Failure):
    """Someone terminated it."""

    kind: Kind = "terminated"


class HostFailure(Failure):
    """The host refused or was in the way: its `type` says why, `not-found` for instance."""

    kind: Kind = "host"


class OtherFailure(Failure):
    """Of a kind that a later contract names; its `type` says which."""

    kind: Kind = "other"


_CLASSES: dict[Kind, type[Failure]] = {
    cls.kind: cls for cls in (Failure, TimedOut, Terminated, HostFailure, OtherFailure)
}


def _of_kind(kind: Kind, message: str, error_type: str) -> Failure:
    if kind == "canceled":
        failure: Failure = Canceled(message)
        failure.type = error_type
        return failure
    return _CLASSES[kind](message, type=error_type)


def _chain_of(error: BaseException) -> list[Cause]:
    if isinstance(error, Failure):
        return [Cause(error.kind, error.type, error.message, error.stack, error.own_details), *error.causes]
    own = Cause("application", type(error).__name__, str(error))
    return [own, *(_chain_of(error.__cause__) if error.__cause__ is not None else [])]


def from_record(record: FailureRecord) -> Failure:
    """What the host tells of a failure, as an exception."""
    top = record.top
    failure = _of_kind(top.kind, top.message, top.error_type)
    failure.non_retryable = record.non_retryable
    failure.stack = top.stack
    failure.own_details = top.details
    failure.own_causes = record.causes
    return failure


def to_record(failure: Failure) -> FailureRecord:
    """The failure as the host is told of it.

    Without a traceback: answers to updates are compared on replay, and line numbers change with the code.
    """
    top, *causes = _chain_of(failure)
    return FailureRecord(top, failure.non_retryable, tuple(causes))


@contextmanager
def context(doing: str) -> Generator[None]:
    """Say what is being done, for a failure that leaves the block.

    ```python
    with context(f"stop container {name}"):
        await activity("docker.stop", name, start_to_close=10)
    ```

    The failure then reads `stop container abc: ...`. A bug gets it as a note.
    """
    try:
        yield
    except Failure as failure:
        raise failure.context(doing) from failure
    except Exception as error:
        error.add_note(f"while: {doing}")
        raise
