"""The IDX reader: the same values as torchvision's, mapped instead of copied; a header that anyone can read."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import mnist

from mnist_pipeline.core import params
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.data import idx
from tests import synthetic
from tests.repository import ROOT

DATA = params.load(ROOT / "params.yaml").data
TEST, SHAPES = (DATA.files.test_images.file, DATA.files.test_labels.file), ((DATA.test, 28, 28), (DATA.test,))


@pytest.mark.parametrize(("name", "shape"), list(zip(TEST, SHAPES, strict=True)))
def test_the_published_files_read_as_torchvision_reads_them(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "values"
    archive = ROOT / "data" / "archive" / DATA.name
    idx.unpack(archive / name, path, shape)
    assert path.read_bytes() == gzip.decompress((archive / name).read_bytes())
    values = idx.read(path)
    assert isinstance(values, np.memmap)
    assert values.shape == shape
    assert np.array_equal(values, mnist.read_sn3_pascalvincent_tensor(str(path)).numpy())


def test_each_field_of_a_header_has_name_value_and_meaning() -> None:
    content = synthetic.idx_bytes(np.zeros((3, 28, 27), np.uint8))
    assert idx.header(Path("images"), content) == [
        ("magic number", 2051, "unsigned bytes in 3 dimensions"),
        ("count", 3, "how many images or labels follow"),
        ("rows", 28, "height of each image in pixels"),
        ("columns", 27, "width of each image in pixels"),
    ]


@pytest.mark.parametrize(
    ("start", "meaning"),
    [
        (b"\0\0\x09\x01", "values of type 9 in 1 dimensions"),
        (b"PK\x03\x04", "not an IDX file: it does not begin with two zero bytes; values of type 3 in 4 dimensions"),
    ],
)
def test_a_foreign_magic_number_is_explained(start: bytes, meaning: str) -> None:
    assert idx.header(Path("file"), start + bytes(12))[0][2] == meaning


@pytest.mark.parametrize(("content", "expected"), [(b"", 4), (b"\0\0\x08", 4), (b"\0\0\x08\x03" + bytes(11), 16)])
def test_a_header_that_is_cut_off_is_refused(content: bytes, expected: int) -> None:
    with pytest.raises(PipelineError, match=f"^file: header: expected {expected} bytes, found {len(content)}$"):
        idx.header(Path("file"), content)


def test_explain_prints_a_line_for_each_field(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(synthetic.idx_bytes(np.zeros(7, np.uint8)))
    assert idx.explain(path).splitlines() == [
        str(path),
        "  byte  0  magic number    2049  unsigned bytes in 1 dimensions",
        "  byte  4  count              7  how many images or labels follow",
        "  byte  8  values        one byte each, to the end of the file",
    ]


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_that_is_not_as_long_as_it_says_is_refused(change: int, tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes((synthetic.idx_bytes(np.zeros(7, np.uint8)) + b"\0")[: 15 + change])
    with pytest.raises(PipelineError, match=f"labels: length: expected 15, found {15 + change}$"):
        idx.read(path)


def test_a_missing_file_says_what_makes_it(tmp_path: Path) -> None:
    for use in (idx.read, idx.explain):
        with pytest.raises(PipelineError, match="labels: not found; run `make repro` or `dvc repro verify` first"):
            use(tmp_path / "labels")


def test_a_shape_beyond_64_bits_has_a_length() -> None:
    assert idx.expected_bytes((2**32 - 1,) * 3) == 16 + (2**32 - 1) ** 3
