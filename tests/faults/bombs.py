"""Small gzip files that hold many GiB."""

import struct
import zlib
from collections.abc import Iterator

from tests.faults.mutations import pack

MIB = 1 << 20
HEAD = b"\x1f\x8b\x08" + bytes(6) + b"\xff"


def zeros(start: bytes, mib: int) -> bytes:
    """One member: `start`, then so many MiB of zeros; its checksum, which nobody should reach, is wrong."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    first = engine.compress(start) + engine.flush(zlib.Z_FULL_FLUSH)
    block = engine.compress(bytes(16 * MIB)) + engine.flush(zlib.Z_FULL_FLUSH)
    return HEAD + first + block * (mib // 16) + engine.flush() + bytes(8)


def all_of(shape: tuple[int, ...], gib: int) -> Iterator[tuple[str, bytes]]:
    """Bombs in place of a file of this shape, by name."""
    right = struct.pack(f">{1 + len(shape)}I", 0x0800 | len(shape), *shape)
    huge = right[:4] + struct.pack(f">{len(shape)}I", 2**32 - 1, *shape[1:])
    yield f"{gib} GiB of zeros", zeros(b"", 1024 * gib)
    yield f"{gib} GiB after a right header", zeros(right, 1024 * gib)
    yield f"{gib} GiB that the header promises", zeros(huge, 1024 * gib)
    member = pack(bytes(64 * MIB))
    yield f"{gib} GiB in members of 64 MiB", pack(right) + member * (16 * gib)
    yield f"{gib} GiB packed twice", pack(zeros(right, 1024 * gib))
    yield "200,000 empty members", pack(b"") * 200_000
