"""How an attempt ended, as the host is told: one request for each way."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from . import duration
from .convert import encode
from .errors import INVALID_OUTPUT, ActivityError
from .payload import Payload, to_wire

MAX_CAUSES = 16
"""Causes told of a failure. Longer chains are loops more often than news."""
MAX_MESSAGE = 16 * 1024
"""Characters of a message. A failure lives in the journal, which is no place for a whole log file."""
MAX_STACK = 16 * 1024
"""Characters of a stack trace, the last ones: they are nearest to the error."""
MAX_BARE_MESSAGE = 1024
"""Characters of the message of a failure that the host refused in full."""

_HERE = str(Path(__file__).parent)


@dataclass(frozen=True)
class Report:
    """A request that ends an attempt: the last part of its path, and its body but for the task token."""

    route: str
    body: dict[str, Any]

    @property
    def is_result(self) -> bool:
        """Whether the attempt completed."""
        return self.route == "complete"


def completed(result: Payload) -> Report:
    """The activity is done."""
    return Report("complete", to_wire("result", result))


def canceled() -> Report:
    """The attempt stopped because the workflow wanted it to."""
    return Report("cancel", {})


def pending() -> Report:
    """Somebody else will end the attempt."""
    return Report("pending", {})


def failed(error: BaseException) -> Report:
    """The attempt failed with this exception."""
    causes = [{"type": type_of(cause), "message": _message(cause)} for cause in _causes(error)]
    failure: dict[str, Any] = {"type": type_of(error), "message": _message(error), "stack": _stack(error)}
    body: dict[str, Any] = {"failure": failure}
    if isinstance(error, ActivityError):
        failure["non_retryable"] = error.non_retryable
        if error.details is not None:
            try:
                failure |= to_wire("details", encode(error.details))
            except ValueError as unsendable:
                # It must not hide the error that it belongs to.
                causes.append({"type": INVALID_OUTPUT, "message": f"the details of this error: {unsendable}"})
        if error.next_retry_delay is not None:
            body["next_retry_delay"] = duration.show(max(0.0, error.next_retry_delay.total_seconds()))
        body["benign"] = error.benign
    failure["causes"] = causes[:MAX_CAUSES]
    return Report("fail", body)


def barely(report: Report, refusal: str) -> Report:
    """A failure that the host refused, without what may have been too much for it."""
    failure = report.body["failure"]
    bare = {
        "type": failure["type"],
        "message": failure["message"][:MAX_BARE_MESSAGE],
        "non_retryable": failure.get("non_retryable", False),
        "causes": [{"type": INVALID_OUTPUT, "message": f"the whole failure could not be sent: {refusal}"}],
    }
    return Report("fail", {**report.body, "failure": bare})


def type_of(error: BaseException) -> str:
    """The name by which retry policies know the exception."""
    return _sendable(str(error.type)) if isinstance(error, ActivityError) else type(error).__name__


def _message(error: BaseException) -> str:
    try:
        text = str(error) or repr(error)
    except Exception as broken:  # noqa: BLE001 - an exception's own code must not hide that it was raised
        text = f"a {type(error).__name__} whose message cannot be had: {type(broken).__name__}"
    return _sendable(text[:MAX_MESSAGE])


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What led to the exception, outermost first; of a group, its members."""
    for _ in range(MAX_CAUSES):
        if error.__cause__ is None:
            yield from getattr(error, "exceptions", ())
            return
        error = error.__cause__
        yield error


def _stack(error: BaseException) -> str:
    try:
        lines = traceback.format_exception(type(error), error, _of_the_activity(error.__traceback__))
    except Exception as broken:  # noqa: BLE001 - as in `_message`
        return f"the stack cannot be had: {type(broken).__name__}"
    return _sendable("".join(lines)[-MAX_STACK:])


def _sendable(text: str) -> str:
    """The text with what has no form in JSON, half a surrogate pair, written out."""
    return text.encode(errors="backslashreplace").decode()


def _of_the_activity(frames: TracebackType | None) -> TracebackType | None:
    """The frames from the activity's own on: those of the worker above it say nothing about the error."""
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_HERE):
        frames = frames.tb_next
    return frames
