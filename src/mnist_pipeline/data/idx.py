"""The IDX format, after the page on which Yann LeCun published MNIST: headers, and whether files keep their promise.

A file is big-endian: two zero bytes, a byte for the type of the values (8: unsigned byte), a byte for the number of
dimensions, then each dimension as an unsigned 32-bit integer, then the values, the last dimension running fastest.
"""

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import whole

SIZE = 28
UNSIGNED_BYTES = 0x0800  # of the magic number; the number of dimensions is added to it
LONGEST_HEADER = 16
CHUNK = 1 << 20
Bytes = npt.NDArray[np.uint8]


def expected_bytes(shape: tuple[int, ...]) -> int:
    """Length of a whole IDX file that holds unsigned bytes of this shape."""
    return 4 + 4 * len(shape) + math.prod(shape)


def unpack(packed: Path, target: Path, shape: tuple[int, ...]) -> str:
    """Decompress a `.gz` file to `target`, against bombs never past what this shape takes; the SHA-256 of all values.

    Raises PipelineError when it is no whole gzip file, or holds less or more or anything else than the shape asks for.
    """
    digest, expected = hashlib.sha256(), expected_bytes(shape)
    try:
        with whole(target) as part, gzip.open(packed) as source, part.open("wb") as sink:
            chunk = source.read(LONGEST_HEADER)
            promised = (UNSIGNED_BYTES + len(shape), *shape)
            for (name, value, meaning), right in zip(header(packed, chunk), promised, strict=False):
                if value != right:
                    raise PipelineError(f"{packed}: {name}: expected {right}, found {value} ({meaning})")
            while chunk and sink.tell() <= expected:
                digest.update(chunk)
                sink.write(chunk)
                chunk = source.read(CHUNK)
            if sink.tell() != expected:
                found = f"more than {expected}" if sink.tell() > expected else sink.tell()
                raise PipelineError(f"{packed}: length: expected {expected} bytes for shape {shape}, found {found}")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise PipelineError(f"{packed}: not a whole gzip file ({error}); delete it and download it again") from error
    return digest.hexdigest()


def header(path: Path, content: bytes) -> list[tuple[str, int, str]]:
    """Name, value and meaning of each integer of a header. Raises PipelineError when the bytes end before it does."""
    dimensions = content[3] if len(content) >= 4 and content[3] in (1, 3) else 0
    length = 4 + 4 * dimensions
    if len(content) < length:
        raise PipelineError(f"{path}: header: expected {length} bytes, found {len(content)}")
    start = "" if content[:2] == b"\0\0" else "not an IDX file: it does not begin with two zero bytes; "
    kind = "unsigned bytes" if content[2] == 8 else f"values of type {content[2]}"
    described = {
        "magic number": f"{start}{kind} in {content[3]} dimensions",
        "count": "how many images or labels follow",
        "rows": "height of each image in pixels",
        "columns": "width of each image in pixels",
    }
    values = struct.unpack_from(f">{1 + dimensions}I", content)
    return [(name, value, meaning) for (name, meaning), value in zip(described.items(), values, strict=False)]


def read(path: Path) -> Bytes:
    """The values (uint8) of an IDX file, memory-mapped; PipelineError if it is missing or not as long as it says."""
    shape = tuple(value for _, value, _ in _header_of(path)[1:])
    expected, found = expected_bytes(shape), path.stat().st_size
    if found != expected:
        raise PipelineError(f"{path}: length: expected {expected}, found {found}")
    return np.memmap(path, np.uint8, "r", 4 + 4 * len(shape), shape)


def transpose(path: Path) -> None:
    """Exchange rows and columns of every image in a decompressed file, in pieces."""
    images = read(path)
    with whole(path) as part, part.open("wb") as sink, path.open("rb") as source:
        sink.write(source.read(LONGEST_HEADER))
        for first in range(0, len(images), CHUNK // SIZE**2):
            sink.write(images[first : first + CHUNK // SIZE**2].transpose(0, 2, 1).tobytes())


def explain(path: Path) -> str:
    """Each field of a file's header on a line of its own: offset, name, value, meaning."""
    lines = [f"{name:12}  {value:>6}  {meaning}" for name, value, meaning in _header_of(path)]
    lines.append("values        one byte each, to the end of the file")
    return "\n".join([str(path), *(f"  byte {4 * place:>2}  {line}" for place, line in enumerate(lines))])


def _header_of(path: Path) -> list[tuple[str, int, str]]:
    try:
        with path.open("rb") as stream:
            return header(path, stream.read(LONGEST_HEADER))
    except FileNotFoundError:
        raise PipelineError(f"{path}: not found; run `make repro` or `dvc repro verify` first") from None
