"""When things start, and in which order what happens is seen: fixed for ever."""

import asyncio
import time
from datetime import timedelta

import pytest

from refrain_sdk import (
    Activity,
    Failure,
    Signal,
    activity,
    days,
    hours,
    join,
    log,
    millis,
    now,
    or_canceled,
    secs,
    select,
    sleep,
    sleep_until,
    workflow,
)
from refrain_sdk.testing import Env

GO = Signal("go", str)


def echo(value: int) -> Activity[int]:
    return activity("echo", value, result=int, start_to_close=secs(10))


def env() -> Env:
    return Env().activity("echo", lambda value: value)


def test_activities_start_at_the_call_and_coroutines_after_what_is_ready() -> None:
    @workflow
    async def order() -> list[int]:
        async def later(value: int) -> int:
            return await echo(value)

        first = echo(1)
        tasks = [asyncio.create_task(later(3)), asyncio.create_task(later(4))]
        second = echo(2)
        return [await first, await second, *await asyncio.gather(*tasks)]

    ended = env().run(order)
    assert ended.result() == [1, 2, 3, 4]
    assert ended.calls[:5] == [
        "1 = activity echo 1",
        "2 = activity echo 2",
        "3 = activity echo 3",
        "4 = activity echo 4",
        "wait",
    ]


def test_asyncio_sleeps_are_durable_timers() -> None:
    @workflow
    async def sleeps() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        await sleep(days(1), "a day")
        await asyncio.gather(asyncio.sleep(2), sleep(millis(1500)))

    ended = Env().run(sleeps)
    assert ended.calls == [
        "1 = timer 50ms",
        "wait",
        "2 = timer 86400s a day",
        "wait",
        "3 = timer 1.5s",
        "4 = timer 2s",
        "wait",
        "wait",
    ]
    assert ended.elapsed == timedelta(days=1, seconds=2.05)


@pytest.mark.parametrize("way", ["timeout", "wait_for"])
def test_a_limit_detaches_what_was_waited_for_and_a_limit_that_lost_is_ended(way: str) -> None:
    async def limited(takes: float) -> str:
        work = activity("work", takes, result=float, start_to_close=hours(1))
        try:
            if way == "wait_for":
                await asyncio.wait_for(work, 3)
            else:
                async with asyncio.timeout(3):
                    await work
        except TimeoutError:
            return "too late"
        return "in time"

    @workflow
    async def quick() -> str:
        return await limited(1)

    @workflow
    async def slow() -> str:
        return await limited(2)

    ended = Env().activity("work", lambda _: 1.0, takes=1).run(quick)
    assert ended.result() == "in time"
    assert ended.calls == ["1 = activity work 1", "2 = timer 3s", "wait", "cancel 2", "detach 2"]
    ended = Env().activity("work", lambda _: 1.0, takes=5).run(slow)
    assert ended.result() == "too late"
    assert ended.calls == ["1 = activity work 2", "2 = timer 3s", "wait", "detach 1"]


@pytest.mark.parametrize(
    ("signals", "expected", "calls"),
    [
        ([], ["timer", None], ["1 = timer 10s", "wait"]),
        ([5], ["signal", "go"], ["1 = timer 10s", "wait", "cancel 1", "detach 1"]),
        # Both in one wait: the signal was there first, and the timer needs no end.
        ([10], ["signal", "go"], ["1 = timer 10s", "wait"]),
    ],
)
def test_select_takes_the_one_whose_event_came_first(signals: list[int], expected: list[str], calls: list[str]) -> None:
    @workflow
    async def selects() -> list[str | None]:
        name, value = await select(signal=GO.recv(), timer=sleep(10))
        return [name, value]

    played = Env()
    for at in signals:
        played.signal(at, "go", "go")
    ended = played.run(selects)
    assert ended.result() == expected
    assert ended.calls == calls


def test_a_signal_that_lost_is_kept() -> None:
    @workflow
    async def selects() -> list[object]:
        timer = sleep(10)
        first, _ = await select(GO.recv(), timer)
        return [first, GO.drain()]

    # The wait delivers in the order of the schedule: the timer comes after the signal that was scheduled before.
    ended = Env().signal(10, "go", "kept").run(selects)
    assert ended.result() == [0, []]

    @workflow
    async def twice() -> list[object]:
        await sleep(5)
        work = activity("work", start_to_close=hours(1))
        first, _ = await select(work, asyncio.create_task(GO.recv()))
        return [first, GO.drain()]

    ended = Env().activity("work", lambda _: None, takes=1).signal(7, "go", "kept").run(twice)
    assert ended.result() == [0, []]
    assert ended.log == []


def test_an_event_is_seen_through_before_the_next_however_deep_it_is_waited_for() -> None:
    @workflow
    async def nested() -> list[str]:
        seen: list[str] = []

        async def deep() -> None:
            await asyncio.gather(asyncio.gather(asyncio.wait_for(echo(1), 60)))
            seen.append("deep")

        async def flat() -> None:
            await echo(2)
            seen.append("flat")

        await asyncio.gather(deep(), flat())
        return seen

    assert env().run(nested).result() == ["deep", "flat"]


def test_select_waits_until_a_task_that_lost_has_cleaned_up_and_shield_keeps_one() -> None:
    @workflow
    async def selects() -> list[str]:
        seen: list[str] = []

        async def careful() -> None:
            try:
                await sleep(days(1))
            finally:
                await echo(1)
                seen.append("cleaned up")

        reminder = sleep(5)
        await select(careful(), asyncio.shield(reminder), sleep(1))
        seen.append("selected")
        await reminder
        return seen

    ended = env().run(selects)
    assert ended.result() == ["cleaned up", "selected"]
    assert ended.elapsed == timedelta(seconds=5)


def test_join_has_a_limit_and_takes_the_next_when_one_has_ended() -> None:
    @workflow
    async def joins() -> list[int]:
        return await join((echo(value) for value in range(1, 5)), limit=2)

    played = Env().activity("echo", lambda value: value, takes=1)
    ended = played.run(joins)
    assert ended.result() == [1, 2, 3, 4]
    assert ended.calls == [
        "1 = activity echo 1",
        "2 = activity echo 2",
        "wait",
        "3 = activity echo 3",
        "4 = activity echo 4",
        "wait",
    ]


def test_join_ends_with_the_first_failure_or_gives_all() -> None:
    def work(value: int) -> int:
        if value == 2:
            raise Failure("two", type="Two")
        return value

    @workflow
    async def fails() -> list[int]:
        return await join(activity("work", value, result=int, start_to_close=10) for value in (2, 1))

    @workflow
    async def gives_all() -> list[str]:
        works = (activity("work", value, result=int, start_to_close=10) for value in (1, 2))
        return [str(outcome) for outcome in await join(works, return_failures=True)]

    with pytest.raises(Failure, match="two"):
        Env().activity("work", work).run(fails).result()
    assert Env().activity("work", work).run(gives_all).result() == ["1", "two"]

    @workflow
    async def detaches() -> list[int]:
        quick = activity("work", 2, result=int, start_to_close=10)
        slow = activity("slow", result=int, start_to_close=10)
        return await join([quick, slow])

    ended = Env().activity("work", work).activity("slow", lambda _: 1, takes=5).run(detaches)
    assert ended.calls == ["1 = activity work 2", "2 = activity slow null", "wait", "detach 2"]


def test_asyncio_s_own_tools_work() -> None:
    @workflow
    async def tools() -> list[object]:
        queue: asyncio.Queue[int] = asyncio.Queue()
        lock = asyncio.Lock()
        seen: list[object] = []

        async def produce() -> None:
            for value in range(3):
                async with lock:
                    await queue.put(await echo(value))

        async with asyncio.TaskGroup() as group:
            group.create_task(produce())
            taken = group.create_task(_take(queue, 3))
        seen.append(taken.result())
        done, pending = await asyncio.wait(
            [asyncio.create_task(asyncio.sleep(1, "one")), asyncio.create_task(asyncio.sleep(2, "two"))],
            return_when=asyncio.FIRST_COMPLETED,
        )
        seen.append([task.result() for task in done])
        for task in pending:
            task.cancel()
        return seen

    assert env().run(tools).result() == [[0, 1, 2], ["one"]]


async def _take(queue: "asyncio.Queue[int]", number: int) -> list[int]:
    return [await queue.get() for _ in range(number)]


def test_the_clock_moves_on_and_deadlines_are_those_of_the_step() -> None:
    @workflow
    async def clock() -> bool:
        first, second = now(), now()
        deadline = first + timedelta(seconds=90)
        await sleep_until(deadline)
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + 0.25):
            await echo(1)
        return first < second and now() >= deadline

    ended = env().run(clock)
    assert ended.result() is True
    assert ended.calls == [
        "1 = timer 90s",
        "wait",
        "2 = timer 250ms",
        "3 = activity echo 1",
        "wait",
        "cancel 2",
        "detach 2",
    ]


def test_ten_thousand_open_ops_cost_no_more_for_each() -> None:
    def took(number: int) -> float:
        @workflow
        async def many() -> int:
            return sum(await join(echo(value) for value in range(number)))

        began = time.process_time()
        assert env().run(many).result() == sum(range(number))
        return time.process_time() - began

    few, many = took(1_000), took(10_000)
    assert many < 40 * few, (few, many)


def test_a_task_that_nobody_holds_goes_on() -> None:
    @workflow
    async def forgets() -> None:
        async def reminder() -> None:
            await sleep(1)
            log.warn("still at it")

        asyncio.create_task(reminder())
        await sleep(2)

    assert Env().run(forgets).log == ["WARN still at it"]


def test_what_ends_in_the_moment_of_its_limit_has_won() -> None:
    @workflow
    async def limited() -> list[str]:
        first = await asyncio.wait_for(activity("work", result=str, start_to_close=60), 10)
        return [first, await or_canceled(activity("work", result=str, start_to_close=60))]

    # The limit was started, and the request was scheduled, before what it limits.
    ended = Env().activity("work", lambda _: "done", takes=10).cancel(20, "enough").run(limited)
    assert ended.result() == ["done", "done"]
