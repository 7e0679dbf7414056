"""The run's log: lines that are kept with the run, and not written again by a replay.

```python
from refrain_sdk import log

log.info("copied", file=name, bytes=size)
```

`logging` of the standard library goes there too.
"""

from __future__ import annotations

import logging
from typing import Any

from . import run
from .wire import Level


def trace(message: str, /, **fields: Any) -> None:
    """Write a line that tells every step."""
    write("trace", message, fields)


def debug(message: str, /, **fields: Any) -> None:
    """Write a line for who looks for a mistake."""
    write("debug", message, fields)


def info(message: str, /, **fields: Any) -> None:
    """Write a line that tells what happens."""
    write("info", message, fields)


def warn(message: str, /, **fields: Any) -> None:
    """Write a line that someone should see."""
    write("warn", message, fields)


def error(message: str, /, **fields: Any) -> None:
    """Write a line that someone should act on."""
    write("error", message, fields)


def write(level: Level, message: str, fields: dict[str, Any] | None = None) -> None:
    """Write a line; fields are written as `str` does, true and false as JSON does."""
    shown = [(key, _show(value)) for key, value in (fields or {}).items()]
    run.current().host.log(level, message, shown)


def _show(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class LogHandler(logging.Handler):
    """Carries the records of `logging` into the run's log; installed by the SDK."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as a line."""
        level: Level = "trace"
        for least, name in _LEVELS:
            if record.levelno >= least:
                level = name
        write(level, self.format(record), {"logger": record.name})


_LEVELS: tuple[tuple[int, Level], ...] = (
    (logging.DEBUG, "debug"),
    (logging.INFO, "info"),
    (logging.WARNING, "warn"),
    (logging.ERROR, "error"),
)


def install() -> None:
    """Send what `logging` gets to the run's log, from level info on unless the workflow's module says otherwise."""
    root = logging.getLogger()
    if not any(isinstance(handler, LogHandler) for handler in root.handlers):
        root.addHandler(LogHandler())
    if root.level == logging.WARNING:  # as it is where nobody said anything
        root.setLevel(logging.INFO)
