"""The validator notices what is wrong, and only that."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.conformance import requirements
from tests.conformance.validator import Bindings, history_problems, log_problems, result_problems


def bindings(**declared: str) -> Bindings:
    return Bindings(declared, random.Random(1))


def started(number: int, operation_id: str = "a1", **members: Any) -> dict[str, Any]:
    return {"EventType": "StepStarted", "EventId": number, "Id": operation_id, "StepStartedDetails": {}} | members


def expected(number: int, operation_id: str = "${ID1}", **members: Any) -> dict[str, Any]:
    return {"EventType": "StepStarted", "EventId": number, "Id": operation_id} | members


def test_generated_strings_are_fresh_and_of_their_length() -> None:
    made = bindings(A="${GEN_STR:8}", B="${GEN_STR:8}", C="<${A}>")
    first, second = made.fill("${A}"), made.fill("${B}")
    assert len(first) == len(second) == 8
    assert first.isalnum()
    assert first != second
    assert made.fill({"all": ["${C}", 3]}) == {"all": [f"<{first}>", 3]}


def test_a_variable_without_a_value_is_an_error() -> None:
    with pytest.raises(LookupError, match="NONE"):
        bindings().fill("${NONE}")


def test_a_variable_is_bound_by_its_first_use() -> None:
    wanted = [expected(2), expected(3), expected(4, "${ID2}")]
    assert history_problems(wanted, [started(2), started(3), started(4, "b")], bindings()) == []
    problems = history_problems(wanted, [started(2), started(3, "b"), started(4, "c")], bindings())
    assert problems[0] == "event 3 (StepStarted).Id: expected 'a1' (${ID1}), got 'b'"


def test_events_are_found_by_number_and_others_ignored() -> None:
    assert history_problems([expected(4)], [started(2, "x"), started(4)], bindings()) == []
    assert "event 5: expected StepStarted, there are 1 events" in history_problems(
        [expected(5)], [started(4)], bindings()
    )


@pytest.mark.parametrize(
    ("wanted", "actual"),
    [
        ({"A": "*"}, {"A": None}),
        ({"A": {}}, {"A": {"more": 1}}),
        ({"A": {"B": 1}}, {"A": {"B": 1, "C": 2}}),
        ({"A": [1, "*"]}, {"A": [1, 2]}),
        ({"A": "${/^[0-5]$/}"}, {"A": 5}),
        ({"A": "${/wrapped/}"}, {"A": '{"wrapped": 1}'}),
        ({"A": None}, {"A": None}),
    ],
)
def test_what_matches(wanted: Any, actual: Any) -> None:
    assert [*bindings().mismatches(wanted, actual, "it")] == []


@pytest.mark.parametrize(
    ("wanted", "actual"),
    [
        ({"A": "*"}, {}),
        ({"A": {}}, {}),
        ({"A": {}}, {"A": "text"}),
        ({"A": {"B": 1}}, {"A": {"B": 2}}),
        ({"A": {"B": 1}}, {"A": {"B": True}}),
        ({"A": True}, {"A": 1}),
        ({"A": "1"}, {"A": 1}),
        ({"A": [1, "*"]}, {"A": [1]}),
        ({"A": [1]}, {"A": "1"}),
        ({"A": "${/^[0-5]$/}"}, {"A": 6}),
        ({"A": "${/^.*$/}"}, {"A": None}),
        ({"A": "${ID}"}, {"A": None}),
        ({"A": None}, {"A": ""}),
    ],
)
def test_what_does_not_match(wanted: Any, actual: Any) -> None:
    assert [*bindings().mismatches(wanted, actual, "it")]


def test_results() -> None:
    wanted = {"ExecutionStatus": "SUCCEEDED", "Result": {"sum": 3}}
    assert result_problems(wanted, "SUCCEEDED", {"sum": 3}, bindings()) == []
    assert result_problems(wanted, "SUCCEEDED", {"sum": 4}, bindings())
    assert result_problems(wanted, "FAILED", {"sum": 3}, bindings())
    assert result_problems({"Status": "SUCCEEDED"}, "SUCCEEDED", None, bindings())


START, END = {"hook": "start", "n": 1}, {"hook": "end", "n": 1}


@pytest.mark.parametrize(
    ("wanted", "records", "right"),
    [
        ({"match": {"hook": "start"}, "count": 1}, [START, END], True),
        ({"match": {"hook": "start"}, "count": 2}, [START, END], False),
        ({"match": {"hook": "other"}, "count": 0}, [START, END], True),
        ({"match": {"hook": "start"}, "count": 0}, [START, END], False),
        ({"match": {"n": 1}, "min_count": 2}, [START, END], True),
        ({"match": {"n": 1}, "min_count": 3}, [START, END], False),
        ({"match": {"n": True}, "count": 2}, [START, END], False),
        ({"match": {"hook": "/^(start|end)$/", "n": "/./"}, "count": 2}, [START, END], True),
        ({"match": {"missing": "/.*/"}, "count": 2}, [START, END], False),
        ({"match": {"hook": "end"}, "count": 1, "after": [{"hook": "start"}]}, [START, END], True),
        ({"match": {"hook": "end"}, "count": 1, "after": [{"hook": "start"}]}, [END, START], False),
        ({"match": {"hook": "end"}, "count": 1, "after": [{"hook": "start"}]}, [END], False),
        ({"match": {"hook": "end"}, "order": 1}, [END], False),
    ],
)
def test_logs(wanted: Any, records: Any, right: bool) -> None:
    assert (log_problems([wanted], records, bindings()) == []) is right


def test_a_requirement_that_says_more_than_is_checked_is_refused(tmp_path) -> None:
    (tmp_path / "step").mkdir()
    file = tmp_path / "step" / "1-2.yaml"
    file.write_text("handler: any\nInput: 1\n")
    assert requirements.read_requirement(file).id == "1-2"
    file.write_text("handler: any\nExpectedWeather: fine\n")
    with pytest.raises(ValueError, match="ExpectedWeather"):
        requirements.read_requirement(file)


def test_files_come_in_the_order_of_their_numbers(tmp_path) -> None:
    for name in ("map/9-1", "step/1-10", "step/1-9"):
        (tmp_path / f"{name}.yaml").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.yaml").touch()
    assert [path.stem for path in requirements.requirement_files(tmp_path)] == ["1-9", "1-10", "9-1"]
