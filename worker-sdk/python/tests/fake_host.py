"""A scripted host on the loopback interface: it speaks the part of the HTTP API that workers use.

It says nothing about what a real host does with what it is told; it holds what a worker says, and when.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from refrain_worker import Worker

PATIENCE = 10.0
"""Seconds that a test waits for what should come at once. Only failures reach it."""


@dataclass(frozen=True)
class Answer:
    """What the host answers to one request."""

    status: int = 200
    body: dict[str, Any] | None = None
    lost: bool = False
    """The request is handled, and the connection breaks before the answer."""
    headers: dict[str, str] = field(default_factory=dict)


OK = Answer(200, {})
LOST = Answer(lost=True)
BUSY = Answer(503, {"title": "The host is not available", "detail": "it is starting", "hint": "try again"})
STALE = Answer(409, {"code": "stale-task", "detail": "attempt 2 is current", "hint": "stop"})
TOO_LARGE = Answer(413, {"title": "It is too large", "detail": "the result has 3 MiB, the limit is 2 MiB"})


@dataclass(frozen=True)
class Request:
    """What a worker said."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def route(self) -> str:
        """Poll, complete, fail, cancel, pending or heartbeat."""
        return self.path.rsplit("/", 1)[-1]


class FakeHost:
    """See the module."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.address = ""
        self.on_poll: Callable[[dict[str, Any]], Answer | None] = lambda poll: None
        self._scripts: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._tasks: list[dict[str, Any]] = []
        self._given: dict[str, dict[str, Any]] = {}
        self._news = asyncio.Condition()
        self._connections: set[asyncio.Task[None]] = set()
        self._offered = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[FakeHost]:
        """Listen, on a port that the system picks."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            await server.wait_closed()

    def script(self, route: str, *answers: Answer) -> None:
        """The answers to the next requests of a route; after them it goes on as usual."""
        self._scripts[route].extend(answers)

    def task(self, activity: str, **fields: Any) -> dict[str, Any]:
        """A task as a poll gets it."""
        self._offered += 1
        return {
            "task_token": f"token-{self._offered}",
            "activity": activity,
            "input": None,
            "attempt": 1,
            "workflow_id": "order-7",
            "run_id": "run-1",
            "activity_id": str(self._offered),
            "workflow": "order",
            "task_queue": "ml",
            "namespace": "default",
            "idempotency_key": f"run-1/{self._offered}",
            "scheduled_at": "2026-01-01T00:00:00Z",
            "started_at": "2026-01-01T00:00:01.5Z",
            "priority": 3,
            "of_a_later_version": True,
        } | fields

    async def offer(self, activity: str, **fields: Any) -> str:
        """Put a task into the queue. Returns its token."""
        task = self.task(activity, **fields)
        async with self._news:
            self._tasks.append(task)
            self._news.notify_all()
        return str(task["task_token"])

    def told(self, *routes: str) -> list[Request]:
        """What workers have said on these routes."""
        return [request for request in self.requests if request.route in routes]

    async def hears(self, *routes: str, times: int = 1) -> list[Request]:
        """Wait until workers have said something on these routes so many times; everything they said on them."""
        async with self._news:
            heard = self._news.wait_for(lambda: len(self.told(*routes)) >= times)
            await asyncio.wait_for(heard, PATIENCE)
        return self.told(*routes)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while True:
                    answer = await self._handle(await _read(reader))
                    if answer.lost:
                        writer.transport.abort()
                        return
                    await _write(writer, answer)
        finally:
            self._connections.discard(connection)
            writer.close()

    async def _handle(self, request: Request) -> Answer:
        async with self._news:
            self.requests.append(request)
            self._news.notify_all()
        script = self._scripts[request.route]
        scripted = script.popleft() if script else None
        if request.route != "poll":
            return scripted or OK
        polled = self.on_poll(request.body) or await self._poll(request.body)
        return scripted or polled

    async def _poll(self, poll: dict[str, Any]) -> Answer:
        if (task := self._given.get(poll["poll_id"])) is not None:
            return Answer(200, task)

        def suitable() -> dict[str, Any] | None:
            return next((task for task in self._tasks if task["activity"] in poll["activities"]), None)

        async with self._news:
            with contextlib.suppress(asyncio.TimeoutError):
                if suitable() is None:
                    wait = int(poll["wait"].removesuffix("ms")) / 1000
                    await asyncio.wait_for(self._news.wait_for(suitable), wait)
            task = suitable()
            if task is None:
                return Answer(204)
            self._tasks.remove(task)
            self._given[poll["poll_id"]] = task
            return Answer(200, task)


@contextlib.asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
    """Run the worker; at the end it stops in good order."""
    running = asyncio.create_task(worker.run())
    try:
        yield running
    finally:
        if not running.done():
            worker.stop()
        await asyncio.wait_for(running, PATIENCE)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))))
    return Request(head[0].split(" ")[1], headers, body)


async def _write(writer: asyncio.StreamWriter, answer: Answer) -> None:
    body = b"" if answer.body is None else json.dumps(answer.body).encode()
    kind = "application/json" if answer.status < 400 else "application/problem+json"
    headers = {"Content-Type": kind, **answer.headers}
    if answer.status != 204:
        headers["Content-Length"] = str(len(body))
    lines = [f"HTTP/1.1 {answer.status} -", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    writer.write("\r\n".join(lines).encode() + body)
    await writer.drain()
