"""Bad files are refused with file, field, expected and found; good ones are described to the digit."""

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import Data, Params
from mnist_pipeline.data import dataset, idx, verification
from tests import synthetic

Change = Callable[[bytes], bytes]
SHAPE = (400, 28, 28)
BYTES = 16 + 400 * 28 * 28


def repacked(change: Change) -> Change:
    """The change, made to what is inside a gzip file that is whole."""
    return lambda packed: synthetic.pack(change(gzip.decompress(packed)))


def flip(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]


def images(*shape: int) -> Change:
    return lambda _: synthetic.pack(synthetic.idx_bytes(np.zeros(shape, np.uint8)))


def labels(*values: int) -> Change:
    return lambda _: synthetic.pack(synthetic.idx_bytes(np.array(values, np.uint8)))


@pytest.fixture
def bare(settings: Params) -> Data:
    """The data set's settings without sizes and digests."""
    files = {role: {"file": name} for role, name in synthetic.FILES.items()}
    return Data.model_validate(settings.data.model_dump() | {"files": files})


@pytest.fixture
def raw(tmp_path: Path, published: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the published files that may be damaged; beside it is the working directory."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "raw"
    folder.mkdir()
    for name in synthetic.FILES.values():
        (folder / name).write_bytes((published / name).read_bytes())
    return folder


@pytest.mark.parametrize(
    ("role", "change", "message"),
    [
        ("training_images", lambda packed: packed[:-9], "not a whole gzip file .*ended before"),
        ("training_images", lambda packed: flip(packed, len(packed) // 2), "not a whole gzip file"),
        ("training_images", lambda packed: flip(packed, len(packed) - 6), "not a whole gzip file .*CRC"),
        ("training_images", lambda _: b"", "header: expected 4 bytes, found 0"),
        ("training_images", lambda _: b"<html>", "not a whole gzip file .*Not a gzipped file"),
        ("training_images", repacked(lambda _: b""), "header: expected 4 bytes, found 0"),
        ("training_images", repacked(lambda content: content[:9]), "header: expected 16 bytes, found 9"),
        ("training_images", repacked(lambda content: content[:-1]), f"length: .*{BYTES} .*, found {BYTES - 1}"),
        ("training_images", repacked(lambda content: content + b"\0"), f"length: .*{BYTES} .*found more than {BYTES}"),
        (  # given up long before its end, which is missing
            "training_images",
            lambda packed: synthetic.pack(gzip.decompress(packed) + bytes(4 * idx.CHUNK))[:-9],
            f"length: .*{BYTES} .*found more than {BYTES}",
        ),
        ("training_images", repacked(lambda content: flip(content, 2)), r"magic number: expected 2051, found 6147 \("),
        ("training_images", labels(*range(10)), r"magic number: expected 2051, found 2049 \(unsigned .* 1 dimension"),
        ("training_labels", images(*SHAPE), r"magic number: expected 2049, found 2051 \(unsigned .* 3 dimension"),
        ("training_images", images(399, 28, 28), "count: expected 400, found 399"),
        ("training_labels", labels(*[1] * 399), "count: expected 400, found 399"),
        ("training_images", images(400, 27, 28), "rows: expected 28, found 27"),
        ("training_images", images(400, 28, 29), "columns: expected 28, found 29"),
        ("test_images", images(100, 28, 29), "columns: expected 28, found 29"),
        ("test_labels", labels(1), "count: expected 100, found 1"),
    ],
)
def test_a_bad_file_is_refused(role: str, change: Change, message: str, bare: Data, raw: Path) -> None:
    path = raw / synthetic.FILES[role]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(PipelineError, match=message) as raised:
        verification.verify(bare, raw)
    assert str(raised.value).startswith(f"{path}: ")
    assert not getattr(paths, role.upper()).exists()
    assert not list(paths.IDX.glob("*.part"))


@pytest.mark.parametrize("role", ["training_labels", "test_labels"])
def test_the_first_label_that_is_no_digit_is_named(role: str, bare: Data, raw: Path) -> None:
    path = raw / synthetic.FILES[role]
    path.write_bytes(repacked(lambda content: content[:12] + b"\x09\x0a\xff" + content[15:])(path.read_bytes()))
    with pytest.raises(PipelineError, match=f"^{path}: label of image 5: expected 0–9, found 10; params.yaml has 10 "):
        verification.verify(bare, raw)


def test_a_label_that_is_too_high_is_named_with_the_highest_and_what_to_do(bare: Data, raw: Path) -> None:
    path = raw / synthetic.FILES["training_labels"]
    high = "label of image 22: expected 0–8, found 9; params.yaml has 9 names under data.classes, the first for label 0"
    with pytest.raises(PipelineError, match=f"^{path}: {high}: name every class, or correct the file$"):
        verification.verify(bare.model_copy(update={"classes": list("abcdefghi")}), raw)
    assert not paths.IDX.exists()


def test_names_of_former_classes_do_not_stay(bare: Data, raw: Path) -> None:
    verification.verify(bare.model_copy(update={"classes": list("abcdefghij")}), raw)
    assert dataset.classes() == list("abcdefghij")
    verification.verify(bare, raw)
    assert dataset.classes() == list("0123456789")
    assert sorted(paths.IDX.iterdir()) == sorted(paths.IDX_FILES)


def test_transposed_images_are_turned_in_pieces(bare: Data, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "CHUNK", 3 * idx.SIZE**2)  # the last piece has one image
    verification.verify(bare.model_copy(update={"transposed": True}), raw)
    images, labels = synthetic.digits(400, seed=400)
    found = dataset.training_set()
    assert np.array_equal(found.pixels.numpy(), images.transpose(0, 2, 1))
    assert np.array_equal(found.labels.numpy(), labels)


def test_a_missing_file_says_what_brings_it(bare: Data, raw: Path) -> None:
    path = raw / synthetic.FILES["test_labels"]
    path.unlink()
    with pytest.raises(PipelineError, match=f"^{path}: not found; run `dvc repro download` first"):
        verification.verify(bare, raw)


@pytest.mark.parametrize(("field", "name"), [("sha256", "digest"), ("idx_sha256", "digest of the decompressed file")])
def test_another_digest_is_refused(field: str, name: str, bare: Data, raw: Path) -> None:
    content: dict[str, Any] = bare.model_dump()
    content["files"]["test_images"][field] = "0" * 64
    path = raw / synthetic.FILES["test_images"]
    with pytest.raises(PipelineError, match=rf"^{path}: {name} \(SHA-256\): expected {'0' * 64}, found [0-9a-f]+$"):
        verification.verify(Data.model_validate(content), raw)


def test_digests_that_are_left_out_are_recorded(bare: Data, settings: Params, raw: Path) -> None:
    found = verification.summary(bare, settings.split, verification.verify(bare, raw))["files"]
    packed = (raw / synthetic.FILES["test_labels"]).read_bytes()
    assert found["test_labels"] == {
        "sha256": hashlib.sha256(packed).hexdigest(),
        "idx_sha256": hashlib.sha256(gzip.decompress(packed)).hexdigest(),
        "shape": [100],
    }
    assert list(found) == list(synthetic.FILES)


def test_the_idx_files_are_what_was_packed(settings: Params, raw: Path) -> None:
    verification.verify(settings.data, raw)
    for role, name in synthetic.FILES.items():
        assert getattr(paths, role.upper()).read_bytes() == gzip.decompress((raw / name).read_bytes())
    assert sorted(paths.IDX.iterdir()) == sorted(paths.IDX_FILES)


def test_the_summary_counts_every_split(settings: Params, raw: Path) -> None:
    summary = verification.summary(settings.data, settings.split, verification.verify(settings.data, raw))
    assert summary["name"] == "tiny"
    splits = {name: (part["images"], part["labels"]) for name, part in summary["splits"].items()}
    assert splits == {"training": (350, [35] * 10), "validation": (50, [5] * 10), "test": (100, [10] * 10)}


def test_pixel_moments_are_exact() -> None:
    pixels: idx.Bytes = synthetic.digits(7, seed=0)[0]
    expected = (pixels / 255).mean(), (pixels / 255).std()
    assert verification.pixel_moments(torch.from_numpy(pixels)) == pytest.approx(expected, rel=1e-12)
