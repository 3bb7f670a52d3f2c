"""Pictures as people have them become what a network was trained on, or one line that says why not."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, ImageOps
from scipy import ndimage

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.pictures import reader, regions
from tests.pictures import bombs

SEVEN = [(0.3, 0.2), (0.72, 0.2), (0.45, 0.85)]
PAPER, INK = (235, 228, 210), (30, 40, 90)


def draw(
    size: tuple[int, int] = (600, 800),
    box: tuple[float, float, float] = (120, 200, 360),
    width: float = 0.09,
    paper: tuple[int, ...] = PAPER,
    ink: tuple[int, ...] = INK,
) -> Image.Image:
    """A seven on paper, drawn with strokes of so many sides of its square `box`: left, top, side."""
    mode = "RGBA" if len(paper) == 4 else "RGB"
    picture = Image.new(mode, size, paper)
    left, top, side = box
    line = [(left + x * side, top + y * side) for x, y in SEVEN]
    ImageDraw.Draw(picture).line(line, fill=ink, width=max(1, round(width * side)), joint="curve")
    return picture


def pixels(picture: Image.Image, kind: str = "PNG", **settings: object) -> npt.NDArray[np.float32]:
    file = io.BytesIO()
    picture.save(file, kind, **settings)
    return reader.read(file, "seven")[1]


def alike(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.fixture(scope="module")
def plain() -> npt.NDArray[np.float32]:
    return pixels(draw())


def test_what_a_network_sees_is_as_in_mnist(plain: npt.NDArray[np.float32]) -> None:
    """Size-normalised into 20×20, centred by mass in 28×28, light on dark."""
    assert plain.shape == (28, 28)
    assert plain.dtype == np.float32
    assert plain.min() == 0
    assert 200 < plain.max() <= 255
    rows, columns = np.nonzero(plain > 25)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20, 21)
    mass = plain / plain.sum()
    centre = (np.arange(28) @ mass.sum(axis=1), np.arange(28) @ mass.sum(axis=0))
    assert centre == pytest.approx((14, 14), abs=0.75)


@pytest.mark.parametrize(
    "picture",
    [
        draw(paper=INK, ink=PAPER),
        draw(paper=(0, 0, 0), ink=(255, 255, 255)),
        draw(box=(10, 420, 360)),
        draw(size=(3000, 2200), box=(1900, 300, 700)),
        draw(size=(90, 90), box=(10, 8, 60)),
        draw(paper=(0, 0, 0, 0), ink=(20, 20, 20, 255)),
        draw(paper=(255, 255, 255, 0), ink=(250, 250, 250, 255)),
        draw().convert("L"),
        draw().convert("P"),
    ],
    ids=[
        "light on dark",
        "white on black",
        "off-centre",
        "large",
        "small",
        "alpha",
        "white on nothing",
        "grey",
        "palette",
    ],
)
def test_size_place_colour_alpha_and_polarity_do_not_matter(
    picture: Image.Image, plain: npt.NDArray[np.float32]
) -> None:
    assert alike(pixels(picture), plain) > 0.75


@pytest.mark.parametrize("width", [0.06, 0.12])
def test_a_drawing_of_two_colours_is_found_as_with_grain_where_no_short_cut_is_taken(width: float) -> None:
    drawing = draw((168, 168), (24, 24, 120), width, paper=(0, 0, 0), ink=(254, 254, 254))
    grain = np.random.default_rng(0).integers(0, 2, (168, 168, 1), np.uint8)
    assert alike(pixels(drawing), pixels(Image.fromarray(np.asarray(drawing) + grain))) > 0.99


@pytest.mark.parametrize("width", [0.02, 0.05, 0.16])
def test_thin_and_thick_strokes_stay_the_digit(width: float, plain: npt.NDArray[np.float32]) -> None:
    seen = pixels(draw(width=width))
    assert alike(seen, plain) > 0.6
    assert seen.max() > 150, "thin strokes do not fade"


@pytest.mark.parametrize(("side", "width"), [(300, 1), (1000, 2), (2000, 3)])
def test_a_line_of_a_few_pixels_in_a_large_picture_is_seen(
    side: int, width: int, plain: npt.NDArray[np.float32]
) -> None:
    seen = pixels(draw(size=(side, side), box=(side // 10, side // 10, side * 0.8), width=width / (side * 0.8)))
    assert alike(seen, plain) > 0.4
    assert seen.max() > 150


def test_uneven_light_grain_and_compression_do_not_matter(plain: npt.NDArray[np.float32]) -> None:
    random = np.random.default_rng(1)
    light = np.linspace(0.55, 1.0, 600)[None, :, None]
    photo = np.asarray(draw(), dtype=np.float64) * light + random.normal(0, 6, (800, 600, 3))
    assert alike(pixels(Image.fromarray(photo.clip(0, 255).astype(np.uint8)), "JPEG", quality=80), plain) > 0.9


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_that_a_camera_notes_is_followed(orientation: int, plain: npt.NDArray[np.float32]) -> None:
    """The file is turned such that turning it as its EXIF data say gives the upright picture back."""
    exif = Image.Exif()
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    stored = draw() if undo is None else draw().transpose(Image.Transpose(undo))
    exif[0x0112] = orientation
    file = io.BytesIO()
    stored.save(file, "PNG", exif=exif)
    with Image.open(file) as opened:
        assert ImageOps.exif_transpose(opened).size == (600, 800)
    assert np.array_equal(reader.read(file, "seven")[1], plain)


def test_sixteen_bits_are_read(plain: npt.NDArray[np.float32]) -> None:
    deep = Image.fromarray(np.asarray(draw().convert("L"), dtype=np.uint16) * 257)
    assert alike(pixels(deep), plain) > 0.95


def test_a_picture_in_mnists_own_look_keeps_its_pixels(plain: npt.NDArray[np.float32]) -> None:
    own = plain.round().astype(np.uint8)
    assert np.array_equal(pixels(Image.fromarray(own)), own)
    assert np.array_equal(pixels(Image.fromarray(255 - own)), own)


def bomb(side: int = 10_000) -> bytes:
    """A small PNG whose header claims a hundred million pixels, or the square of another side."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(10))), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a picture that can be read"),
        (b"some text", "not a picture that can be read"),
        (bombs.saved(draw(), "JPEG")[:2000], "not a picture that can be read"),
        (bombs.saved(draw(), "PNG")[:300], "not a picture that can be read"),
        (bombs.saved(Image.new("RGB", (200, 200), PAPER), "PNG"), "nothing in it looks like a digit"),
        (bombs.saved(Image.new("RGBA", (200, 200), (0, 0, 0, 0)), "PNG"), "nothing in it looks like a digit"),
        (bombs.saved(Image.new("L", (1, 1)), "PNG"), "nothing in it looks like a digit"),
        (bomb(), "10000×10000 pixels, 100 million; at most 64 million"),
        (bomb(60_000), "at most 64 million pixels are read"),
        (bombs.tiff(), "32768×32768 pixels, 1074 million; at most 64 million"),
        (bombs.bmp((1 << 31) - 1, 1), "at most 64 million pixels are read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture that can be read"),
    ],
    ids=[
        "nothing",
        "text",
        "cut JPEG",
        "cut PNG",
        "empty paper",
        "transparent",
        "one pixel",
        "bomb",
        "beyond Pillow",
        "tile",
        "BMP",
        "a program",
    ],
)
def test_what_shows_no_digit_is_refused_in_one_line(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "file.png"
    path.write_bytes(content)
    for source in (path, io.BytesIO(content)):
        with pytest.raises(PipelineError) as refused:
            reader.read(source, "that file")
        assert str(refused.value).startswith("that file: ")
        assert reason in str(refused.value)
        assert "\n" not in str(refused.value)


def test_a_region_has_the_pixels_that_it_has_in_the_whole_picture() -> None:
    """Though each is looked for only where others surround it."""
    photo = np.asarray(draw(size=(120, 160), box=(30, 40, 70)).convert("L"), dtype=np.float64)
    photo += np.random.default_rng(0).normal(0, 6, photo.shape)
    found = regions.stable(photo, 10)
    assert len(found) > 2
    for region in found:
        labels, _ = ndimage.label(region.shades > (region.highest + region.lowest) / 2, np.ones((3, 3)))
        whole = labels == labels.flat[region.seed]
        assert np.array_equal(region.mask, whole)
        assert np.array_equal(region.filled, ndimage.binary_fill_holes(whole))
