"""Histories from AWS: real boto3 over loopback, against what an engine has run."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.cli.app import cli
from durable_execution_sdk.engine import Engine, ExecutionEnded, read_history
from durable_execution_sdk.replay import HistorySourceError, RecordedExecutions, record_aws
from tests.support.loopback import ACCESS_KEY, SECRET_KEY, Refuse, boto3_client
from tests.support.recorded_executions import RecordedLoopback, recorded_loopback

LOCAL = "tests.e2e.test_aws_histories"


@durable_execution
def order(event: Any, context: DurableContext) -> str:
    for name in "abc":
        context.step(lambda _: "secret " * 10, name=name)
    if event == "fail":
        raise ValueError("the end")
    return "done"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "store.db", time_scale=0) as engine:
        for name in ("one", "two", "three"):
            engine.run(order, {}, name=name)
        with pytest.raises(ExecutionEnded):
            engine.run(order, "fail", name="failed")
        yield engine


@pytest.fixture
def aws(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedLoopback]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    with recorded_loopback(engine) as service:
        yield service


def source_of(service: RecordedLoopback, slept: list[float] | None = None) -> RecordedExecutions:
    notes = [] if slept is None else slept
    return RecordedExecutions(boto3_client(service), now=lambda: sum(notes), sleep=notes.append)


def durable(service: RecordedLoopback, *words: object) -> Result:
    client = ["--endpoint-url", service.url, "--region", "eu-central-1", "--requests-per-second", "1000"]
    return CliRunner().invoke(cli, [*map(str, words), *client], prog_name="durable")


def arn_of(engine: Engine, name: str) -> str:
    return engine.describe(name).arn


# --- reading ---


def test_a_recording_is_what_the_store_holds(aws: RecordedLoopback, engine: Engine, tmp_path: Path) -> None:
    aws.largest_page = 2
    recording = record_aws(source_of(aws), arn_of(engine, "one"))
    engine.export_history("one", tmp_path / "one.json")
    history = read_history(tmp_path / "one.json")
    assert [event["EventId"] for event in recording.events] == [*range(1, len(history.events) + 1)]
    assert [record["Id"] for record in recording.operations] == [record["Id"] for record in history.operations]
    assert [record.get("StepDetails") for record in recording.operations] == [
        record.get("StepDetails") for record in history.operations
    ]
    assert (recording.name, recording.execution["Status"], recording.problem) == ("one", "SUCCEEDED", None)
    assert recording.execution["StartTimestamp"] == history.execution["StartTimestamp"]
    asked = [received.query.get("Marker") for received in aws.received if received.target.count("/history")]
    assert len(asked) == -(-len(history.events) // 2)
    assert len({*asked}) == len(asked)


def test_filters_are_the_services(aws: RecordedLoopback) -> None:
    source = source_of(aws)
    aws.largest_page = 1
    assert [found["DurableExecutionName"] for found in source.of_function("order")] == ["one", "two", "three", "failed"]
    assert [found["DurableExecutionName"] for found in source.of_function("order", statuses=["FAILED"])] == ["failed"]
    assert [found["DurableExecutionName"] for found in source.of_function("order", name="two")] == ["two"]


def test_too_many_requests_are_obeyed(aws: RecordedLoopback, engine: Engine, delays: list[float]) -> None:
    slept: list[float] = []
    source = source_of(aws, slept)
    aws.fail_next(*[Refuse(429, "TooManyRequestsException", headers={"Retry-After": "7"})] * 2)
    source.describe(arn_of(engine, "one"))
    assert delays == [7.0, 7.0]
    assert len(aws.received) == 3
    source.describe(arn_of(engine, "one"))
    source.describe(arn_of(engine, "one"))
    # Five a second is the pace; it was halved twice and comes back slowly.
    assert slept[0] == pytest.approx(0.2)
    assert slept[1] == pytest.approx(0.8)


def test_without_a_time_to_wait_for_botocores_rules_hold(
    aws: RecordedLoopback, engine: Engine, delays: list[float]
) -> None:
    aws.fail_next(Refuse(429, "TooManyRequestsException"), Refuse(500, "ServiceException"))
    source_of(aws).describe(arn_of(engine, "one"))
    assert len(delays) == 2
    aws.fail_next(*[Refuse(429, "TooManyRequestsException")] * 9)
    with pytest.raises(HistorySourceError, match="too many requests"):
        source_of(aws).describe(arn_of(engine, "one"))


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Refuse(403, "AccessDeniedException", "not you"), r"not you.*lambda:GetDurableExecution\b"),
        (Refuse(404, "ResourceNotFoundException", "no such thing"), "no such thing"),
        (Refuse(400, "InvalidParameterValueException", "bad"), "InvalidParameterValueException: bad"),
    ],
)
def test_refusals_are_explained(aws: RecordedLoopback, engine: Engine, fault: Refuse, says: str) -> None:
    aws.fail_next(fault)
    with pytest.raises(HistorySourceError, match=says) as raised:
        source_of(aws).describe(arn_of(engine, "one"))
    assert raised.value.not_found == (fault.status == 404)


def test_an_old_boto3_is_told_apart(aws: RecordedLoopback, engine: Engine) -> None:
    class Old:
        meta = boto3_client(aws).meta

    with pytest.raises(HistorySourceError, match="too old"):
        RecordedExecutions(Old()).describe(arn_of(engine, "one"))


def test_who_is_not_reached_is_told(engine: Engine, delays: list[float]) -> None:
    with recorded_loopback(engine) as service:
        source = source_of(service)
    with pytest.raises(HistorySourceError, match="cannot be asked"):
        source.describe(arn_of(engine, "one"))


def test_a_damaged_answer_is_no_empty_history(aws: RecordedLoopback, engine: Engine) -> None:
    from tests.support.loopback import Garble

    aws.fail_next(None, Garble(b"{}"))
    with pytest.raises(HistorySourceError, match="damaged"):
        record_aws(source_of(aws), arn_of(engine, "one"))


# --- `durable record` ---


def test_one_execution_to_a_private_file(aws: RecordedLoopback, engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text("public")
    file.chmod(0o644)
    done = durable(aws, "record", "--execution", arn_of(engine, "one"), file)
    assert done.exit_code == 0, done.output
    history = read_history(file)
    assert history.execution["DurableExecutionName"] == "one"
    assert history.execution["FunctionName"] == "order"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob("*.json*")] == ["one.json"]


def test_a_function_to_a_folder_and_to_lines(aws: RecordedLoopback, engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "histories"
    done = durable(aws, "record", "--function", "order", "--status", "succeeded", folder)
    assert done.exit_code == 0, done.output
    assert "3 recorded" in done.stderr
    assert {path.name.split("-")[0] for path in folder.iterdir()} == {"one", "two", "three"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    lines = tmp_path / "all.jsonl"
    assert durable(aws, "record", "--function", "order", "--limit", 2, lines).exit_code == 0
    names = [json.loads(line)["execution"]["DurableExecutionName"] for line in lines.read_text().splitlines()]
    assert names == ["one", "two"]
    assert stat.S_IMODE(lines.stat().st_mode) == 0o600


def test_payloads_need_not_be_sent(aws: RecordedLoopback, engine: Engine, tmp_path: Path) -> None:
    aws.encrypted.add("one")
    words = ("record", "--execution", arn_of(engine, "one"), tmp_path / "one.json")
    done = durable(aws, *words)
    assert done.exit_code == 5
    assert "kms:Decrypt" in done.stderr
    assert durable(aws, *words, "--no-payloads").exit_code == 0
    found = json.loads((tmp_path / "one.json").read_text())
    assert "secret" not in (tmp_path / "one.json").read_text()
    assert set(found["unreadable"].values()) == {"left out"}
    assert len(found["unreadable"]) == 4  # the input, too


def test_what_was_deleted_meanwhile_is_left_out(aws: RecordedLoopback, engine: Engine, tmp_path: Path) -> None:
    listed = [*source_of(aws).of_function("order")]
    aws.deleted.add("two")
    from durable_execution_sdk.replay import record_function

    gone: list[str] = []
    kept = [recording.name for recording in record_function(source_of(aws), listed, gone=gone.append)]
    assert kept == ["one", "three", "failed"]
    assert gone == [arn_of(engine, "two")]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--function", "nobody", "out"], 3, "Function not found"),
        (["--function", "order", "--named", "nobody", "out"], 3, "no execution"),
        (["--function", "order", "--named", "nobody", "out.jsonl"], 3, "no execution"),
        (["--function", "order", "one", "out"], 2, "OUT alone"),
        (["--function", "order", "--all", "out"], 2, "not both"),
        (["--named", "one", "out"], 2, "--function"),
        (["--function", "order", "--started-after", "yesterday", "out"], 2, "'yesterday' is no time"),
        (["--function", "order", "--profile", "nobody", "out"], 5, "profile"),
    ],
)
def test_what_is_wrong_is_said(
    aws: RecordedLoopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = durable(aws, "record", *words)
    assert (done.exit_code, says in done.output) == (code, True), done.output
    assert not (tmp_path / "out.jsonl").exists()


def test_a_store_to_a_folder(engine: Engine, tmp_path: Path) -> None:
    store, folder = tmp_path / "store.db", tmp_path / "histories"
    words = ["record", "--all", str(folder), "--store", str(store)]
    done = CliRunner().invoke(cli, words, prog_name="durable")
    assert done.exit_code == 0, done.output
    assert len([*folder.iterdir()]) == 4
    done = CliRunner().invoke(cli, ["record", "one", str(tmp_path / "one.json"), "--store", str(store)])
    assert done.exit_code == 0, done.output
    engine.export_history("one", tmp_path / "exported.json")
    assert read_history(tmp_path / "one.json") == read_history(tmp_path / "exported.json")


# --- `durable replay` ---


@durable_execution
def changed(event: Any, context: DurableContext) -> str:
    for name in "aXc":
        context.step(lambda _: None, name=name)
    return "done"


@durable_execution
def looking(event: Any, context: DurableContext) -> str:
    if context.step(lambda _: None, name="a").startswith("secret"):
        context.step(lambda _: None, name="b")
    context.step(lambda _: None, name="c")
    return "done"


@durable_execution
def nested(event: Any, context: DurableContext) -> int:
    def body(child: DurableContext) -> str:
        return str(child.step(lambda _: "x" * event["size"], name="inner"))

    found = context.run_in_child_context(body, name="c")
    context.map([1, 2], lambda child, item, index, items: child.step(lambda _: found, name="branch"), name="m")
    return len(found)


@pytest.mark.parametrize("jobs", [1, 2])
def test_histories_from_aws_are_checked(aws: RecordedLoopback, jobs: int) -> None:
    words = ("--function", "order", "--status", "succeeded", "--jobs", jobs)
    done = durable(aws, "replay", f"{LOCAL}:order", *words)
    assert (done.exit_code, done.stdout.split()) == (0, ["3", "clean"]), done.output
    done = durable(aws, "replay", f"{LOCAL}:changed", *words)
    assert done.exit_code == 1
    assert "3 diverged: renamed" in done.stdout


def test_one_that_still_runs(aws: RecordedLoopback, engine: Engine) -> None:
    running = engine.create(order, {}, name="running").arn
    done = durable(aws, "replay", f"{LOCAL}:order", "--execution", running)
    assert (done.exit_code, done.stdout.split()) == (0, ["1", "frontier"]), done.output


def test_truncated_payloads_matter_where_they_are_looked_at(aws: RecordedLoopback, tmp_path: Path) -> None:
    aws.truncate_above = 20
    words = ("--function", "order", "--status", "succeeded", "--jobs", 1)
    assert durable(aws, "replay", f"{LOCAL}:order", *words).stdout.split() == ["3", "clean"]
    junit = tmp_path / "out.xml"
    done = durable(aws, "replay", f"{LOCAL}:looking", *words, "--junit", junit)
    assert done.exit_code == 6
    assert "3 not checkable" in done.stdout
    assert "the result of Step 'a', which is truncated" in done.stdout
    suite = ElementTree.fromstring(junit.read_text())
    assert (suite.get("failures"), suite.get("errors"), len(suite.findall("testcase/error"))) == ("0", "3", 3)
    done = durable(aws, "replay", f"{LOCAL}:looking", *words, "--json")
    assert json.loads(done.stdout)["summary"] == {"not checkable": 3}
    assert json.loads(done.stdout)["reports"][0]["verdict"] == "not checkable"
    # What diverges besides decides the exit code.
    assert durable(aws, "replay", f"{LOCAL}:changed", *words).exit_code == 1


@pytest.mark.parametrize("size", [10, 300_000])
def test_contexts_are_tried_both_ways(aws: RecordedLoopback, engine: Engine, size: int) -> None:
    """The result of a context of 300,000 characters is not recorded, which AWS does not say."""
    arn = engine.create(nested, {"size": size}, name="nested").arn
    engine.resume(arn)
    done = durable(aws, "replay", f"{LOCAL}:nested", "--execution", arn)
    assert (done.exit_code, done.stdout.split()) == (0, ["1", "clean"]), done.output


def test_a_recorded_file_says_the_same(aws: RecordedLoopback, tmp_path: Path) -> None:
    aws.truncate_above = 20
    lines = tmp_path / "all.jsonl"
    assert durable(aws, "record", "--function", "order", "--status", "succeeded", lines).exit_code == 0
    for handler, code, says in (("order", 0, "3 clean"), ("looking", 6, "3 not checkable"), ("changed", 1, "renamed")):
        done = CliRunner().invoke(cli, ["replay", f"{LOCAL}:{handler}", str(lines), "--jobs", "1"])
        assert (done.exit_code, says in done.stdout) == (code, True), done.output


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_was_read_before_aws_gives_no_more_is_checked(aws: RecordedLoopback, engine: Engine, jobs: int) -> None:
    one = arn_of(engine, "one")
    absent = one.rpartition("/")[0] + "/absent"
    words = ("replay", f"{LOCAL}:order", "--execution", one, "--execution", absent, "--jobs", jobs)
    done = durable(aws, *words)
    assert (done.exit_code, done.stderr) == (5, ""), done.output
    for part in ("AWS: unreadable", "nothing is read from here on: ", "1 clean", "1 unreadable"):
        assert part in done.stdout
    assert durable(aws, *words[:2], "--execution", absent).exit_code == 3


def test_nothing_to_check_on_aws(aws: RecordedLoopback) -> None:
    assert durable(aws, "replay", f"{LOCAL}:order", "--function", "order", "--named", "nobody").exit_code == 3
    assert durable(aws, "replay", f"{LOCAL}:order", "--function", "nobody").exit_code == 3


# --- measuring ---


def test_histories_from_aws_are_measured(aws: RecordedLoopback) -> None:
    words = ("--function", "order", "--status", "succeeded", "--rounds", 2, "--warm-up", 0)
    done = durable(aws, "bench", f"{LOCAL}:order", *words, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["figures"]["operations"] == 9
    assert durable(aws, "bench", f"{LOCAL}:order", *words, "--limit", 1, "--json").exit_code == 0


def test_nothing_to_measure_on_aws(aws: RecordedLoopback, engine: Engine) -> None:
    """As `durable replay` has it, or for a reason of its own."""
    one = ("--execution", arn_of(engine, "one"))
    for words, code, says in (
        ((f"{LOCAL}:order", "--function", "order", "--named", "nobody"), 3, "nothing to replay"),
        ((f"{LOCAL}:order", "--function", "nobody"), 3, "Function not found"),
        ((f"{LOCAL}:order", "--named", "one"), 2, "--function"),
        (("--function", "order"), 2, "name MODULE:HANDLER"),
        ((f"{LOCAL}:changed", *one), 2, "does not replay one"),
    ):
        done = durable(aws, "bench", *words)
        assert (done.exit_code, says in done.output) == (code, True), done.output
    aws.truncate_above = 20
    done = durable(aws, "bench", f"{LOCAL}:looking", *one)
    assert (done.exit_code, "Payloads of it are truncated" in done.output) == (2, True), done.output
