"""The run that this instance has: what belongs to it, in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .conditions import Conditions
from .handlers import Handlers
from .host import Host
from .inbox import Inbox
from .loop import Loop
from .wire import Outcome, Payload


class Run:
    """One run's state. One instance of a component has one run, and one thread."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.inbox = Inbox()
        # Sockets, processes and threads have no methods here: asyncio raises `NotImplementedError` for each.
        self.loop = Loop(host, self.inbox)  # type: ignore[abstract]
        self.conditions = Conditions()
        self.handlers = Handlers()
        self.queries: dict[str, Callable[[Payload], Outcome]] = {}
        """They outlive the workflow's own code: a run that has ended is asked too."""
        self.updates: dict[str, Any] = {}


_current: Run | None = None


def current() -> Run:
    """The run whose code calls. Raises RuntimeError outside of one."""
    if _current is None:
        raise RuntimeError("outside of a component, workflow code runs in a `refrain_sdk.testing.Env`")
    return _current


def enter(run: Run | None) -> None:
    """From now on this is the current run."""
    global _current
    _current = run
