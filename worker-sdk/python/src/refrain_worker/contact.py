"""Whether the host answers, as the log tells it.

All of a worker's requests share one account: four polls and eight attempts that miss one host are one piece of news.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

WARNING_INTERVAL = 30.0
"""Seconds between two warnings at least: a host may be away for a night, or come and go."""

_log = logging.getLogger("refrain_worker")


class Contact:
    """The line to one host. For the event loop's thread alone."""

    def __init__(self, address: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Make one; nothing has been asked yet."""
        self._address = address
        self._clock = clock
        self._missed = 0
        self._is_told = False
        self._next_warning = float("-inf")

    def missed(self, error: Exception) -> None:
        """Note that a request has no answer."""
        self._missed += 1
        now = self._clock()
        if now < self._next_warning:
            _log.debug("the host at %s does not answer: %s", self._address, error)
            return
        self._next_warning = now + WARNING_INTERVAL
        self._is_told = True
        tries = "1 try" if self._missed == 1 else f"{self._missed} tries"
        _log.warning("the host at %s does not answer (%s); asking until it does: %s", self._address, tries, error)

    def answered(self) -> None:
        """Note that a request has one."""
        if self._is_told:
            _log.info("the host at %s answers again", self._address)
        self._missed = 0
        self._is_told = False
