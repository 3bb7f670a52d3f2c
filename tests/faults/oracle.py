"""Whether a mutated file still keeps the format: decided from RFC 1952 and the IDX format, by none of our code."""

import struct
import zlib

HEADER = 10
TRAILER = 8


def keeps_the_format(packed: bytes, shape: tuple[int, ...]) -> bool:
    """Whether these bytes are whole gzip members that hold an IDX file of unsigned bytes in this shape, labels 0–9."""
    content = decompressed(packed)
    if content is None:
        return False
    header = struct.pack(f">{1 + len(shape)}I", 0x0800 | len(shape), *shape)
    values = content[len(header) :]
    digits = len(shape) > 1 or all(value < 10 for value in values)
    return content.startswith(header) and len(values) == _product(shape) and digits


def decompressed(packed: bytes) -> bytes | None:
    """What all members hold together; None when one is damaged. Between members zeros may stand, as RFC 1952 is read.

    Bits of a header on which no byte of the content depends (time, system, reserved) may have any value.
    """
    content = b""
    rest = packed
    while rest:
        start = _after_header(rest)
        if start is None:
            return None
        engine = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            member = engine.decompress(rest[start:])
        except zlib.error:
            return None
        trailer = engine.unused_data[:TRAILER]
        if not engine.eof or trailer != struct.pack("<II", zlib.crc32(member), len(member) % 2**32):
            return None
        content += member
        rest = engine.unused_data[TRAILER:].lstrip(b"\0")
    return content


def _after_header(member: bytes) -> int | None:
    """Where the compressed bytes begin; None when the header ends too early or is no gzip header."""
    if len(member) < HEADER or member[:3] != b"\x1f\x8b\x08":
        return None
    flags, place = member[3], HEADER
    if flags & 4:
        place += 2 + int.from_bytes(member[place : place + 2], "little")
    for text in (8, 16):  # name, comment
        if flags & text:
            end = member.find(b"\0", place)
            if end < 0:
                return None
            place = end + 1
    place += 2 if flags & 2 else 0
    return place if place <= len(member) else None


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product
