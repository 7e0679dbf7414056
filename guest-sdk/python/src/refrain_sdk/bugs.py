"""What is no failure but a bug: the run's log gets its whole traceback, and the instance traps."""

from __future__ import annotations

import linecache
import os
import sys
import traceback
from types import TracebackType

from .host import Host

_OWN = os.path.dirname(__file__)


class Bug(BaseException):
    """Carries an exception that nobody could catch to where the run ends."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


def log(host: Host, error: BaseException) -> None:
    """Tell the run's log, all in one line and as the last call: the step is not recorded, and the host shows this."""
    host.log("error", report(error), [])


def report(error: BaseException) -> str:
    """The traceback, as one text."""
    _do_not_look_for_sources(error)
    error.__traceback__ = _from_the_users_code(error.__traceback__)
    return "".join(traceback.format_exception(error)).rstrip("\n")


def _from_the_users_code(frames: TracebackType | None) -> TracebackType | None:
    """Without the SDK's own frames at the outer end, unless there are no others."""
    inner = frames
    while inner is not None and os.path.dirname(inner.tb_frame.f_code.co_filename) == _OWN:
        inner = inner.tb_next
    return inner or frames


def remember_source(file: str) -> None:
    """Keep the lines of a source for tracebacks, while its file can still be read: in a component none can."""
    lines = linecache.getlines(file)
    if lines:
        # Without a time the cache takes it for what has no file, and does not check.
        linecache.cache[file] = (sum(map(len, lines)), None, lines, file)


def _do_not_look_for_sources(error: BaseException | None) -> None:
    seen: list[BaseException] = []
    left = [error]
    while left:
        error = left.pop()
        if error is None or any(error is known for known in seen):
            continue
        seen.append(error)
        _enter_frames(error.__traceback__)
        left += [error.__cause__, error.__context__]
        if isinstance(error, BaseExceptionGroup):
            left += error.exceptions


def _enter_frames(frames: TracebackType | None) -> None:
    while frames is not None:
        file = frames.tb_frame.f_code.co_filename
        if sys.platform == "wasi" and file not in linecache.cache:
            linecache.cache[file] = (0, None, [], file)
        frames = frames.tb_next
