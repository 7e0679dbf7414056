"""Updates: what others ask a run to do, let in or turned down, worked on, and answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import Context, ContextVar
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from . import run
from .failures import Failure, HostFailure, to_record
from .payloads import decode, encode
from .wire import Outcome, Payload, UpdateMessage

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class UpdateInfo:
    """Which update is handled; see :func:`current_update`."""

    id: str
    """The same in whatever way and however often its sender asks for it."""
    name: str


_CURRENT: ContextVar[UpdateInfo | None] = ContextVar("current update", default=None)


def current_update() -> UpdateInfo | None:
    """The update whose validator or handler this is called from, also in tasks that a handler makes; None elsewhere."""
    return _CURRENT.get()


class Update(Generic[T, R]):
    """A kind of update: its name, what it is sent with, and what is answered.

    ```python
    ADD = Update("add", str, int, doc="Adds to the cart; how much is in it then.")

    @workflow(updates=[ADD], signals=[PAY])
    async def cart() -> list[str]:
        items: list[str] = []

        @ADD.handle
        async def _(item: str) -> int:
            await activity("reserve", item, start_to_close=10)
            items.append(item)
            return len(items)

        @ADD.validate
        def _(item: str) -> None:
            if not item:
                raise Failure("say what to add", type="Nothing")

        await PAY.recv()
        await wait_condition(all_handlers_finished)
        return items
    ```

    Set both before the first `await`; the run may even have been started by one. Each update is handled by a task of
    its own. It begins when all that the same wait delivered was taken in and everything that could go on because of
    it has run; the updates of one wait in their order. One for which there is no handler then is rejected
    (`not-handled`), and so is one whose input does not fit. Who sent an update that was let in gets what the handler
    returns, or the `Failure` that it raises; any other exception is a bug of the run. A run that ends before that
    answers with a failure (`run-ended`): wait for `all_handlers_finished`.
    """

    @overload
    def __init__(self, name: str, input: type[T], result: type[R], *, doc: str = ...) -> None: ...
    @overload
    def __init__(self: Update[Any, Any], name: str, input: Any = ..., result: Any = ..., *, doc: str = ...) -> None: ...

    def __init__(self, name: str, input: Any = Any, result: Any = Any, *, doc: str = "") -> None:  # noqa: A002
        self.name = name
        self.input = input
        self.result = result
        self.doc = doc

    def handle(self, handler: Callable[[T], Awaitable[R]]) -> Callable[[T], Awaitable[R]]:
        """Handle this update from now on, in place of the handler before, if there was one; also as a decorator."""
        _entry(self).handler = handler
        return handler

    def validate(self, validator: Callable[[T], None]) -> Callable[[T], None]:
        """Let in those for which the validator does not raise `Failure`; also as a decorator.

        Who sent another gets that failure, and the run forgets about it. The validator sees the run as it is when the
        handler would begin. It only looks: it changes nothing, and starts nothing.
        """
        _entry(self).validator = validator
        return validator


class _Entry:
    def __init__(self, update: Update[Any, Any]) -> None:
        self.update = update
        self.handler: Callable[[Any], Awaitable[Any]] | None = None
        self.validator: Callable[[Any], None] | None = None


def _entry(update: Update[Any, Any]) -> _Entry:
    current = run.current()
    current.handlers.handle_update = _handle
    entry = current.updates.get(update.name)
    if entry is None or entry.update is not update:
        entry = current.updates[update.name] = _Entry(update)
    return entry


def _handle(message: UpdateMessage) -> None:
    """Accept or reject an update that a wait has delivered."""
    current = run.current()
    context = Context()
    context.run(_CURRENT.set, UpdateInfo(message.update_id, message.name))
    try:
        handling = context.run(_begin, message)
    except Failure as failure:
        current.host.reject(message.request, to_record(failure))
        return
    current.host.accept(message.request)

    async def handle() -> None:
        answer = await _answer(message.name, handling)
        current.host.complete(message.request, answer)

    current.handlers.begin(("update", message.name), handle(), context)()


def _begin(message: UpdateMessage) -> Callable[[], Awaitable[Any]]:
    """What lets its handler begin. Raises the failure with which it is turned down."""
    entries: dict[str, _Entry] = run.current().updates
    entry = entries.get(message.name)
    if entry is None or entry.handler is None:
        known = ", ".join(name for name, one in entries.items() if one.handler is not None)
        text = f"the workflow takes no update `{message.name}` now; it takes {known}"
        raise HostFailure(text, type="not-handled")
    value = _read(message.name, message.input, entry.update.input)
    if entry.validator is not None:
        entry.validator(value)
    handler = entry.handler
    return lambda: handler(value)


def _read(name: str, payload: Payload, hint: Any) -> Any:
    try:
        return decode(payload, hint)
    except Failure as failure:
        reason = Failure(f"input of update `{name}`", type="bad-input", non_retryable=True)
        raise reason.caused_by(failure) from None


async def _answer(name: str, handling: Callable[[], Awaitable[Any]]) -> Outcome:
    try:
        output = await handling()
        try:
            return encode(output)
        except Failure as failure:
            raise failure.context(f"answer to update `{name}`") from None
    except Failure as failure:
        return to_record(failure)
