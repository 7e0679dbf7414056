"""Children, others, cancel requests, scopes, sagas, ends, versions, and bugs."""

import asyncio
import logging
import random
from typing import Any

import pytest

from refrain_sdk import (
    Canceled,
    CancelScope,
    ContinueAsNew,
    Failure,
    HostFailure,
    Signal,
    TimedOut,
    activity,
    canceled,
    child,
    child_watched,
    context,
    days,
    external,
    hours,
    info,
    is_cancel_requested,
    local_activity,
    log,
    or_canceled,
    patched,
    random_bytes,
    saga,
    shield,
    sleep,
    uuid,
    wait_condition,
    workflow,
)
from refrain_sdk.retries import Retry, to_wire
from refrain_sdk.testing import Env


@workflow
async def square(n: int) -> int:
    return n * n


def test_children_are_typed_named_and_detached_from_their_start() -> None:
    @workflow
    async def parent() -> list[Any]:
        first = child(square, 3, id="square-3", parent_close="abandon", memo={"why": "test"})
        started, second = child_watched("other", [1], result=str)
        execution = await started
        await execution.signal("hurry", 1)
        return [await first, await second, execution.workflow_id]

    env = Env().child("square", lambda n: n * n, takes=5).child("other", lambda _: "done", takes=5)
    ended = env.run(parent)
    assert ended.result() == [9, "done", "child-4"]
    assert ended.calls == [
        '1, 2 = child square 3 id="square-3" parent-close=abandon memo:why="test"',
        "detach 1",
        "3, 4 = child other [1]",
        "wait",
        '5 = signal child-4 run="child-4-run" hurry 1',
        "wait",
        "wait",
    ]


def test_a_child_s_failure_says_which_child_it_was() -> None:
    def fails(_: Any) -> None:
        raise Failure("no vacancy", details={"rooms": 0})

    @workflow
    async def parent() -> None:
        await child("hotel", id="h-1")

    with pytest.raises(Failure) as caught:
        Env().child("hotel", fails).run(parent).result()
    assert str(caught.value) == 'child workflow "hotel" (id "h-1") failed: no vacancy'
    assert caught.value.details == {"rooms": 0}
    with pytest.raises(HostFailure) as refused:
        Env().refused_child("hotel", "already-exists").run(parent).result()
    assert refused.value.type == "already-exists"


def test_what_is_sent_to_others_is_sent_at_the_call() -> None:
    @workflow
    async def sends() -> str:
        shelf = external("shelf-3")
        sent = shelf.signal("restock", "apples")
        asked = external("shelf-4", "run-1").cancel("closed")
        await sent
        try:
            await asked
        except HostFailure as failure:
            return str(failure)
        return ""

    ended = Env().without_execution("shelf-4").run(sends)
    assert ended.calls[:2] == ['1 = signal shelf-3 restock "apples"', '2 = request-cancel shelf-4 run="run-1"']
    told = "cancel request to run `run-1` of workflow `shelf-4`: there is no workflow `shelf-4`"
    assert ended.result() == told


def test_options_reach_the_host() -> None:
    @workflow
    async def routes() -> None:
        turn: dict[str, Any] = {"task_queue": "gpu", "priority": 1, "fairness": "tenant-7", "fairness_weight": 2}
        await activity("train", "m", start_to_close=hours(8), **turn)
        await local_activity("look", start_to_close=1)

    ended = Env().activity("train", lambda _: None).activity("look", lambda _: None).run(routes)
    expected = 'activity train "m" task-queue="gpu" priority=1 fairness-key="tenant-7" fairness-weight=2.0'
    assert ended.calls[0] == f"1 = {expected}"
    assert ended.calls[2] == "2 = local activity look null"
    with pytest.raises(ValueError, match="needs `start_to_close` or `schedule_to_close`"):
        activity("train")
    wire = to_wire(Retry(initial_interval=0.01, maximum_attempts=5, jitter=0.25, non_retryable=["A"]))
    assert wire is not None
    assert (wire.initial_interval, wire.maximum_attempts, wire.more[0][1].data) == (10_000_000, 5, b"0.25")


def test_timeouts_and_failures_have_classes() -> None:
    @workflow
    async def fails() -> str:
        try:
            with context("work"):
                await activity("slow", start_to_close=1)
        except TimedOut as failure:
            return f"{failure.type}: {failure}"
        return ""

    ended = Env().activity("slow", lambda _: None, takes=2).run(fails)
    assert ended.result() == "start-to-close: work: activity `slow` took longer than 1s"


def test_a_run_that_is_asked_to_end_cleans_up() -> None:
    @workflow
    async def cleans_up() -> str:
        try:
            await or_canceled(sleep(days(1)))
        except Canceled:
            await activity("echo", "clean up", start_to_close=10)
            raise
        return "slept"

    ended = Env().activity("echo", lambda value: value).cancel(10, "enough").run(cleans_up)
    assert ended.is_canceled
    assert ended.calls == ["1 = timer 86400s", "wait", "cancel 1", "detach 1", '2 = activity echo "clean up"', "wait"]


def test_work_can_be_canceled_by_hand_and_with_the_run() -> None:
    @workflow
    async def cancels() -> list[str]:
        first = activity("work", start_to_close=hours(1), cancel_with_run=True)
        second = activity("work", start_to_close=hours(1))
        reason = await canceled()
        second.request_cancel("by hand")
        told = [reason]
        for one in (first, second):
            try:
                await one
            except Canceled as failure:
                told.append(str(failure))
        return told

    ended = Env().activity("work", lambda _: None, takes=100).cancel(1, "enough").run(cancels)
    assert ended.result() == ["enough", "enough", "by hand"]
    assert ended.calls[2:5] == ["wait", "cancel 1", "cancel 2"]


def test_a_scope_cancels_what_was_started_in_it_and_cuts_off_what_sees_nothing() -> None:
    @workflow
    async def scoped() -> list[str]:
        seen: list[str] = []
        scope = CancelScope()

        async def block() -> None:
            async with scope:
                work = activity("work", start_to_close=hours(1))
                try:
                    await work
                except Canceled as failure:
                    seen.append(f"work: {failure}")
                    try:
                        await activity("work", start_to_close=hours(1))
                    except Canceled:
                        seen.append("nothing starts any more")
                    with shield():
                        seen.append(await activity("echo", "cleaned up", start_to_close=10))
                await sleep(days(1))

        task = asyncio.create_task(block())
        await sleep(5)
        scope.cancel("stop")
        try:
            await task
        except Canceled as failure:
            seen.append(f"scope: {failure}")
        return seen

    ended = Env().activity("work", lambda _: None, takes=100).activity("echo", lambda value: value).run(scoped)
    assert ended.result() == ["work: stop", "nothing starts any more", "cleaned up", "scope: stop"]
    assert ended.calls[-2:] == ["cancel 4", "detach 4"]


def test_a_scope_is_canceled_with_the_run_and_with_the_one_around_it() -> None:
    @workflow
    async def scoped() -> None:
        async with CancelScope(with_run=True), CancelScope():
            await asyncio.gather(*(activity("work", n, start_to_close=hours(1)) for n in (1, 2)))

    ended = Env().activity("work", lambda _: None, takes=100).cancel(1, "enough").run(scoped)
    assert ended.is_canceled
    assert ended.calls[:5] == ["1 = activity work 1", "2 = activity work 2", "wait", "cancel 1", "cancel 2"]


@workflow
async def trip(fails: str) -> None:
    async with saga("trip") as booked:
        for what in ("hotel", "flight", "car"):
            booked.undo(f"cancel {what}", activity, "echo", f"cancel {what}", start_to_close=10)
            with context(f"book the {what}"):
                await activity("book", what, start_to_close=10)
        if fails == "never":
            await sleep(days(1))


def _book(what: str) -> str:
    if what == "car":
        raise Failure("none left", type="SoldOut")
    return what


def test_a_saga_undoes_in_reverse_order_and_says_so() -> None:
    def echo(value: str) -> str:
        if value == "cancel flight":
            raise Failure("no answer")
        return value

    ended = Env().activity("echo", echo).activity("book", _book).run(trip, "car")
    with pytest.raises(Failure) as caught:
        ended.result()
    assert str(caught.value) == "trip (1 of 3 compensations failed: cancel flight): book the car: none left"
    assert caught.value.type == "SoldOut"
    assert caught.value.details == {
        "compensations": [
            {"undo": "cancel car", "failure": None},
            {"undo": "cancel flight", "failure": "no answer"},
            {"undo": "cancel hotel", "failure": None},
        ]
    }
    assert ended.log == [
        "INFO undo: cancel car because=book the car: none left",
        "INFO undo: cancel flight because=book the car: none left",
        "ERROR could not cancel flight: no answer",
        "INFO undo: cancel hotel because=book the car: none left",
    ]


def test_a_saga_undoes_when_the_scope_around_it_is_canceled() -> None:
    @workflow
    async def scoped() -> None:
        async with CancelScope(with_run=True):
            await trip("never")

    ended = (
        Env().activity("echo", lambda value: value).activity("book", lambda what: what).cancel(5, "enough").run(scoped)
    )
    assert ended.is_canceled
    assert [call.partition(" = ")[2] for call in ended.calls if "cancel " in call and "=" in call] == [
        'activity echo "cancel car"',
        'activity echo "cancel flight"',
        'activity echo "cancel hotel"',
    ]


def test_runs_go_on_as_new_ones_and_refuse_what_does_not_fit() -> None:
    @workflow
    async def rounds(n: int = 1) -> int:
        if info().continue_as_new_suggested:
            raise ContinueAsNew(n + 1, newest_version=True, run_timeout=5)
        return n

    ended = Env().suggest_continue_as_new(0).run(rounds, 1)
    assert ended.next_run is not None
    assert (ended.next_run.input.data, ended.next_run.newest_version, ended.next_run.run_timeout) == (
        b"2",
        True,
        5 * 10**9,
    )
    assert Env().run(rounds).result() == 1
    with pytest.raises(Failure) as caught:
        Env().run(rounds, "x").result()
    assert (caught.value.type, caught.value.non_retryable) == ("bad-input", True)
    assert str(caught.value) == 'input of workflow `rounds`: expected int or NoneType, got "x"'


@pytest.mark.parametrize(("unpatched", "expected"), [([], "new"), (["change"], "old")])
def test_changes_are_asked_for_by_name(unpatched: list[str], expected: str) -> None:
    @workflow
    async def changed() -> str:
        return "new" if patched("change") else "old"

    env = Env()
    for change in unpatched:
        env.unpatched(change)
    assert env.run(changed).result() == expected


def test_randomness_is_the_run_s_own() -> None:
    @workflow
    async def draws() -> list[Any]:
        return [random.random(), random_bytes(4).hex(), uuid()]  # noqa: S311 - that is the point

    assert Env().run(draws).result() == Env().run(draws).result()


def test_logging_goes_to_the_run_s_log() -> None:
    @workflow
    async def logs() -> None:
        logging.getLogger("shop").warning("only %d left", 3)
        log.info("sold", teapots=2, last=False)

    assert Env().run(logs).log == ["WARN only 3 left logger=shop", "INFO sold teapots=2 last=false"]


async def _in_the_workflow() -> None:
    raise ValueError("this is a bug")


async def _in_a_condition() -> None:
    await wait_condition(lambda: bool(1 / 0))


async def _in_a_callback() -> None:
    asyncio.get_running_loop().call_later(1, lambda: [][0])
    await sleep(days(1))


async def _in_a_handler() -> None:
    @Signal("go").handle
    async def _(_: Any) -> None:
        raise KeyError("go")

    await sleep(days(1))


async def _cancels_itself() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (_in_the_workflow, ValueError),
        (_in_a_condition, ZeroDivisionError),
        (_in_a_callback, IndexError),
        (_in_a_handler, KeyError),
        (_cancels_itself, RuntimeError),
    ],
)
def test_a_bug_is_logged_with_its_traceback_in_one_line_and_leaves_the_run(function: Any, error: type) -> None:
    env = Env().signal(1, "go")
    with pytest.raises(error):
        env.run(workflow(function))
    (line,) = env._host.lines
    assert line.startswith("ERROR ")
    assert error.__name__ in line.splitlines()[-1]
    if error is not RuntimeError:
        assert "Traceback" in line
        assert "test_lives.py" in line
        assert "executor.py" not in line


def test_nothing_is_left_of_a_cancelled_wait() -> None:
    @workflow
    async def waits() -> bool:
        task = asyncio.create_task(wait_condition(lambda: False))
        other = asyncio.create_task(canceled())
        await asyncio.sleep(0)
        task.cancel()
        other.cancel()
        await asyncio.gather(task, other, return_exceptions=True)
        await sleep(1)
        return is_cancel_requested()

    assert Env().run(waits).result() is False
