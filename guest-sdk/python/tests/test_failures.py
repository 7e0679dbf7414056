"""Failures as they are built, carried, and told."""

import pytest

from refrain_sdk import Canceled, Failure, HostFailure, context
from refrain_sdk.failures import from_record, to_record


def test_the_whole_chain_reads_as_one_sentence() -> None:
    with (
        pytest.raises(Failure) as caught,
        context("stop-and-snapshot for container abc123"),
        context("stop container abc123"),
    ):
        raise Failure("connection refused", type="ConnectionRefused")
    failure = caught.value
    assert str(failure) == "stop-and-snapshot for container abc123: stop container abc123: connection refused"
    assert failure.type == "ConnectionRefused"
    assert len(to_record(failure).causes) == 2


def test_context_keeps_kind_type_details_and_whether_to_retry() -> None:
    inner = Canceled("enough").with_details(7)
    inner.non_retryable = True
    outer = inner.context("copy").context("backup")
    assert isinstance(outer, Canceled)
    assert outer.non_retryable
    assert (outer.type, outer.details) == ("canceled", 7)


def test_what_it_was_raised_from_is_its_cause() -> None:
    def port(text: str) -> int:
        try:
            return int(text)
        except ValueError as error:
            raise Failure(f"read the port `{text}`") from error

    with pytest.raises(Failure) as caught:
        port("http")
    assert str(caught.value).startswith("read the port `http`: invalid literal")
    assert to_record(caught.value).causes[0].error_type == "ValueError"


def test_a_bug_keeps_its_class_and_gets_a_note() -> None:
    with pytest.raises(ZeroDivisionError) as caught, context("divide"):
        _ = 1 / 0
    assert caught.value.__notes__ == ["while: divide"]


def test_records_survive_the_way_there_and_back() -> None:
    failure = HostFailure("no such thing", type="not-found").context("look").with_details({"a": 1})
    again = from_record(to_record(failure))
    assert isinstance(again, HostFailure)
    assert to_record(again) == to_record(failure)


def test_details_without_a_form_in_json_are_replaced_by_the_reason() -> None:
    assert "is no dataclass" in Failure("x").with_details(object()).details
