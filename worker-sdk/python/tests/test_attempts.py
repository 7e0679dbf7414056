"""What becomes of an attempt, as the host hears of it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from fake_host import BUSY, LOST, STALE, TOO_LARGE, Answer, FakeHost, working
from refrain_worker import ActivityError, CancelReason, Context, Payload, Worker, activity, attempt

CANCEL = Answer(200, {"cancel_requested": True, "paused": False, "reset": False})


@dataclass
class Sum:
    total: int


@activity("sum")
def total(numbers: list[int]) -> Sum:
    return Sum(sum(numbers))


@activity("reverse")
async def reverse(data: bytes) -> bytes:
    return data[::-1]


@activity("about")
async def about(ctx: Context) -> dict[str, Any]:
    return {
        "attempt": ctx.attempt,
        "key": ctx.idempotency_key,
        "token": ctx.task_token,
        "ids": [ctx.workflow, ctx.workflow_id, ctx.run_id, ctx.activity_id],
        "left": ctx.time_left(),
        "timeout": ctx.heartbeat_timeout,
        "last": ctx.last_heartbeat(),
    }


@activity("approve")
async def approve(ctx: Context) -> None:
    raise ctx.pending()


@activity("fail")
async def fail(kind: str) -> None:
    raise ActivityError("Declined", "the card was declined", non_retryable=True, details="x" * 100)


@activity("exit")
async def leave() -> None:
    raise SystemExit(3)


async def test_values_arrive_as_their_types_and_results_as_json(host: FakeHost) -> None:
    async with working(Worker(host.address, activities=[total])):
        token = await host.offer("sum", input=[1, 2, 3])
        (completion,) = await host.hears("complete")
    assert completion.body == {"task_token": token, "result": {"total": 6}}


async def test_bytes_travel_as_payloads_that_are_not_json(host: FakeHost) -> None:
    async with working(Worker(host.address, activities=[reverse])):
        payload = {"content_type": "application/octet-stream", "data_base64": "AAH/"}
        await host.offer("reverse", input_payload=payload)
        (completion,) = await host.hears("complete")
    assert completion.body["result_payload"] == payload | {"data_base64": "/wEA"}


async def test_an_attempt_knows_what_the_host_told_of_it(host: FakeHost) -> None:
    told: dict[str, Any] = {
        "attempt": 3,
        "deadline": "2026-01-01T00:01:01.5Z",
        "heartbeat_timeout": "1m 30s",
        "last_heartbeat": {"step": 7},
    }
    async with working(Worker(host.address, activities=[about])):
        await host.offer("about", **told)
        (completion,) = await host.hears("complete")
    result = completion.body["result"]
    left = float(result.pop("left").removeprefix("PT").removesuffix("S"))
    assert 50 < left <= 60, "by the host's clock, which is not this machine's"
    assert result == {
        "attempt": 3,
        "key": "run-1/1",
        "token": "token-1",
        "ids": ["order", "order-7", "run-1", "1"],
        "timeout": "PT90S",
        "last": {"step": 7},
    }


@pytest.mark.parametrize("answer", [LOST, BUSY, Answer(500), Answer(429, {})])
async def test_a_result_is_reported_until_it_is_acknowledged(host: FakeHost, answer: Answer) -> None:
    host.script("complete", answer, answer)
    async with working(Worker(host.address, activities=[total])):
        await host.offer("sum", input=[1])
        reports = await host.hears("complete", times=3)
    assert [report.body for report in reports] == [{"task_token": "token-1", "result": {"total": 1}}] * 3


async def test_a_report_of_a_stale_attempt_is_not_repeated(host: FakeHost) -> None:
    host.script("complete", STALE)
    async with working(Worker(host.address, activities=[total], slots=1)):
        await host.offer("sum", input=[1])
        await host.hears("complete")
        await host.offer("sum", input=[2])
        reports = await host.hears("complete", times=2)
    assert [report.body["task_token"] for report in reports] == ["token-1", "token-2"]
    assert not host.told("fail")


@pytest.mark.parametrize("answer", [TOO_LARGE, Answer(400, {"detail": "the result has 3 MiB, the limit is 2 MiB"})])
async def test_a_result_that_the_host_cannot_take_becomes_a_failure_that_says_so(
    host: FakeHost, answer: Answer
) -> None:
    host.script("complete", answer)
    async with working(Worker(host.address, activities=[total])):
        await host.offer("sum", input=[1])
        (failure,) = await host.hears("fail")
    told = failure.body["failure"]
    assert (told["type"], told["non_retryable"]) == ("InvalidOutput", True)
    assert told["message"].startswith("the result of activity `sum` was refused: the result has 3 MiB")


async def test_a_failure_that_the_host_cannot_take_is_told_without_its_details(host: FakeHost) -> None:
    host.script("fail", TOO_LARGE)
    async with working(Worker(host.address, activities=[fail])):
        await host.offer("fail", input="x")
        whole, bare = await host.hears("fail", times=2)
    assert "details" in whole.body["failure"]
    told = bare.body["failure"]
    assert (told["type"], told["message"], told["non_retryable"]) == ("Declined", "the card was declined", True)
    assert "details" not in told
    assert "3 MiB" in told["causes"][0]["message"]


async def test_a_result_without_a_json_form_is_never_retried(host: FakeHost) -> None:
    @activity("odd")
    async def odd() -> object:
        return object()

    async with working(Worker(host.address, activities=[odd])):
        await host.offer("odd")
        (failure,) = await host.hears("fail")
    assert failure.body["failure"]["type"] == "InvalidOutput"
    assert failure.body["failure"]["non_retryable"]
    assert failure.body["failure"]["message"].startswith("the result: it has no JSON form")


async def test_an_input_that_does_not_fit_fails_with_the_fields_name(host: FakeHost) -> None:
    async with working(Worker(host.address, activities=[total])):
        await host.offer("sum", input=[1, "two"])
        (failure,) = await host.hears("fail")
    told = failure.body["failure"]
    assert (told["type"], told["non_retryable"]) == ("InvalidInput", True)
    assert told["message"] == "the input of activity `sum`: field `[1]`: expected `int`, got `str`"


async def test_a_pending_attempt_is_left_to_others(host: FakeHost) -> None:
    async with working(Worker(host.address, activities=[approve])):
        token = await host.offer("approve")
        (pending,) = await host.hears("pending")
    assert pending.body == {"task_token": token}
    assert not host.told("complete", "fail", "cancel")


async def test_an_activity_that_leaves_the_process_only_fails(host: FakeHost) -> None:
    async with working(Worker(host.address, activities=[leave, total])):
        await host.offer("exit")
        (failure,) = await host.hears("fail")
        await host.offer("sum", input=[1])
        await host.hears("complete")
    assert failure.body["failure"]["type"] == "SystemExit"


async def test_the_details_held_back_reach_the_host_before_the_failure(host: FakeHost) -> None:
    @activity("steps")
    async def steps(ctx: Context) -> None:
        for step in range(1, 5):
            ctx.heartbeat({"step": step})
            if step == 1:
                await host.hears("heartbeat")
        raise ValueError("step 5")

    async with working(Worker(host.address, activities=[steps])):
        await host.offer("steps", heartbeat_timeout="1h")
        await host.hears("fail")
    told = [(request.route, request.body.get("details")) for request in host.told("heartbeat", "fail")]
    assert told == [("heartbeat", {"step": 1}), ("heartbeat", {"step": 4}), ("fail", None)]


async def test_a_cancellation_reaches_an_async_activity_once_and_it_may_clean_up(host: FakeHost) -> None:
    reasons: list[CancelReason | None] = []

    @activity("wait")
    async def wait(ctx: Context) -> None:
        ctx.heartbeat()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            reasons.append(ctx.cancel_reason)

    host.script("heartbeat", CANCEL)
    async with working(Worker(host.address, activities=[wait])):
        token = await host.offer("wait")
        (canceled,) = await host.hears("cancel")
    assert reasons == [CancelReason.REQUESTED]
    assert canceled.body == {"task_token": token}


async def test_an_activity_that_ends_in_spite_of_its_cancellation_has_completed(host: FakeHost) -> None:
    @activity("wait")
    async def wait(ctx: Context) -> str:
        ctx.heartbeat()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "half"

    host.script("heartbeat", CANCEL)
    async with working(Worker(host.address, activities=[wait])):
        await host.offer("wait")
        (completion,) = await host.hears("complete")
    assert completion.body["result"] == "half"


async def test_a_cancellation_reaches_a_sync_activity(host: FakeHost) -> None:
    @activity("wait")
    def wait(ctx: Context) -> None:
        ctx.heartbeat()
        while not ctx.is_cancelled:
            ctx.cancelled.wait_blocking()
        ctx.check_cancelled()

    host.script("heartbeat", CANCEL)
    async with working(Worker(host.address, activities=[wait])):
        token = await host.offer("wait")
        (canceled,) = await host.hears("cancel")
    assert canceled.body == {"task_token": token}


async def test_a_task_cancelled_by_the_activity_itself_is_a_failure(host: FakeHost) -> None:
    @activity("odd")
    async def odd() -> None:
        raise asyncio.CancelledError

    async with working(Worker(host.address, activities=[odd])):
        await host.offer("odd")
        (failure,) = await host.hears("fail")
    assert failure.body["failure"]["type"] == "CancelledError"


async def test_pause_and_reset_are_told_and_stop_nothing(host: FakeHost) -> None:
    @activity("wait")
    async def wait(ctx: Context) -> list[bool]:
        ctx.heartbeat()
        while not (ctx.is_paused and ctx.is_reset):  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        return [ctx.is_cancelled]

    host.script("heartbeat", Answer(200, {"cancel_requested": False, "paused": True, "reset": True}))
    async with working(Worker(host.address, activities=[wait])):
        await host.offer("wait")
        (completion,) = await host.hears("complete")
    assert completion.body["result"] == [False]


@pytest.mark.parametrize("told", ["paused", "reset"])
@pytest.mark.parametrize("is_async", [True, False])
async def test_an_attempt_that_stops_when_it_is_paused_or_reset_has_not_failed(
    host: FakeHost, is_async: bool, told: str
) -> None:
    heard = threading.Event()

    @activity("wait")
    async def wait(ctx: Context) -> None:
        ctx.heartbeat({"step": 1})
        while not (ctx.is_paused or ctx.is_reset):  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        raise ctx.stopped()

    @activity("wait")
    def wait_blocking(ctx: Context) -> None:
        ctx.heartbeat({"step": 1})
        while not (ctx.is_paused or ctx.is_reset):
            heard.wait(0.001)
        raise ctx.stopped()

    flags = {"cancel_requested": False, "paused": False, "reset": False} | {told: True}
    host.script("heartbeat", Answer(200, flags))
    async with working(Worker(host.address, activities=[wait if is_async else wait_blocking])):
        token = await host.offer("wait")
        (canceled,) = await host.hears("cancel", "fail")
    assert canceled.route == "cancel"
    assert canceled.body == {"task_token": token}


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_stale_attempt_is_stopped_and_nothing_is_reported(host: FakeHost, is_async: bool) -> None:
    reasons: list[CancelReason | None] = []

    @activity("wait")
    async def wait(ctx: Context) -> None:
        ctx.heartbeat()
        try:
            await asyncio.Event().wait()
        finally:
            reasons.append(ctx.cancel_reason)

    @activity("wait")
    def wait_blocking(ctx: Context) -> str:
        ctx.heartbeat()
        ctx.cancelled.wait_blocking()
        reasons.append(ctx.cancel_reason)
        return "too late"

    host.script("heartbeat", STALE)
    async with working(Worker(host.address, activities=[wait if is_async else wait_blocking, total], slots=1)):
        await host.offer("wait")
        # It needs the only slot.
        await host.offer("sum", input=[1])
        await host.hears("complete")
    assert reasons == [CancelReason.STALE]
    assert [request.body["task_token"] for request in host.told("complete", "fail", "cancel")] == ["token-2"]


async def test_an_attempt_is_stopped_when_its_time_is_over(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "DEADLINE_GRACE", 0.0)

    @activity("wait")
    async def wait(ctx: Context) -> None:
        assert ctx.time_left() is not None
        await asyncio.Event().wait()

    async with working(Worker(host.address, activities=[wait])):
        await host.offer("wait", started_at="2026-01-01T00:00:00Z", deadline="2026-01-01T00:00:00.001Z")
        (failure,) = await host.hears("fail")
    assert failure.body["failure"]["type"] == "TimedOut"
    assert failure.body["benign"]


async def test_sync_activities_run_beside_each_other(host: FakeHost) -> None:
    both = threading.Barrier(2)

    @activity("meet")
    def meet() -> None:
        both.wait(10)

    async with working(Worker(host.address, activities=[meet], slots=2)):
        await host.offer("meet")
        await host.offer("meet")
        await host.hears("complete", times=2)
    assert not host.told("fail")


async def test_a_custom_content_type_is_kept(host: FakeHost) -> None:
    @activity("picture")
    async def picture(given: Payload) -> Payload:
        return given

    async with working(Worker(host.address, activities=[picture])):
        await host.offer("picture", input_payload={"content_type": "image/png", "data_base64": "iVA="})
        (completion,) = await host.hears("complete")
    assert completion.body["result_payload"] == {"content_type": "image/png", "data_base64": "iVA="}
