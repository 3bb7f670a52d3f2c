"""The IDX format: what a file's header says, and whether the file keeps its promise.

A file is big-endian: two zero bytes, a byte for the type of the values (8: unsigned byte), a byte for the number of
dimensions, then each dimension as an unsigned 32-bit integer, then the values, the last dimension running fastest.
Source of the format: the page on which Yann LeCun published MNIST.
"""

import gzip
import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from mnist_pipeline.core.errors import PipelineError

SIZE = 28
CLASSES = 10
LABELS_MAGIC = 2049
IMAGES_MAGIC = 2051
LONGEST_HEADER = 16
CHUNK = 1 << 20
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Field:
    """One field of a header: where it stands, what it is called, what was found and what that means."""

    offset: int
    name: str
    value: int
    meaning: str


def expected_bytes(shape: tuple[int, ...]) -> int:
    """Length of a whole IDX file that holds unsigned bytes of this shape."""
    return 4 + 4 * len(shape) + int(np.prod(shape, dtype=object))


def unpack(packed: Path, target: Path, shape: tuple[int, ...]) -> str:
    """Decompress a `.gz` file that promises values of this shape to `target`; returns the SHA-256 of what was written.

    Reads in pieces and never past what the shape takes, so that neither a large file nor a bomb fills the memory.
    Raises PipelineError when the file is not gzip, is damaged, or is shorter or longer than the shape asks for.
    """
    temporary = target.with_name(target.name + ".part")
    try:
        with gzip.open(packed) as source, temporary.open("wb") as sink:
            digest = _copy_checked(packed, source, sink, shape)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        temporary.unlink(missing_ok=True)
        raise PipelineError(f"{packed}: not a whole gzip file ({error}); delete it and download it again") from error
    except PipelineError:
        temporary.unlink(missing_ok=True)
        raise
    temporary.replace(target)
    return digest


def _copy_checked(packed: Path, source: gzip.GzipFile, sink: IO[bytes], shape: tuple[int, ...]) -> str:
    digest, expected = hashlib.sha256(), expected_bytes(shape)
    chunk = source.read(LONGEST_HEADER)
    _check_header(packed, chunk, shape)
    length = 0
    while chunk and length <= expected:
        length += len(chunk)
        digest.update(chunk)
        sink.write(chunk)
        chunk = source.read(CHUNK)
    if length != expected:
        found = f"more than {expected}" if length > expected else str(length)
        raise PipelineError(f"{packed}: length: expected {expected} bytes for shape {shape}, found {found}")
    return digest.hexdigest()


def _check_header(path: Path, content: bytes, shape: tuple[int, ...]) -> None:
    expected = [LABELS_MAGIC if len(shape) == 1 else IMAGES_MAGIC, *shape]
    fields = header(path, content)
    for field, value in zip(fields, expected, strict=False):
        if field.value != value:
            raise PipelineError(f"{path}: {field.name}: expected {value}, found {field.value} ({field.meaning})")


def header(path: Path, content: bytes) -> list[Field]:
    """The fields of a header, each with its meaning. Raises PipelineError when the bytes end before the header does."""
    names = ["magic number", "count", "rows", "columns"]
    meanings = {
        "magic number": _explain_magic(content),
        "count": "how many images or labels follow",
        "rows": "height of each image in pixels",
        "columns": "width of each image in pixels",
    }
    dimensions = content[3] if len(content) >= 4 and content[3] in (1, 3) else 0
    length = 4 + 4 * dimensions
    if len(content) < length or len(content) < 4:
        raise PipelineError(f"{path}: header: expected {max(length, 4)} bytes, found {len(content)}")
    values = struct.unpack_from(f">{1 + dimensions}I", content)
    return [
        Field(4 * i, name, value, meanings[name]) for i, (name, value) in enumerate(zip(names, values, strict=False))
    ]


def _explain_magic(content: bytes) -> str:
    if len(content) < 4:
        return "cut off"
    kind = "unsigned bytes" if content[2] == 8 else f"values of type {content[2]}"
    start = "" if content[:2] == b"\0\0" else "not an IDX file: it does not begin with two zero bytes; "
    return f"{start}{kind} in {content[3]} dimensions"


def check_labels(path: Path, labels: Bytes) -> None:
    """Raises PipelineError unless every label is a digit, naming the first that is not."""
    wrong = np.flatnonzero(labels >= CLASSES)
    if wrong.size:
        index = int(wrong[0])
        raise PipelineError(f"{path}: label {index}: expected 0–{CLASSES - 1}, found {labels[index]}")


def read(path: Path) -> Bytes:
    """The values of a decompressed IDX file of unsigned bytes, memory-mapped, in the shape its header gives.

    Raises PipelineError when the file is missing or is not as long as its header says.
    """
    try:
        with path.open("rb") as stream:
            fields = header(path, stream.read(LONGEST_HEADER))
        shape = tuple(field.value for field in fields[1:])
        if path.stat().st_size != expected_bytes(shape):
            raise PipelineError(f"{path}: length: expected {expected_bytes(shape)}, found {path.stat().st_size}")
        return np.memmap(path, np.uint8, "r", 4 + 4 * len(shape), shape)
    except FileNotFoundError:
        raise PipelineError(f"{path}: not found; run `make repro` or `dvc repro verify` first") from None


def explain(path: Path) -> str:
    """Each field of a file's header on a line of its own: offset, name, value, meaning."""
    try:
        with path.open("rb") as stream:
            fields = header(path, stream.read(LONGEST_HEADER))
    except FileNotFoundError:
        raise PipelineError(f"{path}: not found; run `make repro` or `dvc repro verify` first") from None
    rows = [f"  byte {field.offset:>2}  {field.name:12}  {field.value:>6}  {field.meaning}" for field in fields]
    first = 4 * len(fields)
    return "\n".join([str(path), *rows, f"  byte {first:>2}  values        one byte each, to the end of the file"])
