"""What can be awaited, given to a combinator, or made a task of, and says whether it would have to wait at all."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Waits(Coroutine[Any, Any, T], Generic[T]):
    """Begins to wait when it is awaited. It is a coroutine, so that `asyncio.create_task` takes it."""

    def __init__(self) -> None:
        self._begun: Coroutine[Any, Any, T] | None = None

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether awaiting it now would not wait."""

    @abstractmethod
    async def wait(self) -> T:
        """What awaiting it does."""

    def __await__(self) -> Generator[Any, Any, T]:
        return self.wait().__await__()

    def send(self, value: Any) -> Any:
        """As coroutines have it."""
        if self._begun is None:
            self._begun = self.wait()
        return self._begun.send(value)

    def throw(self, *error: Any) -> Any:
        """As coroutines have it."""
        if self._begun is None:
            self._begun = self.wait()
        return self._begun.throw(*error)

    def close(self) -> None:
        """As coroutines have it."""
        if self._begun is not None:
            self._begun.close()
