"""Signals, queries, updates and conditions."""

import asyncio
from typing import Any

import pytest

from refrain_sdk import (
    ContinueAsNew,
    Failure,
    Query,
    Signal,
    Update,
    activity,
    all_handlers_finished,
    current_update,
    days,
    sleep,
    wait_condition,
    workflow,
)
from refrain_sdk.testing import Env

ADD = Signal("add", int)
TOTAL = Query("total", int)
CHANGE = Update("change", int, int)


def test_signals_are_kept_until_they_are_read_and_nonsense_is_passed_over() -> None:
    @workflow
    async def reads() -> list[int]:
        first = await ADD.recv()
        await sleep(10)
        return [first, *ADD.drain()]

    ended = Env().signal(1, "add", "one").signal(2, "add", 2).signal(3, "add", 3).signal(4, "add", 4).run(reads)
    assert ended.result() == [2, 3, 4]
    assert ended.log == ['ERROR signal passed over: expected an integer, got "one" signal=add']


def test_unread_signals_go_to_the_next_run_or_are_warned_of() -> None:
    @workflow
    async def leaves(again: bool) -> None:
        await sleep(10)
        if again:
            raise ContinueAsNew(False)

    ended = Env().signal(1, "add", 1).signal(2, "other", 2).signal(3, "add", 3).run(leaves, True)
    assert ended.next_run is not None
    assert [(signal.name, signal.input.data) for signal in ended.next_run.unread] == [
        ("add", b"1"),
        ("other", b"2"),
        ("add", b"3"),
    ]
    ended = Env().signal(1, "add", 1).signal(2, "add", 2).run(leaves, False)
    assert ended.log == ["WARN ended with unread signals signal=add count=2"]


def test_handlers_begin_in_order_and_are_cut_off_with_a_warning() -> None:
    @workflow
    async def handles(wait: bool) -> list[int]:
        seen: list[int] = []

        @ADD.handle
        async def _(value: int) -> None:
            seen.append(value)
            await activity("keep", value, start_to_close=100)
            seen.append(-value)

        await sleep(10)
        if wait:
            await wait_condition(all_handlers_finished)
        return seen

    def env() -> Env:
        return Env().activity("keep", lambda _: None, takes=20).signal(1, "add", 1).signal(1, "add", 2)

    assert env().run(handles, True).result() == [1, 2, -1, -2]
    ended = env().run(handles, False)
    assert ended.result() == [1, 2]
    assert ended.log == ["WARN ended before handlers of signal `add` had finished count=2"]


def test_a_failure_of_a_signal_s_handler_fails_the_run() -> None:
    @workflow
    async def handles() -> None:
        @ADD.handle
        async def _(value: int) -> None:
            raise Failure(f"{value} is too much")

        await sleep(days(1))

    with pytest.raises(Failure, match="7 is too much"):
        Env().signal(1, "add", 7).run(handles).result()


def test_all_that_a_wait_brought_is_there_before_anything_goes_on() -> None:
    @workflow
    async def drains() -> list[int]:
        return [await ADD.recv(), *ADD.drain()]

    assert Env().signal(1, "add", 1).signal(1, "add", 2).run(drains).result() == [1, 2]


def test_queries_see_the_run_and_are_answered_after_its_end() -> None:
    @workflow(queries=[TOTAL])
    async def totals() -> int:
        total = 0

        @TOTAL.handle
        def _() -> int:
            if total == 3:
                raise ZeroDivisionError("mistaken")
            return total

        for value in (1, 2, 3):
            await sleep(10)
            total += value
        return total

    ended = (
        Env().query(5, "total").query(15, "total").query(25, "total").query(26, "colour").query(99, "total").run(totals)
    )
    assert [ended.answer(index) for index in (0, 1, 4)] == [0, 1, 6]
    with pytest.raises(Failure, match="ZeroDivisionError: mistaken"):
        ended.answer(2)
    with pytest.raises(Failure, match="answers no query `colour`; it answers total"):
        ended.answer(3)


def test_a_query_may_only_look() -> None:
    @workflow(queries=[TOTAL])
    async def totals() -> None:
        @TOTAL.handle
        def _() -> int:
            sleep(1)
            return 0

        await sleep(10)

    with pytest.raises(Failure, match=r"called timer\.start"):
        Env().query(5, "total").run(totals).answer(0)


@workflow(updates=[CHANGE])
async def changes(until: int) -> list[Any]:
    total = 0
    ids: list[str] = []

    @CHANGE.validate
    def _(value: int) -> None:
        if value <= 0:
            raise Failure(f"{value} is not positive", type="not-positive")

    @CHANGE.handle
    async def _(value: int) -> int:
        nonlocal total
        await activity("reserve", value, start_to_close=10)
        update = current_update()
        ids.append(update.id if update else "none")
        total += value
        if total == 13:
            raise Failure("unlucky")
        return total

    await wait_condition(lambda: total >= until)
    return [total, ids]


def test_updates_are_let_in_or_turned_down_worked_on_and_answered() -> None:
    env = Env().activity("reserve", lambda _: None)
    env.update(1, "change", 3).update(1, "change", -1).update(2, "change", "x").update(3, "other", 1)
    ended = env.update(4, "change", 10).update(5, "change", 7).run(changes, 20)
    assert ended.result() == [20, ["update-0", "update-4", "update-5"]]
    assert ended.update_result(0) == 3
    for index, words in [
        (1, "-1 is not positive"),
        (2, "input of update `change`: expected an integer"),
        (3, "takes no update `other` now; it takes change"),
        (4, "unlucky"),
    ]:
        with pytest.raises(Failure, match=words):
            ended.update_result(index)
    assert ended.calls[:6] == [
        "wait",
        "accept update-0",
        "1 = activity reserve 3",
        "reject update-1: -1 is not positive",
        "wait",
        "complete update-0: 3",
    ]


def test_who_waited_for_a_condition_goes_on_before_the_next_is_looked_at() -> None:
    @workflow
    async def locks() -> list[str]:
        locked = True
        seen: list[str] = []

        async def enter(name: str) -> None:
            nonlocal locked
            await wait_condition(lambda: not locked)
            locked = True
            seen.append(f"{name} in")
            await sleep(1)
            seen.append(f"{name} out")
            locked = False

        tasks = [asyncio.create_task(enter(name)) for name in "ab"]
        await sleep(1)
        locked = False
        await asyncio.gather(*tasks)
        return seen

    assert Env().run(locks).result() == ["a in", "a out", "b in", "b out"]


def test_many_conditions_are_looked_at_once_for_each_wait() -> None:
    looks = 0

    @workflow
    async def waits() -> None:
        done = False

        def look() -> bool:
            nonlocal looks
            looks += 1
            return done

        tasks = [asyncio.create_task(wait_condition(look)) for _ in range(100)]
        for _ in range(10):
            await sleep(1)
        done = True
        await asyncio.gather(*tasks)

    Env().run(waits)
    assert looks <= 100 * 13
