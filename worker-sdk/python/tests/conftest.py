"""What all tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fake_host import FakeHost
from refrain_worker import retry


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is repeated is repeated at once."""
    monkeypatch.setattr(retry, "FIRST_INTERVAL", 0.0)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing comes from the machine on which the tests run, proxies included."""
    for name in ("REFRAIN_ADDRESS", "REFRAIN_NAMESPACE", "REFRAIN_TASK_QUEUE", "REFRAIN_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
async def host() -> AsyncIterator[FakeHost]:
    """A host that a worker can poll."""
    async with FakeHost().running() as host:
        yield host
