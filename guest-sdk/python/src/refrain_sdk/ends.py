"""How a run ends other than by what its function returns."""

from __future__ import annotations

from typing import Any

from .durations import Duration, optional
from .failures import Canceled, Failure, to_record
from .payloads import encode
from .run import Run
from .wire import Completion, EndedCanceled, Failed, NextRun


class ContinueAsNew(BaseException):
    """Raise it to end this run and go on as a new one with a short journal: same id, new input.

    ```python
    if info().continue_as_new_suggested:
        await wait_condition(all_handlers_finished)
        raise ContinueAsNew(Cart(items))
    ```

    Signals and updates that this run has not read go to the next one, in the order in which they came. What handlers
    have begun ends with this run. No `Exception`, so that an `except Exception` of the workflow's own lets it pass.

    `workflow`: go on as another workflow of the component.
    `newest_version`: take the component's newest version, not this run's.
    `run_timeout`: at most this long for the next run; without it as long as for this one.
    """

    def __init__(
        self,
        input: Any = None,  # noqa: A002 - the word of the API
        *,
        workflow: str | None = None,
        newest_version: bool = False,
        run_timeout: Duration | None = None,
    ) -> None:
        super().__init__("the run continues as new")
        self.input = input
        self.workflow = workflow
        self.newest_version = newest_version
        self.run_timeout = run_timeout


def completion_of(run: Run, error: Failure | ContinueAsNew) -> Completion:
    """The end of a run whose code raised that."""
    if isinstance(error, ContinueAsNew):
        try:
            payload = encode(error.input)
        except Failure as failure:
            return failed(run, failure.context("input of the next run"))
        return NextRun(payload, error.workflow, error.newest_version, optional(error.run_timeout))
    return failed(run, error)


def failed(run: Run, failure: Failure) -> Completion:
    """A run that fails as canceled because someone asked for it has been canceled, not failed."""
    if isinstance(failure, Canceled) and run.inbox.cancel_reason is not None:
        return EndedCanceled(failure.own_details)
    return Failed(to_record(failure))
