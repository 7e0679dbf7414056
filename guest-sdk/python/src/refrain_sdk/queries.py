"""Queries: what others ask a run, answered from what the workflow knows, by an instance that is thrown away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

from . import bugs, run
from .failures import Failure, HostFailure, to_record
from .payloads import decode, encode
from .wire import Outcome, Payload, QueryMessage

T = TypeVar("T")


class Query(Generic[T]):
    """A kind of query: its name, what is answered, and what it is asked with.

    ```python
    LEFT = Query("left", int, doc="How many days are left.")

    @workflow(queries=[LEFT])
    async def countdown(days_left: int) -> None:
        @LEFT.handle
        def _() -> int:
            return days_left

        while days_left > 0:
            await sleep(days(1))
            days_left -= 1
    ```

    Set the handler before the first `await`, so that it is there whenever someone asks. Each query is asked in an
    instance of its own, which is brought to where the run stands, asked, and thrown away: what a handler changes is
    gone, and one that starts, cancels or waits for anything fails its query (`query-tried-to-change`). An exception
    fails the query and nothing else. A run that has ended is asked too, by the handlers that it had.
    """

    @overload
    def __init__(self, name: str, result: type[T], *, input: Any = ..., doc: str = ...) -> None: ...
    @overload
    def __init__(self: Query[Any], name: str, result: Any = ..., *, input: Any = ..., doc: str = ...) -> None: ...

    def __init__(self, name: str, result: Any = Any, *, input: Any = None, doc: str = "") -> None:  # noqa: A002
        self.name = name
        self.result = result
        self.input = input
        self.doc = doc

    def handle(self, handler: Callable[..., T]) -> Callable[..., T]:
        """Answer this query from now on, in place of the handler before, if there was one; also as a decorator.

        The handler takes the query's input, if the query has one. Who asks gets the `Failure` that it raises.
        """
        takes_input = self.input is not None

        def answer(payload: Payload) -> Outcome:
            try:
                value = decode(payload, self.input)
            except Failure as failure:
                raise failure.context(f"input of query `{self.name}`") from None
            answer = handler(value) if takes_input else handler()
            try:
                return encode(answer)
            except Failure as failure:
                raise failure.context(f"answer to query `{self.name}`") from None

        queries = run.current().queries
        queries.pop(self.name, None)
        queries[self.name] = answer
        return handler


def answer_to(current: run.Run, query: QueryMessage) -> Outcome:
    """What is answered to a query that a wait has delivered."""
    handler = current.queries.get(query.name)
    try:
        if handler is None:
            known = ", ".join(current.queries) or "none"
            message = f"the workflow answers no query `{query.name}`; it answers {known}"
            raise HostFailure(message, type="not-found")
        return handler(query.input)
    except Failure as failure:
        return to_record(failure)
    except Exception as error:  # noqa: BLE001 - it ends the query, and no more
        message = f"the workflow's code raised an exception: {bugs.report(error)}"
        return to_record(HostFailure(message, type="query-failed"))
