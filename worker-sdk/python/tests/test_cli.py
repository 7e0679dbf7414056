"""The command, as a process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from fake_host import PATIENCE, Answer, FakeHost
from refrain_worker import cli

MODULE = """
from refrain_worker import Worker, activity

@activity("greet")
def greet(name: str) -> str:
    return f"Hello, {name}!"

@activity("wait")
def wait() -> None:
    import threading
    threading.Event().wait()

several = [greet, wait]
worker = Worker("http://127.0.0.1:1", activities=[greet])
number = 7
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a module with activities, which is the current one."""
    (tmp_path / "shop.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


async def command(host: FakeHost, *arguments: str) -> asyncio.subprocess.Process:
    environment = os.environ | {"REFRAIN_ADDRESS": host.address, "PYTHONDONTWRITEBYTECODE": "1"}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "refrain_worker", *arguments, env=environment, stderr=asyncio.subprocess.PIPE
    )


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_process_in_good_order(host: FakeHost, number: signal.Signals) -> None:
    process = await command(host, "shop", "--task-queue", "ml", "--grace", "3600")
    await host.offer("greet", input="Ada")
    (completion,) = await host.hears("complete")
    process.send_signal(number)
    _, words = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert completion.body["result"] == "Hello, Ada!"
    assert host.told("poll")[0].path == "/v1/task-queues/ml/poll"
    assert host.told("poll")[0].body["activities"] == ["greet", "wait"]
    assert process.returncode == 0, words.decode()


@pytest.mark.usefixtures("module")
async def test_a_refused_worker_exits_with_1_and_says_why(host: FakeHost) -> None:
    host.on_poll = lambda poll: Answer(401, {"detail": "the API key is wrong", "hint": "set REFRAIN_API_KEY"})
    process = await command(host, "shop:greet")
    _, words = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 1
    assert words.decode().rstrip().endswith("the API key is wrong (set REFRAIN_API_KEY)")


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    ("targets", "names"),
    [
        (["shop"], ["greet", "wait"]),
        (["shop:greet"], ["greet"]),
        (["shop:several"], ["greet", "wait"]),
        (["shop:wait", "shop:greet"], ["wait", "greet"]),
        (["shop:worker"], ["greet"]),
    ],
)
def test_targets_name_modules_activities_lists_and_workers(targets: list[str], names: list[str]) -> None:
    assert cli._worker(targets, {}).activities == names


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "No module named 'nowhere'"),
        (["shop:nothing"], "has no attribute 'nothing'"),
        (["shop:number"], "`shop:number` is no activity, list of activities, module or Worker"),
        (["shop:worker", "--slots", "3"], "`shop:worker` is a Worker: its activities and options stand in the code"),
        (["shop:greet", "--slots", "0"], "`slots` is 0"),
        (["shop:greet", "--task-queue", ""], "`task_queue` is empty: name a task queue, or leave it out"),
    ],
)
def test_a_command_line_that_does_not_do_is_explained(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)
    assert message in capsys.readouterr().err
