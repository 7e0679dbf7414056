"""Changing the code of workflows that still run."""

from __future__ import annotations

from . import run


def patched(id: str) -> bool:  # noqa: A002 - the word of the contract
    """Whether this run takes the new path of a change.

    True in a run that gets here for the first time, false in one that had passed here before the change. The same id
    gets the same answer for the whole run.

    ```python
    charge = "charge-with-tax" if patched("charge-with-tax") else "charge"
    await activity(charge, 100, start_to_close=10)
    ```
    """
    return run.current().host.patched(id)


def get_version(id: str, minimum: int, maximum: int) -> int:  # noqa: A002 - the word of the contract
    """As :func:`patched`, for a place that changes more than once.

    `maximum` in a run that gets here for the first time, the recorded number in its replays, `minimum` in a run that
    had passed before. A run that needs another version than these is parked.
    """
    return run.current().host.get_version(id, minimum, maximum)
