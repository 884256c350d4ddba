"""Values in files: where they go, what history keeps, and what is noticed when a file is not what it was."""

from __future__ import annotations

import hashlib
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durable_execution_sdk.exceptions import SerDesError, ValidationError
from durable_execution_sdk.filesystem_serdes import (
    FileSystemPathEncoding,
    FileSystemSerDes,
    FileSystemSerDesConfig,
    FileSystemSerDesMode,
    create_filesystem_serdes,
)
from durable_execution_sdk.serdes import JsonSerDes, SerDesContext, deserialize

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders:1/durable-execution/o-17/a4"
CONTEXT = SerDesContext("op/1", ARN)
VALUE = {"total": Decimal("1.50"), "lines": [(1, "é")]}


def test_always(tmp_path: Path) -> None:
    serdes = FileSystemSerDes(str(tmp_path))
    envelope = json.loads(serdes.serialize(VALUE, CONTEXT))
    path = tmp_path / "orders" / "o-17" / "a4" / "op%2F1.json"
    assert envelope == {
        "file": str(path),
        "size": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    assert serdes.deserialize(json.dumps(envelope), CONTEXT) == VALUE


def test_what_the_official_sdk_stores_is_read(tmp_path: Path) -> None:
    path = tmp_path / "official.json"
    path.write_text('{"t":"d","v":"1.5"}', encoding="utf-8")
    assert FileSystemSerDes(str(tmp_path)).deserialize(json.dumps({"file": str(path)}), CONTEXT) == Decimal("1.5")
    assert FileSystemSerDes(str(tmp_path)).deserialize('{"data": "[1, 2]"}', CONTEXT) == [1, 2]


def test_hashed_paths(tmp_path: Path) -> None:
    serdes = create_filesystem_serdes(str(tmp_path), FileSystemSerDesConfig(path_encoding=FileSystemPathEncoding.HASH))
    envelope = json.loads(serdes.serialize(1, CONTEXT))
    digests = [hashlib.sha256(part.encode()).hexdigest() for part in (ARN, "op/1")]
    assert envelope["file"] == str(tmp_path / digests[0] / f"{digests[1]}.json")


def test_an_arn_of_another_form_is_one_directory(tmp_path: Path) -> None:
    envelope = json.loads(FileSystemSerDes(str(tmp_path)).serialize(1, SerDesContext("op", "local/1:x")))
    assert envelope["file"] == str(tmp_path / "local%2F1%3Ax" / "op.json")


def test_overflow_starts_above_its_threshold(tmp_path: Path) -> None:
    config = FileSystemSerDesConfig(storage_mode=FileSystemSerDesMode.OVERFLOW, serdes=JsonSerDes())
    serdes = FileSystemSerDes(str(tmp_path), config)
    frame = len(json.dumps({"data": json.dumps("")}))
    fits = "x" * (262_144 - 1_024 - frame)
    inline = serdes.serialize(fits, CONTEXT)
    assert len(inline) == 261_120
    assert json.loads(inline) == {"data": json.dumps(fits)}
    assert not list(tmp_path.iterdir())
    assert "file" in json.loads(serdes.serialize(fits + "x", CONTEXT))
    for text in (fits, fits + "x"):
        assert serdes.deserialize(serdes.serialize(text, CONTEXT), CONTEXT) == text


@pytest.mark.parametrize(("preview", "kept"), [({"id": 7}, True), ({}, False), (None, False)])
def test_previews(tmp_path: Path, preview: dict[str, Any] | None, kept: bool) -> None:
    serdes = FileSystemSerDes(str(tmp_path), FileSystemSerDesConfig(generate_preview=lambda value: preview))
    envelope = json.loads(serdes.serialize(VALUE, CONTEXT))
    assert ("preview" in envelope) is kept
    assert envelope.get("preview") == (preview or None)


def stored(serdes: FileSystemSerDes) -> tuple[str, Path]:
    envelope = serdes.serialize(VALUE, CONTEXT)
    return envelope, Path(json.loads(envelope)["file"])


def test_a_torn_file_is_noticed(tmp_path: Path) -> None:
    serdes = FileSystemSerDes(str(tmp_path))
    envelope, path = stored(serdes)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(SerDesError, match="torn or replaced"):
        serdes.deserialize(envelope, CONTEXT)


def test_a_replaced_file_is_noticed(tmp_path: Path) -> None:
    serdes = FileSystemSerDes(str(tmp_path))
    envelope, path = stored(serdes)
    path.write_bytes(path.read_bytes().replace(b"1.50", b"9.99"))
    with pytest.raises(SerDesError, match="SHA-256 differs"):
        serdes.deserialize(envelope, CONTEXT)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    serdes = FileSystemSerDes(str(tmp_path))
    envelope, path = stored(serdes)
    path.unlink()
    with pytest.raises(SerDesError, match=r"cannot read the stored value: .*op%2F1\.json"):
        serdes.deserialize(envelope, CONTEXT)


def test_writing_leaves_the_whole_file_and_nothing_else(tmp_path: Path) -> None:
    serdes = FileSystemSerDes(str(tmp_path))
    _, path = stored(serdes)
    stored(serdes)
    assert [entry.name for entry in path.parent.iterdir()] == ["op%2F1.json"]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    serdes = FileSystemSerDes(str(tmp_path))
    _, path = stored(serdes)
    path.unlink()
    path.mkdir()  # a file cannot be renamed onto a directory
    with pytest.raises(SerDesError, match="cannot store the value"):
        serdes.serialize(VALUE, CONTEXT)
    assert [entry.name for entry in path.parent.iterdir()] == ["op%2F1.json"]


def test_a_file_outside_the_root_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('"secret"', encoding="utf-8")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.json").symlink_to(secret)
    serdes = FileSystemSerDes(str(root))
    for path in (secret, root / ".." / "secret.json", root / "link.json", Path("/etc/hostname")):
        with pytest.raises(SerDesError, match="is not under"):
            serdes.deserialize(json.dumps({"file": str(path)}), CONTEXT)


segments = st.sampled_from(["..", ".", "a", "a b", "...", "%2E%2E", "é"]) | st.text(
    st.characters(exclude_characters=":/", exclude_categories=["Cs"]), min_size=1, max_size=8
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(segments, segments, segments), st.sampled_from(["..", "../../x", "/etc/x", "a/../b", "ok"]))
def test_no_path_leaves_the_root(tmp_path: Path, parts: tuple[str, str, str], operation_id: str) -> None:
    root = tmp_path / "root"
    function, name, invocation = parts
    arn = f"arn:aws:lambda:r:a:function:{function}:1/durable-execution/{name}/{invocation}"
    serdes = FileSystemSerDes(str(root))
    for context in (SerDesContext(operation_id, arn), SerDesContext(operation_id, function)):
        path = os.path.realpath(json.loads(serdes.serialize(1, context))["file"])
        assert path.startswith(os.path.realpath(root) + os.sep)
    assert {entry.name for entry in tmp_path.iterdir()} == {"root"}


@pytest.mark.parametrize("text", ["[]", "{}", '{"file": 5}', '{"data": null}', "1"])
def test_what_is_no_envelope_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SerDesError, match="not an envelope"):
        FileSystemSerDes(str(tmp_path)).deserialize(text, CONTEXT)


def test_broken_json_is_a_serialization_failure(tmp_path: Path) -> None:
    with pytest.raises(SerDesError, match="JSONDecodeError"):
        deserialize(FileSystemSerDes(str(tmp_path)), "{", "op", ARN)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: FileSystemSerDes(""), "base_path must be a non-empty path"),
        (lambda: FileSystemSerDes(5), "base_path must be a path, got: 5"),  # type: ignore[arg-type]  # refused
        (lambda: FileSystemSerDesConfig(storage_mode="ALWAYS"), "storage_mode must be a"),  # type: ignore[arg-type]  # refused
        (lambda: FileSystemSerDesConfig(path_encoding="URI"), "path_encoding must be a"),  # type: ignore[arg-type]  # refused
        (lambda: FileSystemSerDesConfig(generate_preview=1), "generate_preview must be callable"),  # type: ignore[arg-type]  # refused
        (lambda: FileSystemSerDesConfig(serdes=1), "serdes must be None or a SerDes"),  # type: ignore[arg-type]  # refused
    ],
)
def test_bad_options(make: Any, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        make()
