"""Small picture files that take much memory or time to decode."""

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image

MIB = 1 << 20
SIDE = 8000  # 64 million pixels: the most that is read


def png(width: int = SIDE, height: int = SIDE) -> bytes:
    """Deflated zeros: RGB of 16 bits, 6 bytes a pixel."""
    engine = zlib.compressobj(1)
    zeros = engine.compress(b"") + engine.flush(zlib.Z_FULL_FLUSH)
    block = engine.compress(bytes(16 * MIB)) + engine.flush(zlib.Z_FULL_FLUSH)
    content = zeros + block * (height * (1 + 6 * width) // (16 * MIB) + 1)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", content), (b"IEND", b""))
    )


def jpeg(scans: int = 20_000, side: int = 2000) -> bytes:
    """Progressive, with its last scan so many times: each goes through all coefficients again."""
    whole = saved(Image.new("L", (side, side), 90), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    scan = whole[last : last + 2 + int.from_bytes(whole[last + 2 : last + 4], "big")]
    return whole[:last] + (scan + b"\0\0\0\0") * scans + b"\xff\xd9"


def webp(side: int = 1 << 14, frames: int = 200) -> bytes:
    """Many small frames on a canvas of so many pixels a side, of which the decoder keeps two copies."""
    whole = bytearray(_animated("WEBP", frames))
    place = whole.index(b"VP8X") + 12
    whole[place : place + 6] = 2 * (side - 1).to_bytes(3, "little")
    return bytes(whole)


def gif(side: int = SIDE, frames: int = 200) -> bytes:
    """Many small frames on a screen of so many pixels a side."""
    whole = bytearray(_animated("GIF", frames))
    struct.pack_into("<HH", whole, 6, side, side)
    return bytes(whole)


def bmp(side: int = SIDE, bits: int = 32) -> bytes:
    """A header that promises so many pixels a side, and nothing behind it."""
    size = min(side * side * bits // 8, 1 << 31)
    return struct.pack("<2sIHHI", b"BM", 54 + size, 0, 0, 54) + struct.pack(
        "<IiiHHIIiiII", 40, side, side, 1, bits, 0, size, 0, 0, 0, 0
    )


def tiff(tile: int = 1 << 15, side: int = 64) -> bytes:
    """A picture of so many pixels a side, in one deflated tile that is far larger."""
    content = zlib.compress(bytes(MIB))
    tags = {256: side, 257: side, 258: 8, 259: 8, 262: 1, 277: 1, 322: tile, 323: tile, 324: 0, 325: len(content)}
    tags[324] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + content


ALL: dict[str, Callable[[], bytes]] = {
    "PNG of deflated zeros": png,
    "JPEG of 20,000 scans": jpeg,
    "WebP, a huge canvas and many frames": webp,
    "WebP, a large canvas and many frames": lambda: webp(4000),
    "GIF, a huge screen and many frames": lambda: gif((1 << 16) - 1),
    "GIF, a large screen and many frames": gif,
    "BMP that lies about its size": bmp,
    "BMP that promises 2³¹ pixels a side": lambda: bmp((1 << 31) - 1, 1),
    "TIFF in one huge tile": tiff,
}


def saved(picture: Image.Image, kind: str, **settings: object) -> bytes:
    """The bytes of the file."""
    file = io.BytesIO()
    picture.save(file, kind, **settings)
    return file.getvalue()


def _animated(kind: str, frames: int) -> bytes:
    shades = [Image.new("L", (16, 16), 100 * (number % 2)) for number in range(frames)]
    return saved(shades[0], kind, save_all=True, append_images=shades[1:])
