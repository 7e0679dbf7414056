"""A plain loop, without the SDK: what virtual WASI alone makes durable.

`time.sleep` is a timer of the run, `datetime.now` its clock, `print` its log. The host may be killed in the middle of a
minute: the loop goes on where it was, and prints nothing twice. What it does not do is listen: signals wait in its
mailbox, queries are not served, and a cancel request ends it after a grace, whatever it does.
"""

import json
import time
from datetime import UTC, datetime
from typing import Any

from wit_world.exports import definition
from wit_world.imports import types


class Definition:
    """The export `definition` of `wit/`, by hand."""

    def describe(self) -> Any:
        """One workflow."""
        clock = definition.WorkflowType(
            name="clock",
            doc="Tells the time so many times, after so many seconds each.",
            input_schema='{"type":"object","properties":{"times":{"type":"integer"},"seconds":{"type":"number"}}}',
            output_schema='{"type":"array","items":{"type":"string"}}',
            signals=[],
            queries=[],
            updates=[],
            on_trap=definition.OnTrap.PARK,
            more=[],
        )
        return definition.Manifest("", [clock])

    def run(self, workflow: str, input: Any) -> Any:  # noqa: A002 - the contract's word
        """The loop."""
        options = json.loads(input.data) or {}
        told = []
        while len(told) < options.get("times", 10):
            time.sleep(options.get("seconds", 60))
            now = datetime.now(UTC).isoformat()
            print(now)  # noqa: T201 - it is the run's log
            told.append(now)
        return types.Completion_Completed(types.Payload("application/json", json.dumps(told).encode()))
