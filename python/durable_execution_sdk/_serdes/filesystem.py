"""A serializer that keeps values in files. It touches the file system, so it is not pure.

What is stored is what the official SDK 3.0.0 stores, and it reads ours: the same envelope, the same paths. Two things
are added. The envelope also has the length and the SHA-256 of the file, which others ignore, so that a file that was
torn, or replaced by a later attempt, is noticed instead of read. And no path leaves the root: neither one made from an
execution's ARN (`..` is a legal function name as far as the pattern goes), nor one that is read from history, where
callback results come from outside.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol
from urllib.parse import quote

from durable_execution_sdk._model.arn import DurableExecutionArn
from durable_execution_sdk._model.checks import check_optional_callable, check_optional_serdes, refusal
from durable_execution_sdk._model.errors import SerDesError
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.serdes import SerDes, SerDesContext
from durable_execution_sdk._serdes.text import EXTENDED_TYPES_SERDES

# 256 KiB, from which on history does not keep a context's result, less a kibibyte for what surrounds the envelope.
OVERFLOW_BYTES: Final = 262_144 - 1_024


@public("filesystem_serdes")
class FileSystemSerDesMode(StrEnum):
    """When a value goes to a file."""

    ALWAYS = "ALWAYS"
    OVERFLOW = "OVERFLOW"
    """Only when its envelope would exceed 261,120 bytes."""


@public("filesystem_serdes")
class FileSystemPathEncoding(StrEnum):
    """How the path of a file is made."""

    URI = "URI"
    """`<function>/<execution name>/<id>/<operation id>.json`; the whole ARN, escaped, if it is not an execution's."""

    HASH = "HASH"
    """`<SHA-256 of the ARN>/<SHA-256 of the operation id>.json`."""


@public("filesystem_serdes")
class GeneratePreview(Protocol):
    """Makes a preview of a value, to be kept beside the path; see `build_preview`."""

    def __call__(self, value: Any) -> dict[str, Any] | None:
        """The preview; None or an empty dict for none."""
        ...


@public("filesystem_serdes")
@dataclass(frozen=True)
class FileSystemSerDesConfig:
    """Options of `FileSystemSerDes`.

    Args:
        storage_mode: When a value goes to a file.
        path_encoding: How the path of a file is made.
        generate_preview: Makes what history shows of a value in a file.
        serdes: Writes the values themselves.

    Raises:
        ValidationError: A value is of the wrong kind.
    """

    storage_mode: FileSystemSerDesMode = FileSystemSerDesMode.ALWAYS
    path_encoding: FileSystemPathEncoding = FileSystemPathEncoding.URI
    generate_preview: GeneratePreview | None = None
    serdes: SerDes[Any] = EXTENDED_TYPES_SERDES

    def __post_init__(self) -> None:
        if not isinstance(self.storage_mode, FileSystemSerDesMode):
            raise refusal("storage_mode", self.storage_mode, "a FileSystemSerDesMode")
        if not isinstance(self.path_encoding, FileSystemPathEncoding):
            raise refusal("path_encoding", self.path_encoding, "a FileSystemPathEncoding")
        check_optional_callable("generate_preview", self.generate_preview)
        check_optional_serdes("serdes", self.serdes)


@public("filesystem_serdes")
class FileSystemSerDes(SerDes[Any]):
    """Keeps values in files under a root, and only their path in history.

    The root must be durable and seen by every invocation: EFS or S3 Files on AWS, a directory on your own machine.
    Lambda's own `/tmp` is neither.

    Args:
        base_path: The root. It is made when the first value is written.
        config: Options.

    Raises:
        ValidationError: The root is empty, or no path.
    """

    def __init__(self, base_path: str, config: FileSystemSerDesConfig | None = None) -> None:
        try:
            self._root = os.fspath(base_path)
        except TypeError:
            raise refusal("base_path", base_path, "a path") from None
        if not self._root:
            raise refusal("base_path", base_path, "a non-empty path")
        self._config = config or FileSystemSerDesConfig()

    def serialize(self, value: Any, serdes_context: SerDesContext) -> str:
        """Write the value, and return the envelope that history keeps.

        Raises:
            SerDesError: The value cannot be written, or the file.
        """
        text = self._config.serdes.serialize(value, serdes_context)
        if self._config.storage_mode is FileSystemSerDesMode.OVERFLOW:
            inline = json.dumps({"data": text})
            if len(inline) <= OVERFLOW_BYTES:  # ASCII, so characters are bytes
                return inline
        content = text.encode("utf-8", "surrogatepass")
        path = self._path(serdes_context)
        _store(path, content)
        envelope: dict[str, Any] = {"file": path}
        preview = self._config.generate_preview(value) if self._config.generate_preview is not None else None
        if preview:
            envelope["preview"] = preview
        envelope["size"] = len(content)
        envelope["sha256"] = hashlib.sha256(content).hexdigest()
        return json.dumps(envelope)

    def deserialize(self, data: str, serdes_context: SerDesContext) -> Any:
        """Read the value that an envelope holds or points to.

        Raises:
            SerDesError: The envelope is none, or its file is outside the root, missing, torn or replaced.
        """
        envelope = json.loads(data)
        if not isinstance(envelope, dict) or not isinstance(envelope.get("file", envelope.get("data")), str):
            raise SerDesError(f"not an envelope of FileSystemSerDes: {data[:200]!r}")
        text = envelope["data"] if "file" not in envelope else self._load(envelope)
        return self._config.serdes.deserialize(text, serdes_context)

    def _path(self, context: SerDesContext) -> str:
        """Where the value of an operation goes."""
        if self._config.path_encoding is FileSystemPathEncoding.HASH:
            parts = [_digest(context.durable_execution_arn)]
            name = _digest(context.operation_id)
        else:
            arn = DurableExecutionArn.from_arn(context.durable_execution_arn)
            if arn is not None:
                parts = [_segment(part) for part in (arn.function_name, arn.execution_name, arn.invocation_id)]
            else:
                parts = [_segment(quote(context.durable_execution_arn, safe=""))]
            name = quote(context.operation_id, safe="")
        return os.path.join(self._root, *parts, f"{name}.json")

    def _load(self, envelope: dict[str, Any]) -> str:
        path: str = envelope["file"]
        root = os.path.realpath(self._root)
        target = os.path.realpath(path)
        if os.path.commonpath([root, target]) != root:
            raise SerDesError(f"the file {path!r} is not under {self._root!r}, so it is not read")
        try:
            with open(target, "rb") as file:
                content = file.read()
        except OSError as error:
            raise SerDesError(f"cannot read the stored value: {error}") from error
        size, digest = envelope.get("size"), envelope.get("sha256")
        if size is not None and size != len(content):
            raise SerDesError(f"the file {path!r} has {len(content)} bytes where {size} were written: torn or replaced")
        if digest is not None and digest != hashlib.sha256(content).hexdigest():
            raise SerDesError(f"the file {path!r} is not the one that was written: its SHA-256 differs")
        return content.decode("utf-8", "surrogatepass")


@public("filesystem_serdes")
def create_filesystem_serdes(base_path: str, config: FileSystemSerDesConfig | None = None) -> FileSystemSerDes:
    """Make a `FileSystemSerDes`, under the name that the official JavaScript SDK gives it."""
    return FileSystemSerDes(base_path, config)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _segment(part: str) -> str:
    """A part of a path that names an entry of its directory, and nothing else."""
    return part.replace(".", "%2E") if part in {".", ".."} else part.replace("\0", "%00")


def _store(path: str, content: bytes) -> None:
    """Put a file in place as a whole: written beside it, made durable, then renamed."""
    directory = os.path.dirname(path)
    # Its own name, for another attempt, in another process, may be writing the same value.
    draft = os.path.join(directory, f".{os.getpid()}-{os.urandom(8).hex()}.tmp")
    try:
        os.makedirs(directory, exist_ok=True)
        try:
            with open(draft, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        except BaseException:
            if os.path.exists(draft):
                os.unlink(draft)
            raise
        _sync_directory(directory)
    except OSError as error:
        raise SerDesError(f"cannot store the value in {path!r}: {error}") from error


def _sync_directory(directory: str) -> None:
    """Make the new name durable too, where the file system can; object stores mounted as one often cannot."""
    try:
        handle = os.open(directory, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        return
    finally:
        os.close(handle)
