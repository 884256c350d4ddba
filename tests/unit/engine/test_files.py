"""Files that appear when they are complete."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from durable_execution_sdk.engine.files import SHARED, whole_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("before")
    path.chmod(0o644)
    with whole_file(path) as file:
        file.write("now")
        file.flush()
        assert path.read_text() == "before"
    assert (path.read_text(), path.stat().st_mode & 0o777, names(tmp_path)) == ("now", 0o600, ["out"])


def test_others_may_read_what_is_shared(tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        with whole_file(tmp_path / "out", mode=SHARED) as file:
            file.write("now")
    finally:
        os.umask(umask)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_nothing_is_left_of_what_is_interrupted(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "out"
    path.write_text("before")

    def interrupted() -> None:
        with whole_file(path) as file:
            file.write("half")
            file.flush()
            raise error

    with pytest.raises(error):
        interrupted()
    assert (path.read_text(), names(tmp_path)) == ("before", ["out"])


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "link").symlink_to("below/out")
    for text in ("first", "second"):
        with whole_file(tmp_path / "link") as file:
            file.write(text)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "below" / "out").read_text() == text
    assert names(tmp_path / "below") == ["out"]


@pytest.mark.parametrize(
    ("place", "error"),
    [("absent/out", FileNotFoundError), ("folder", IsADirectoryError), ("file/out", NotADirectoryError)],
)
def test_where_no_file_can_be_is_told_before(tmp_path: Path, place: str, error: type[OSError]) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("before")
    with pytest.raises(error) as told, whole_file(tmp_path / place):
        raise AssertionError("the block has begun")
    assert told.value.filename == str(tmp_path / place)
    assert names(tmp_path) == ["file", "folder"]


def test_a_pipe_and_a_device_are_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(pipe) as file:
        file.write("through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert pipe.is_fifo()
    with pytest.raises(OSError, match="No space left") as told, whole_file(Path("/dev/full")) as file:
        file.write("x" * 100_000)
    assert told.value.filename == "/dev/full"
    assert Path("/dev/full").is_char_device()
