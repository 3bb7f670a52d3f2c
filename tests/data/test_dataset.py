"""Splits that are stratified and complete, batches that miss nothing, and values that are mapped, not copied."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import Split
from mnist_pipeline.core.recipes import Scaling
from mnist_pipeline.data import dataset, idx
from tests import synthetic

SKEWED: idx.Bytes = np.repeat(np.arange(10), [5, 1, 0, 40, 7, 3, 90, 13, 2, 39]).astype(np.uint8)


@pytest.mark.parametrize("validation", [0, 1, 7, 50, 199])
def test_a_split_is_disjoint_complete_and_ascending(validation: int) -> None:
    training, chosen = dataset.split(SKEWED, Split(seed=0, validation=validation))
    assert (len(training), len(chosen)) == (200 - validation, validation)
    assert torch.equal(torch.cat([training, chosen]).sort().values, torch.arange(200))
    for part in (training, chosen):
        assert part.dtype == torch.int64
        assert torch.equal(part, part.sort().values)


@pytest.mark.parametrize("validation", [1, 7, 50, 199])
def test_each_class_gives_its_share_rounded_up_or_down(validation: int) -> None:
    _, chosen = dataset.split(SKEWED, Split(seed=0, validation=validation))
    counts, given = np.bincount(SKEWED, minlength=10), np.bincount(SKEWED[chosen.numpy()], minlength=10)
    assert (np.abs(given - counts * validation / 200) < 1).all()


def test_the_largest_remainders_are_rounded_up() -> None:
    labels: idx.Bytes = np.repeat(np.arange(3), [6, 3, 1]).astype(np.uint8)
    _, chosen = dataset.split(labels, Split(seed=0, validation=3))  # shares: 1.8, 0.9 and 0.3
    assert np.bincount(labels[chosen.numpy()], minlength=3).tolist() == [2, 1, 0]


def test_a_split_depends_on_its_seed_and_on_no_other() -> None:
    spec = Split(seed=3, validation=50)
    torch.manual_seed(0)
    _, first = dataset.split(SKEWED, spec)
    torch.manual_seed(1)
    _, second = dataset.split(SKEWED, spec)
    _, other = dataset.split(SKEWED, Split(seed=4, validation=50))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_validating_on_every_image_is_refused() -> None:
    with pytest.raises(PipelineError, match=r"split\.validation: found 200, but there are 200 images"):
        dataset.split(SKEWED, Split(seed=0, validation=200))


def test_batches_hold_every_index_once_and_the_last_is_smaller() -> None:
    indices = torch.arange(100, 203)
    batches = list(dataset.shuffled(indices, 25, 103))
    assert [len(batch) for batch in batches] == [25, 25, 25, 25, 3]
    assert torch.equal(torch.cat(batches).sort().values, indices)


def test_each_pass_has_another_order_drawn_from_torchs_seed() -> None:
    torch.manual_seed(0)
    first, second = (torch.cat(list(dataset.shuffled(torch.arange(50), 10, 50))) for _ in range(2))
    torch.manual_seed(0)
    again = torch.cat(list(dataset.shuffled(torch.arange(50), 10, 50)))
    assert not torch.equal(first, torch.arange(50))
    assert not torch.equal(first, second)
    assert torch.equal(first, again)


def test_a_batch_is_unscaled_images_with_a_channel_and_their_labels() -> None:
    data = synthetic.dataset(20)
    images, labels = data.batch(torch.tensor([7, 3]))
    assert (images.shape, images.dtype, labels.dtype) == ((2, 1, 28, 28), torch.uint8, torch.int64)
    assert torch.equal(images[1, 0], data.pixels[3].float())
    assert labels.tolist() == data.labels[[7, 3]].tolist()
    assert torch.equal(data.all(), torch.arange(20))


def test_scale_subtracts_the_mean_and_divides_by_the_deviation() -> None:
    images = torch.arange(256.0)
    before = images.clone()
    scaled = dataset.scale(images, Scaling(mean=0.1307, std=0.3081))
    assert torch.allclose(scaled, (before / 255 - 0.1307) / 0.3081, atol=1e-6)
    assert torch.equal(images, before)


def test_values_are_mapped_not_copied(workspace: Path) -> None:
    data = dataset.load(paths.TEST_IMAGES, paths.TEST_LABELS)
    path = workspace / paths.TEST_IMAGES
    with path.open("r+b") as stream:
        stream.seek(path.stat().st_size - 1)
        stream.write(b"\xfe")
    assert data.pixels[-1, -1, -1] == 254


@pytest.mark.usefixtures("workspace")
def test_both_sets_are_what_was_published() -> None:
    for part, count in ((dataset.training_set(), 400), (dataset.test_set(), 100)):
        images, labels = synthetic.digits(count, seed=count)
        assert np.array_equal(part.pixels.numpy(), images)
        assert np.array_equal(part.labels.numpy(), labels)


def test_a_digest_names_the_images_in_their_order() -> None:
    one, other = torch.tensor([1, 2]), torch.tensor([2, 1])
    assert dataset.digest(one) == dataset.digest(one.clone())
    assert dataset.digest(one) != dataset.digest(other)
