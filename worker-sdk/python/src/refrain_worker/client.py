"""The host's HTTP API, as far as workers use it: one request for each call, and a word for each way it can end.

That the host does not answer, and that it does again, is logged here alone.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from . import duration
from .contact import Contact
from .payload import Payload, to_wire
from .report import Report
from .retry import PassingError
from .wire import HeartbeatAnswer, Problem, Task

CONNECT_TIMEOUT = 5.0
"""Seconds. Hosts are near; one that takes longer is not there."""
ANSWER_TIMEOUT = 30.0
"""Seconds that an answer may take, besides what a poll wants to wait."""
MAX_IDLE_CONNECTIONS = 16
"""Connections kept for later requests; more are opened when more are needed."""
SHOWN_ANSWER = 300
"""Characters shown of an answer that nobody understands."""

S = TypeVar("S", bound=msgspec.Struct)

_PASSING_STATUS = frozenset({408, 425, 429})


class StaleError(Exception):
    """The attempt is not the current one any more: nothing more is to be reported of it."""


class RefusedError(Exception):
    """The host says no, and will say so again."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """Talks to one host about one namespace."""

    def __init__(self, address: str, namespace: str, api_key: str | None) -> None:
        """Make one. Raises ValueError if the address cannot be used."""
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL as error:
            raise ValueError(f"the address `{address}` cannot be used: {error}") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError(f"the address `{address}` cannot be used: use one like http://127.0.0.1:7420")
        prefix = "/v1" if namespace == "default" else f"/v1/namespaces/{quote(namespace, safe='')}"
        self._base = str(url).rstrip("/") + prefix
        self._contact = Contact(address)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self._http = httpx.AsyncClient(
            headers=headers,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=MAX_IDLE_CONNECTIONS),
        )

    async def __aenter__(self) -> Client:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        frames: types.TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, error, frames)

    async def poll(
        self, queue: str, identity: str, poll_id: str, activities: Sequence[str], wait: float, margin: float
    ) -> Task | None:
        """Wait for a task, `wait` seconds by the host's clock and `margin` more here; None if none came."""
        path, body = _poll(queue, identity, poll_id, activities, wait)
        return _task(await self._post(path, body, wait + margin))

    async def last_poll(
        self, queue: str, identity: str, poll_id: str, activities: Sequence[str], margin: float
    ) -> Task | None:
        """Ask whether a poll was answered, without waiting.

        Nobody needs to know if the host is away: the worker stops.
        """
        path, body = _poll(queue, identity, poll_id, activities, wait=0)
        return _task(await self._send(path, body, margin))

    async def report(self, task_token: str, report: Report) -> None:
        """Tell how an attempt ended. When this returns, it is durable."""
        await self._post(f"/activities/{report.route}", {"task_token": task_token, **report.body})

    async def heartbeat(
        self, task_token: str, details: Payload | None, timeout: float = ANSWER_TIMEOUT
    ) -> HeartbeatAnswer:
        """Tell that an attempt is alive, and how far it has come."""
        body = {"task_token": task_token, **to_wire("details", details)}
        return _read(await self._post("/activities/heartbeat", body, timeout), HeartbeatAnswer)

    async def _post(self, path: str, body: dict[str, Any], timeout: float = ANSWER_TIMEOUT) -> httpx.Response:
        """Send it, and keep account of whether the host answers."""
        try:
            answer = await self._send(path, body, timeout)
        except PassingError as error:
            self._contact.missed(error)
            raise
        except (StaleError, RefusedError):
            self._contact.answered()
            raise
        self._contact.answered()
        return answer

    async def _send(self, path: str, body: dict[str, Any], timeout: float) -> httpx.Response:
        """Send it, and sort the answer: a good one is returned, the others are one of three errors."""
        try:
            answer = await self._http.post(
                self._base + path,
                content=msgspec.json.encode(body),
                timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
            )
        except httpx.RequestError as error:
            why = str(error) or type(error).__name__
            raise PassingError(f"no answer from {self._base}: {why}") from error
        if answer.is_success:
            return answer
        problem = _problem(answer)
        if problem is not None and problem.is_stale_task():
            raise StaleError(problem.detail)
        message = _shown(answer, problem)
        if answer.is_server_error or answer.status_code in _PASSING_STATUS:
            raise PassingError(message, _retry_after(answer))
        raise RefusedError(answer.status_code, message)


def _poll(
    queue: str, identity: str, poll_id: str, activities: Sequence[str], wait: float
) -> tuple[str, dict[str, Any]]:
    """The path and the body of a poll."""
    body = {"worker": identity, "poll_id": poll_id, "activities": activities, "wait": duration.show(wait)}
    return f"/task-queues/{quote(queue, safe='')}/poll", body


def _task(answer: httpx.Response) -> Task | None:
    """The answer to a poll."""
    return None if answer.status_code == httpx.codes.NO_CONTENT else _read(answer, Task)


def _read(answer: httpx.Response, kind: type[S]) -> S:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.DecodeError as error:
        message = f"{answer.url} gave an unexpected answer ({error}): check the address, and the host's version"
        raise RefusedError(answer.status_code, message) from error


def _problem(answer: httpx.Response) -> Problem | None:
    try:
        return msgspec.json.decode(answer.content, type=Problem)
    except msgspec.DecodeError:
        return None


def _shown(answer: httpx.Response, problem: Problem | None) -> str:
    if problem is None or not (problem.detail or problem.title):
        return f"{answer.url} answered {answer.status_code}: {answer.text[:SHOWN_ANSWER]}"
    hint = f" ({problem.hint})" if problem.hint else ""
    return f"{problem.detail or problem.title}{hint}"


def _retry_after(answer: httpx.Response) -> float:
    """The seconds that the host asks for; its other form, a date, is not used by hosts."""
    try:
        return max(0.0, float(answer.headers.get("retry-after", "0")))
    except ValueError:
        return 0.0
