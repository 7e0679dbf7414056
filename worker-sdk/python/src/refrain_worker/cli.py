"""The command `refrain-worker`, also `python -m refrain_worker`: runs a worker from its activities' names.

Words go to stderr. The exit code is 0 after an ordered stop, 1 when the host refuses the worker, and 2 for a command
line that does not do.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import inspect
import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from . import worker
from .activity import is_activity
from .errors import WorkerError
from .worker import Worker

_DESCRIPTION = """\
Runs a Refrain worker until SIGTERM or SIGINT.

A TARGET is MODULE (all activities that it defines), MODULE:NAME (an activity, a list of them, or a Worker, whose
options then stand in the code). Modules are also looked for in the current directory.
"""
_EPILOG = "An API key is taken from the environment variable REFRAIN_API_KEY."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the result is the exit code."""
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    logging.basicConfig(
        level=options.pop("log_level").upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # Requests are this command's business; their lines would drown those of the activities.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        chosen = _worker(options.pop("targets"), {name: value for name, value in options.items() if value is not None})
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        parser.error(str(error))
    try:
        asyncio.run(chosen.run())
    except WorkerError as error:
        print(f"refrain-worker: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "refrain-worker",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="what to offer")
    parser.add_argument("--address", help=f"the host's (REFRAIN_ADDRESS, else {worker.DEFAULT_ADDRESS})")
    parser.add_argument("--namespace", help="the namespace (REFRAIN_NAMESPACE, else `default`)")
    parser.add_argument("--task-queue", help=f"the task queue (REFRAIN_TASK_QUEUE, else `{worker.DEFAULT_QUEUE}`)")
    parser.add_argument("--slots", type=int, help=f"attempts at once ({worker.DEFAULT_SLOTS})")
    parser.add_argument("--max-pollers", type=int, help=f"polls at once ({worker.DEFAULT_MAX_POLLERS})")
    parser.add_argument("--grace", type=float, help=f"seconds for attempts to end ({worker.DEFAULT_GRACE:g})")
    parser.add_argument("--identity", help="the worker's name, for people (machine:pid)")
    levels = ("debug", "info", "warning", "error")
    parser.add_argument("--log-level", choices=levels, default="info", help="what to log (info)")
    return parser


def _worker(targets: Iterable[str], options: dict[str, Any]) -> Worker:
    """The worker that the targets describe. Raises what importing raises, TypeError and ValueError."""
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    found = [(target, _resolve(target)) for target in targets]
    for target, value in found:
        if isinstance(value, Worker):
            if len(found) > 1 or options:
                raise ValueError(f"`{target}` is a Worker: its activities and options stand in the code")
            return value
    return Worker(activities=[each for target, value in found for each in _activities(target, value)], **options)


def _resolve(target: str) -> object:
    module, _, name = target.partition(":")
    value: object = importlib.import_module(module)
    for part in filter(None, name.split(".")):
        value = getattr(value, part)
    return value


def _activities(target: str, value: object) -> list[Callable[..., Any]]:
    if callable(value) and is_activity(value):
        return [value]
    if inspect.ismodule(value):
        # Those that it imports from other modules are not its own.
        own = [each for each in vars(value).values() if is_activity(each) and each.__module__ == value.__name__]
        return list(dict.fromkeys(own))
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"`{target}` is no activity, list of activities, module or Worker")
