"""Scenarios of workflows as tests of pytest: one item for each in `scenarios/*.toml`, which `refrain test` plays.

This is no part of `refrain_sdk`, all of which goes into components, and nothing there needs pytest.
"""

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

FOLDER = "scenarios"
"""The folder whose files are looked at. A file elsewhere is one that was named on the command line."""

PROJECT = "refrain.toml"
"""The file that the folder of a project has: there `refrain test` builds the component, before the first file of the
project is played."""

BUILT = pytest.StashKey[set[Path]]()
"""The projects that were built."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offers what `refrain test` offers, where it makes a difference here."""
    group = parser.getgroup("refrain", "scenarios of workflows")
    group.addoption("--refrain-component", metavar="FILE", help="the component under test, instead of the project's")
    group.addoption(
        "--refrain-crash-everywhere",
        action="store_true",
        help="play each scenario once more for each moment at which the host could die",
    )
    group.addoption("--refrain-seeds", metavar="N", type=int, help="play each scenario with so many seeds")


def pytest_configure(config: pytest.Config) -> None:
    """Nothing is built yet."""
    config.stash[BUILT] = set()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "ScenarioFile | None":
    """Takes files of scenarios, and no other TOML."""
    is_meant = file_path.parent.name == FOLDER or parent.session.isinitpath(file_path)
    if file_path.suffix == ".toml" and is_meant and "[[scenario]]" in read(file_path):
        return ScenarioFile.from_parent(parent, path=file_path)
    return None


def read(path: Path) -> str:
    """A file's text. What is no text is for `refrain test` to refuse."""
    return path.read_text(encoding="utf-8", errors="replace")


@dataclass(frozen=True)
class Played:
    """What became of a file's scenarios."""

    reports: dict[str, dict[str, Any]]
    """What is told of each, by its name."""

    problem: str
    """Why nothing is told of one."""


class ScenarioFile(pytest.File):
    """A file of scenarios. They are played together, once."""

    played: Played | None = None

    def collect(self) -> Iterator["Scenario"]:
        """Its scenarios. All but their names is for `refrain test` to read."""
        try:
            scenarios = tomllib.loads(read(self.path)).get("scenario", [])
        except tomllib.TOMLDecodeError as error:
            raise self.CollectError(f"{self.path}: {error}") from error
        for scenario in scenarios:
            yield Scenario.from_parent(self, name=str(scenario.get("name", "without a name")))

    def play(self) -> Played:
        """What became of them."""
        if self.played is None:
            self.played = self._play()
        return self.played

    def _play(self) -> Played:
        named = os.environ.get("REFRAIN", "refrain")
        binary = shutil.which(named)
        if binary is None:
            return Played({}, f"there is no program {named}: put `refrain` on the PATH, or name it in REFRAIN")
        project = next((folder for folder in self.path.parents if (folder / PROJECT).exists()), None)
        command = [str(Path(binary).absolute()), "test", "--json", str(self.path), *self._options(project)]
        folder = project or self.config.rootpath
        ended = subprocess.run(  # noqa: S603  # what whoever tests has named
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False
        )
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        reports = {line["name"]: line for line in lines if line["type"] == "scenario"}
        if reports and project is not None:
            self.config.stash[BUILT].add(project)
        return Played(reports, ended.stderr.strip() or f"`refrain test` ended with {ended.returncode}")

    def _options(self, project: Path | None) -> Iterator[str]:
        config = self.config
        if component := config.getoption("--refrain-component"):
            yield from ("--component", str(config.invocation_params.dir / component))
        elif project in config.stash[BUILT]:
            yield "--no-build"
        if config.getoption("--refrain-crash-everywhere"):
            yield "--crash-everywhere"
        if seeds := config.getoption("--refrain-seeds"):
            yield from ("--seeds", str(seeds))
        wanted = [item.name for item in self.session.items if item.parent is self]
        if len(wanted) == 1:
            # Others with this in their name are played too, and nobody asks what became of them.
            yield from ("--filter", wanted[0])


class Scenario(pytest.Item):
    """A scenario."""

    def runtest(self) -> None:
        """Fails with what `refrain test` says of it."""
        played = cast(ScenarioFile, self.parent).play()
        report = played.reports.get(self.name)
        if report is None:
            pytest.fail(played.problem, pytrace=False)
        self.user_properties.append(("virtual_seconds", report["virtual_seconds"]))
        if not report["passed"]:
            remarks = [{"what": "remark", "details": remark} for remark in report["remarks"]]
            pytest.fail("\n".join(map(told, [*report["unexpected"], *remarks])), pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it is, and its name."""
        return self.path, None, self.name


def told(unexpected: dict[str, str]) -> str:
    """Something unexpected, as `refrain test` prints it."""
    return "\n  ".join([unexpected["what"], *unexpected["details"].splitlines()])
