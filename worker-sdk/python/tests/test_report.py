"""What the host is told of an attempt that failed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from refrain_worker import ActivityError, report


def told(error: BaseException) -> dict[str, Any]:
    try:
        raise error
    except BaseException as raised:  # noqa: BLE001 - so that it has a stack
        body = msgspec.json.encode(report.failed(raised).body)
    decoded: dict[str, Any] = msgspec.json.decode(body)
    return decoded


def test_an_exception_is_told_by_its_class_its_message_and_its_stack() -> None:
    failure = told(ValueError("7 is too many"))["failure"]
    assert (failure["type"], failure["message"]) == ("ValueError", "7 is too many")
    assert not failure.get("non_retryable", False)
    assert "test_report.py" in failure["stack"]
    assert failure["stack"].rstrip().endswith("ValueError: 7 is too many")


def test_the_whole_chain_of_causes_arrives_outermost_first() -> None:
    refused = ConnectionRefusedError("connection refused")
    stop = ActivityError("Docker", "stop container abc123")
    stop.__cause__ = refused
    snapshot = RuntimeError("stop-and-snapshot for container abc123")
    snapshot.__cause__ = stop
    assert told(snapshot)["failure"]["causes"] == [
        {"type": "Docker", "message": "stop container abc123"},
        {"type": "ConnectionRefusedError", "message": "connection refused"},
    ]


def test_a_chain_that_bites_its_tail_ends() -> None:
    error = ValueError("round")
    error.__cause__ = middle = ValueError("and")
    middle.__cause__ = error
    assert len(told(error)["failure"]["causes"]) == report.MAX_CAUSES


def test_the_members_of_a_group_are_its_causes() -> None:
    class GroupError(Exception):
        exceptions = (KeyError("a"), OSError("b"))

    assert [cause["type"] for cause in told(GroupError("two"))["failure"]["causes"]] == ["KeyError", "OSError"]


def test_an_activity_error_says_all_it_knows() -> None:
    body = told(
        ActivityError(
            "CardDeclined",
            "the card was declined",
            non_retryable=True,
            details={"code": 51},
            next_retry_delay=timedelta(seconds=5),
            benign=True,
        )
    )
    assert (
        body.pop("failure").items()
        >= {
            "type": "CardDeclined",
            "message": "the card was declined",
            "non_retryable": True,
            "details": {"code": 51},
        }.items()
    )
    assert body == {"next_retry_delay": "5000ms", "benign": True}


def test_details_that_are_not_json_travel_encoded() -> None:
    failure = told(ActivityError("Blurred", "see picture", details=b"\x00"))["failure"]
    assert failure["details_payload"] == {"content_type": "application/octet-stream", "data_base64": "AA=="}


def test_details_without_a_json_form_do_not_hide_the_error() -> None:
    failure = told(ActivityError("Refused", "no", details=object()))["failure"]
    assert (failure["type"], failure["message"]) == ("Refused", "no")
    assert "details" not in failure
    assert failure["causes"][0]["message"].startswith("the details of this error: it has no JSON form")


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError(), "ValueError()"),
        (ValueError("half \ud800"), "half \\ud800"),
        (ValueError("x" * 10**6), "x" * report.MAX_MESSAGE),
        (UnspeakableError(), "a UnspeakableError whose message cannot be had: ZeroDivisionError"),
    ],
)
def test_every_exception_has_a_message_that_can_be_sent(error: Exception, message: str) -> None:
    assert told(error)["failure"]["message"] == message
