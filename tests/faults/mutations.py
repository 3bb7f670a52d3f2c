"""Ways to damage a published file; each is told apart by name and repeatable from its random state."""

import bz2
import gzip
import lzma
import struct
import zlib
from collections.abc import Callable
from random import Random

Change = Callable[[Random, bytes], bytes]
PAGE = b"<!DOCTYPE html><html><body>403 Forbidden</body></html>"
SIZES = (0, 1, 2, 9, 27, 29, 255, 256, 2**16, 2**31 - 1, 2**31, 2**32 - 28, 2**32 - 1)


def pack(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


def _inside(change: Change) -> Change:
    """The change, made to what a gzip file holds."""
    return lambda random, packed: pack(change(random, gzip.decompress(packed)))


def _flip(random: Random, content: bytes, first: int = 0, last: int | None = None) -> bytes:
    place = random.randrange(first, len(content) if last is None else last)
    return content[:place] + bytes([content[place] ^ 1 << random.randrange(8)]) + content[place + 1 :]


def _some(random: Random, most: int = 64) -> bytes:
    return random.randbytes(random.randint(1, most))


def _put(content: bytes, place: int, new: bytes) -> bytes:
    return content[:place] + new + content[place + len(new) :]


def _with_fields(random: Random, packed: bytes) -> bytes:
    """A header with time, system, extra field, name and comment, as packers write them."""
    flags, fields = 0, b""
    text = _some(random).replace(b"\0", b"n")
    for flag, field in ((4, struct.pack("<H", len(text)) + text), (8, text + b"\0"), (16, text + b"\0")):
        if random.random() < 0.5:
            flags, fields = flags | flag, fields + field
    head = b"\x1f\x8b\x08" + bytes([flags]) + random.randbytes(4) + b"\0" + bytes([random.randrange(14)])
    return head + fields + packed[10:]


def _in_members(random: Random, content: bytes) -> bytes:
    cuts = sorted(random.randrange(len(content)) for _ in range(random.randint(1, 5)))
    return b"".join(pack(content[a:b]) for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True))


def _dimensions(content: bytes) -> int:
    return content[3]


def _dimension(random: Random, content: bytes) -> bytes:
    return _put(content, 4 + 4 * random.randrange(_dimensions(content)), struct.pack(">I", random.choice(SIZES)))


def _other_shape(random: Random, content: bytes) -> bytes:
    """A file that is right in itself, but of another shape."""
    number = _dimensions(content)
    shape = list(struct.unpack_from(f">{number}I", content, 4))
    shape[random.randrange(number)] += random.choice((-1, 1, 3))
    size = 1
    for length in shape:
        size *= length
    return content[:4] + struct.pack(f">{number}I", *shape) + bytes(size)


def _other_type(random: Random, content: bytes) -> bytes:
    kind, width = random.choice([(0x09, 1), (0x0B, 2), (0x0C, 4), (0x0D, 4), (0x0E, 8)])
    start = 4 + 4 * _dimensions(content)
    return _put(content, 2, bytes([kind]))[:start] + bytes(width * (len(content) - start))


def _value(random: Random, content: bytes, lowest: int, highest: int) -> bytes:
    place = random.randrange(4 + 4 * _dimensions(content), len(content))
    return _put(content, place, bytes([random.randint(lowest, highest)]))


def _little_endian(_: Random, content: bytes) -> bytes:
    number = 1 + _dimensions(content)
    return struct.pack(f"<{number}I", *struct.unpack_from(f">{number}I", content)) + content[4 * number :]


def _lose(random: Random, packed: bytes) -> bytes:
    place = random.randrange(len(packed))
    return packed[:place] + packed[place + random.randint(1, 64) :]


def _insert(random: Random, packed: bytes) -> bytes:
    place = random.randrange(len(packed))
    return packed[:place] + _some(random) + packed[place:]


MUTATIONS: dict[str, Change] = {
    "a bit anywhere": _flip,
    "a bit of gzip's header": lambda random, packed: _flip(random, packed, last=10),
    "a bit of gzip's checksum or length": lambda random, packed: _flip(random, packed, first=len(packed) - 8),
    "cut off": lambda random, packed: packed[: random.randrange(len(packed))],
    "bytes after the end": lambda random, packed: packed + _some(random),
    "zeros after the end": lambda random, packed: packed + bytes(random.randint(1, 600)),
    "a second member": lambda random, packed: packed + pack(_some(random)),
    "an empty member": lambda random, packed: b"".join(random.sample([packed, pack(b"")], 2)),
    "cut into members": lambda random, packed: _in_members(random, gzip.decompress(packed)),
    "fields of gzip's header": _with_fields,
    "bytes lost": _lose,
    "bytes put between": _insert,
    "bytes overwritten": lambda random, packed: _put(packed, random.randrange(len(packed) - 8), _some(random, 8)),
    "not compressed": lambda _, packed: gzip.decompress(packed),
    "compressed twice": lambda _, packed: pack(packed),
    "another packer": lambda random, packed: random.choice([zlib, bz2, lzma]).compress(gzip.decompress(packed)),
    "no such file": lambda random, _: random.choice([b"", PAGE, pack(PAGE), pack(b""), _some(random, 5000)]),
    "a bit of the IDX header": _inside(lambda random, content: _flip(random, content, 0, 4 + 4 * _dimensions(content))),
    "a dimension": _inside(_dimension),
    "another shape": _inside(_other_shape),
    "another type": _inside(_other_type),
    "little-endian": _inside(_little_endian),
    "values missing": _inside(lambda random, content: content[: random.randrange(len(content))]),
    "values too many": _inside(lambda random, content: content + _some(random)),
    "a value above 9": _inside(lambda random, content: _value(random, content, 10, 255)),
    "a value of 0 to 9": _inside(lambda random, content: _value(random, content, 0, 9)),
}
