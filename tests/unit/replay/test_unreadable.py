"""What stands where histories are and is none: said in its place, whatever it is, and nothing raises."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.engine import Engine
from durable_execution_sdk.replay import History, Unreadable, check, read
from durable_execution_sdk.replay.portions import bytes_in


@durable_execution
def handler(event: Any, context: DurableContext) -> None:
    context.step(lambda _: None, name="first")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.json"
    with Engine() as engine:
        engine.run(handler, {}, name="good")
        engine.export_history("good", path)
    return path


def why(path: Path) -> str:
    [found] = read(path)
    assert isinstance(found, Unreadable)
    report = check(handler, found)
    assert (report.history, report.verdict, report.note, report.ok) == (found.name, "unreadable", found.why, False)
    return found.why


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"{", "it is no JSON: Expecting property name enclosed in double quotes at column 2"),
        (b'{\n"arn": ', "it is no JSON: Expecting value at line 2, column 8"),
        (b"caf\xe9", "it is no JSON: its bytes are no UTF-8"),
        (b"[" * 100_000, "it is no JSON: it is nested too deeply"),
        (
            b"{}\n{}",
            "it is no JSON: Extra data at line 2, column 1 (one history a line makes a file that ends in .jsonl)",
        ),
        (b"SQLite format 3\0 and more", "it is a store: name it with --store"),
        (b"1", "it is no JSON object"),
        (b"{}", "it has no execution ARN, or no operations"),
        (b'{"formatVersion": 9}', "it has format version 9; this version of durable-execution-sdk reads up to 1"),
        (b'{"formatVersion": 1}', "it is no complete history file: 'execution' is missing"),
        (b'{"arn": "a", "operations": [1]}', "its operation 0 is none: it is int"),
        (b'{"arn": "a", "operations": [{"Id": "1"}]}', "its operation 0 is none: it has no Id, or no Type"),
        (b'{"arn": "a", "operations": [{"Id": "1", "Type": "STEP"}]}', "its operation 0 is no EXECUTION but STEP"),
        (b'{"arn": "a", "execution": []}', "its 'execution' is list and not dict"),
    ],
)
def test_what_is_in_a_file_and_in_a_line_of_one(tmp_path: Path, text: bytes, says: str) -> None:
    (tmp_path / "bad.json").write_bytes(text)
    assert why(tmp_path / "bad.json").startswith(says)
    if b"\n" not in text:
        (tmp_path / "bad.jsonl").write_bytes(text + b"\n" if text else b"")
        assert why(tmp_path / "bad.jsonl").startswith(says)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("Name", 1, "its Name is int"),
        ("ParentId", [], "its ParentId is list"),
        ("StepDetails", "null", "its details are str"),
        ("Id", None, "it has no Id, or no Type"),
    ],
)
def test_what_is_in_an_operation(good: Path, key: str, value: object, says: str) -> None:
    found = json.loads(good.read_text())
    found["operations"][1][key] = value
    good.write_text(json.dumps(found))
    assert why(good).startswith(f"its operation 1 is none: {says}")


def test_what_is_no_file(tmp_path: Path, good: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "a folder.json").mkdir(parents=True)
    (folder / "a folder.json" / "good.json").write_bytes(good.read_bytes())
    (folder / "dangling.json").symlink_to("nowhere")
    (folder / "dangling.jsonl").symlink_to("nowhere")
    (folder / "folder.json").symlink_to(".")
    (folder / "link.json").symlink_to(good)
    (folder / "loop.json").symlink_to("loop.json")
    os.mkfifo(folder / "pipe.json")
    found = {Path(each.name).name: each for each in read(folder)}
    assert [name for name, each in found.items() if isinstance(each, History)] == ["good.json", "link.json"]
    assert {name: each.why.partition(":")[0] for name, each in found.items() if isinstance(each, Unreadable)} == {
        "dangling.json": "it cannot be read",
        "dangling.jsonl": "it cannot be read",
        "folder.json": "it is a link to a folder, and those are not followed",
        "loop.json": "it cannot be read",
        "pipe.json": "it is no regular file",
    }
    assert bytes_in(folder) >= 2 * good.stat().st_size
    assert why(folder / "loop.json").startswith("it cannot be read: ")


def test_a_file_that_is_gone_before_it_is_read(tmp_path: Path, good: Path) -> None:
    (tmp_path / "lines.jsonl").write_text(" ".join(good.read_text().splitlines()) + "\n")
    each = read(tmp_path)
    assert isinstance(next(each), History)
    (tmp_path / "lines.jsonl").unlink()
    [left] = each
    assert isinstance(left, Unreadable)
    assert (Path(left.name).name, left.why) == ("lines.jsonl", "it cannot be read: No such file or directory")
