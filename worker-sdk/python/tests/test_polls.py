"""How a worker gets its tasks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fake_host import BUSY, LOST, PATIENCE, Answer, FakeHost, working
from refrain_worker import Worker, WorkerError, activity, worker


@activity("greeter.greet")
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@activity("greeter.part")
async def part(name: str) -> str:
    return f"Bye, {name}!"


async def test_a_worker_runs_what_its_queue_holds(host: FakeHost) -> None:
    async with working(Worker(host.address, task_queue="ml", activities=[greet], identity="me:1")):
        token = await host.offer("greeter.greet", input="Ada")
        (completion,) = await host.hears("complete")
    assert completion.path == "/v1/activities/complete"
    assert completion.body == {"task_token": token, "result": "Hello, Ada!"}
    poll = host.told("poll")[0]
    assert poll.path == "/v1/task-queues/ml/poll"
    assert poll.headers["content-type"] == "application/json"
    assert "authorization" not in poll.headers
    poll_id = poll.body.pop("poll_id")
    assert poll.body == {"worker": "me:1", "activities": ["greeter.greet"], "wait": "30000ms"}
    assert len(poll_id) == 36


async def test_an_activity_that_the_worker_does_not_have_is_never_asked_for(host: FakeHost) -> None:
    other = await host.offer("mail.send")
    await host.offer("greeter.part", input="Ada")
    async with working(Worker(host.address, activities=[greet, part])):
        await host.hears("complete")
    assert host.told("poll")[0].body["activities"] == ["greeter.greet", "greeter.part"]
    assert all(request.body["task_token"] != other for request in host.told("complete", "fail"))


async def test_a_task_that_was_not_asked_for_is_given_back(host: FakeHost) -> None:
    tasks = [host.task("mail.send", input={"to": "ada"})]
    host.on_poll = lambda poll: Answer(200, tasks.pop()) if tasks else None
    async with working(Worker(host.address, activities=[greet])):
        (failure,) = await host.hears("fail")
    assert failure.body["failure"]["type"] == "UnknownActivity"
    assert not failure.body["failure"]["non_retryable"]


@pytest.mark.parametrize("answer", [LOST, BUSY, Answer(429, {"detail": "busy"}, headers={"Retry-After": "0"})])
async def test_a_poll_whose_answer_was_lost_is_repeated_under_its_id(host: FakeHost, answer: Answer) -> None:
    await host.offer("greeter.greet", input="Ada")
    host.script("poll", answer, answer)
    async with working(Worker(host.address, activities=[greet], max_pollers=1)):
        (completion,) = await host.hears("complete")
        polls = await host.hears("poll", times=4)
    assert completion.body["result"] == "Hello, Ada!"
    ids = [poll.body["poll_id"] for poll in polls[:4]]
    assert ids[0] == ids[1] == ids[2] != ids[3]


async def test_a_poll_that_brought_nothing_is_followed_by_one_with_another_id(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SHORTEST_POLL", 0.0)
    nothing = [Answer(204), Answer(204)]
    host.on_poll = lambda poll: nothing.pop() if nothing else None
    async with working(Worker(host.address, activities=[greet], max_pollers=1)):
        polls = await host.hears("poll", times=3)
    assert len({poll.body["poll_id"] for poll in polls[:3]}) == 3


async def test_a_task_that_came_as_the_worker_stopped_is_run(host: FakeHost) -> None:
    """The host gave it to the poll that is broken off; the last one, under the same id, gets it."""
    task = host.task("greeter.greet", input="Ada")

    def on_poll(poll: dict[str, Any]) -> Answer | None:
        return Answer(200, task) if poll["wait"] == "0ms" else None

    host.on_poll = on_poll
    async with working(Worker(host.address, activities=[greet], max_pollers=1)):
        await host.hears("poll")
    first, last = host.told("poll")
    assert first.body["poll_id"] == last.body["poll_id"]
    assert [each.body["result"] for each in host.told("complete")] == ["Hello, Ada!"]


async def test_a_host_that_lets_no_poll_wait_is_not_asked_all_the_time(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SHORTEST_POLL", 3600.0)
    host.on_poll = lambda poll: Answer(204)
    async with working(Worker(host.address, activities=[greet], slots=1)):
        await host.hears("poll")
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(host.told("poll")) == 1


@pytest.mark.parametrize(("slots", "max_pollers", "polls"), [(1, 4, 1), (8, 3, 3), (2, 4, 2)])
async def test_no_more_polls_wait_than_there_are_free_slots(
    host: FakeHost, slots: int, max_pollers: int, polls: int
) -> None:
    async with working(Worker(host.address, activities=[greet], slots=slots, max_pollers=max_pollers)):
        await host.hears("poll", times=polls)
    ids = {poll.body["poll_id"] for poll in host.told("poll")}
    assert len(ids) == polls


async def test_slots_are_never_exceeded(host: FakeHost) -> None:
    running, most = 0, 0
    begun: asyncio.Queue[None] = asyncio.Queue()
    gate = asyncio.Semaphore(0)

    @activity("gated")
    async def gated() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        begun.put_nowait(None)
        await gate.acquire()
        running -= 1

    for _ in range(10):
        await host.offer("gated")
    async with working(Worker(host.address, activities=[gated], slots=3)):
        for number in range(1, 11):
            await asyncio.wait_for(begun.get(), PATIENCE)
            if number >= 3:
                # Three run, and an end makes room for the next.
                gate.release()
                await host.hears("complete", times=number - 2)
        gate.release()
        gate.release()
    assert most == 3


async def test_namespace_and_api_key_are_taken_from_the_environment(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFRAIN_ADDRESS", host.address + "/")
    monkeypatch.setenv("REFRAIN_NAMESPACE", "team a/b")
    monkeypatch.setenv("REFRAIN_API_KEY", "secret")
    async with working(Worker(activities=[greet], task_queue="a b")):
        (poll, *_) = await host.hears("poll")
    assert poll.path == "/v1/namespaces/team%20a%2Fb/task-queues/a%20b/poll"
    assert poll.headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize(("argument", "queue"), [(None, "gpu"), ("ml", "ml")])
async def test_the_task_queue_is_taken_from_the_environment_unless_it_is_given(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch, argument: str | None, queue: str
) -> None:
    monkeypatch.setenv("REFRAIN_TASK_QUEUE", "gpu")
    async with working(Worker(host.address, activities=[greet], task_queue=argument)):
        (poll, *_) = await host.hears("poll")
    assert poll.path == f"/v1/task-queues/{queue}/poll"


def test_an_empty_task_queue_of_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_TASK_QUEUE", "")
    with pytest.raises(ValueError, match="`REFRAIN_TASK_QUEUE` is empty: name a task queue"):
        Worker(activities=[greet])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(401, {"detail": "the API key is wrong", "hint": "set REFRAIN_API_KEY"}), r"is wrong \(set REFRAIN_"),
        (Answer(404), "answered 404"),
        (Answer(200, {"hello": "world"}), "gave an unexpected answer .*: check the address"),
    ],
)
async def test_a_worker_that_is_refused_ends_and_says_why(host: FakeHost, answer: Answer, message: str) -> None:
    host.on_poll = lambda poll: answer
    with pytest.raises(WorkerError, match=message):
        await asyncio.wait_for(Worker(host.address, task_queue="ml", activities=[greet]).run(), PATIENCE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slots": 0}, "`slots` is 0: it has to be at least 1"),
        ({"grace": -1}, "`grace` is -1"),
        ({"task_queue": ""}, "`task_queue` is empty"),
        ({"activities": []}, "`activities` is empty"),
        ({"activities": [greet, greet]}, "activity `greeter.greet` is there twice"),
        ({"address": "localhost:7420"}, "the address `localhost:7420` cannot be used: use one like http://"),
        ({"address": "http://a:b"}, "the address `http://a:b` cannot be used"),
    ],
)
def test_options_that_do_not_do_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Worker(**{"activities": [greet]} | options)
