"""Scenarios as tests of pytest, with a script in place of `refrain`."""

import json
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SCENARIOS = """
[[scenario]]
name = "is paid"
workflow = "order"

[[scenario]]
name = "is refused"
workflow = "order"
"""

REFRAIN = """#!{python}
import json, os, pathlib, sys

with open("{calls}", "a") as calls:
    calls.write(json.dumps([os.getcwd(), sys.argv[1:]]) + "\\n")
if pathlib.Path("broken").exists():
    sys.exit("error: the build failed: exit status: 1")
for name, unexpected in (
    ("is paid", []),
    ("is refused", [{{"what": "result", "details": "- 1\\n+ 2"}}, {{"what": "elapsed", "details": "- 1d\\n+ 2d"}}]),
):
    line = {{"type": "scenario", "name": name, "passed": not unexpected, "virtual_seconds": 3.0}}
    print(json.dumps(line | {{"unexpected": unexpected, "remarks": ["did you mean 3?"]}}))
print('{{"type":"summary","passed":1,"failed":1}}')
sys.exit(1)
"""


@pytest.fixture
def calls(pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a file of scenarios; what `refrain` is asked there is written to this file."""
    calls = tmp_path / "calls"
    refrain = tmp_path / "refrain"
    refrain.write_text(REFRAIN.format(python=sys.executable, calls=calls))
    refrain.chmod(0o755)
    monkeypatch.setenv("REFRAIN", str(refrain))
    # Other plugins of this environment are none of the tested pytest's.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makefile(".toml", **{"refrain": "", "scenarios/order": SCENARIOS})
    pytester.makeconftest("")
    return calls


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest("-p", "pytest_refrain", *arguments)


def asked(calls: Path) -> list[list[str]]:
    return [json.loads(line)[1] for line in calls.read_text().splitlines()]


def test_each_scenario_is_an_item_and_fails_with_the_words_of_refrain(pytester: pytest.Pytester, calls: Path) -> None:
    result = run(pytester, "-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["scenarios/order.toml::is paid PASSED*", "scenarios/order.toml::is refused FAILED*"])
    result.stdout.fnmatch_lines(
        ["_* is refused _*", "result", "  - 1", "  + 2", "elapsed", "  - 1d", "  + 2d", "remark", "  did you mean 3?"],
        consecutive=True,
    )
    file = str(pytester.path / "scenarios/order.toml")
    assert asked(calls) == [["test", "--json", file]], "they are played together"


def test_what_is_chosen_alone_is_played_alone(pytester: pytest.Pytester, calls: Path) -> None:
    run(pytester, "-k", "paid").assert_outcomes(passed=1, deselected=1)
    assert asked(calls)[0][-2:] == ["--filter", "is paid"]


def test_a_project_is_built_once_and_refrain_runs_in_its_folder(pytester: pytest.Pytester, calls: Path) -> None:
    pytester.makefile(".toml", **{"scenarios/second": SCENARIOS})
    (pytester.path / "sub").mkdir()
    pytester.path.joinpath("scenarios").rename(pytester.path / "sub/scenarios")
    run(pytester).assert_outcomes(passed=2, failed=2)
    assert ["--no-build" in arguments for arguments in asked(calls)] == [False, True]
    assert {json.loads(line)[0] for line in calls.read_text().splitlines()} == {str(pytester.path)}


def test_options_are_handed_on(pytester: pytest.Pytester, calls: Path) -> None:
    run(pytester, "--refrain-component", "a.wasm", "--refrain-crash-everywhere", "--refrain-seeds", "3")
    component = str(pytester.path / "a.wasm")
    assert asked(calls)[0][3:] == ["--component", component, "--crash-everywhere", "--seeds", "3"]


def test_other_toml_is_left_alone_unless_it_is_named(pytester: pytest.Pytester, calls: Path) -> None:
    pytester.makefile(".toml", **{"scenarios/other": "a = 1", "elsewhere": SCENARIOS})
    run(pytester, "--co", "-q").stdout.fnmatch_lines(["scenarios/order.toml::*", "scenarios/order.toml::*", ""])
    run(pytester, "elsewhere.toml").assert_outcomes(passed=1, failed=1)
    assert len(asked(calls)) == 1


def test_what_refrain_refuses_is_said_of_each(pytester: pytest.Pytester, calls: Path) -> None:
    (pytester.path / "broken").touch()
    result = run(pytester)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["error: the build failed: exit status: 1"])
    assert len(asked(calls)) == 1, "once is enough"


@pytest.mark.usefixtures("calls")
def test_without_refrain_the_remedy_is_said(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN", "no-such-program")
    result = run(pytester)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["there is no program no-such-program: put `refrain` on the PATH, or name it in REFRAIN"]
    )


@pytest.mark.usefixtures("calls")
def test_a_file_that_is_no_toml_is_an_error_with_its_place(pytester: pytest.Pytester) -> None:
    pytester.makefile(".toml", **{"scenarios/order": SCENARIOS + "name = =\n"})
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*scenarios/order.toml: Invalid value (at line 8, column 8)"])
