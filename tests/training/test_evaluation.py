"""Metrics against published values and cases worked by hand; exact over all images whatever the batches."""

import math

import pytest
import torch
from torch import Tensor, nn

from mnist_pipeline import networks
from mnist_pipeline.core.recipes import Scaling
from mnist_pipeline.training import evaluation
from mnist_pipeline.training.evaluation import Predictions
from tests import synthetic

SCALING = Scaling(mean=0.2, std=0.3)


def predictions(*rows: tuple[int, float]) -> Predictions:
    """For each image whether it is right (1) or wrong (0), and with what probability; the rest is spread evenly."""
    confidence = torch.tensor([row[1] for row in rows], dtype=torch.float64)
    probabilities = ((1 - confidence) / 9).unsqueeze(1).repeat(1, 10)
    probabilities[:, 3] = confidence
    return Predictions(probabilities.log(), torch.tensor([3 if row[0] else 5 for row in rows]))


@pytest.mark.parametrize(
    ("hits", "images", "low", "high"),
    [  # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 1 - 0.1611, 1.0000),
    ],
)
def test_wilson_intervals_as_published(hits: int, images: int, low: float, high: float) -> None:
    assert evaluation.wilson(images - hits, images) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("images", [1, 20, 10000])
def test_wilson_intervals_stay_between_0_and_1(images: int) -> None:
    assert evaluation.wilson(0, images)[1] == 1
    assert evaluation.wilson(images, images)[0] == 0


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(1, 1.0), (1, 1.0)], 0.0),
        ([(0, 1.0), (1, 1.0)], 0.5),
        ([(1, 0.9), (0, 0.9)], 0.4),
        ([(1, 0.9), (1, 0.5), (0, 0.5), (1, 0.5)], 0.1 / 4 + (2 - 1.5) / 4),
        ([(1, 0.7), (0, 0.7), (0, 0.3)], 0.4 / 3 + 0.3 / 3),
        ([(1, 0.9), (0, 0.99)], (0.1 + 0.99) / 2),  # gaps of two bins never cancel out
        ([(1, 0.61), (0, 0.66)], abs(1.27 - 1) / 2),  # both in the bin above 9/15
    ],
)
def test_calibration_error_of_cases_worked_by_hand(rows: list[tuple[int, float]], expected: float) -> None:
    case = predictions(*rows)
    assert evaluation.calibration_error(case) == pytest.approx(expected, abs=1e-9)


def test_accuracy_errors_and_loss_are_means_over_images() -> None:
    case = predictions((1, 0.8), (1, 0.5), (0, 0.91))
    assert (case.errors, case.accuracy) == (1, 1 - 1 / 3)
    assert case.loss == pytest.approx(-(math.log(0.8) + math.log(0.5) + math.log(0.01)) / 3)
    assert case.probabilities(torch.arange(3)).sum(dim=1).tolist() == pytest.approx([1.0, 1.0, 1.0])


class BySum(nn.Module):
    """Logits that depend on the image alone; counts batches."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 10))
        self.sizes: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.sizes.append(len(images))
        return images.mean(dim=(1, 2, 3)).unsqueeze(1) * self.weight * 50


def test_a_smaller_last_batch_counts_as_its_images_do() -> None:
    data, network = synthetic.dataset(53), BySum()
    found = evaluation.predict(network, data, data.all(), SCALING)
    assert network.sizes == [50, 3]
    scaled = (data.pixels.double() / 255 - 0.2) / 0.3
    logits = scaled.mean(dim=(1, 2)).unsqueeze(1) * network.weight.detach().double() * 50
    losses = -logits.log_softmax(dim=1)[torch.arange(53), data.labels.long()]
    assert found.loss == pytest.approx(float(losses.mean()), rel=1e-5)
    assert found.accuracy == 1 - int((logits.argmax(dim=1) != data.labels).sum()) / 53
    mean_of_means = (losses[:50].mean() + losses[50:].mean()) / 2
    assert found.loss != pytest.approx(float(mean_of_means), rel=1e-3)


def test_predict_leaves_eval_mode_and_no_gradients() -> None:
    data, network = synthetic.dataset(10), networks.build("cnn_separable").train()
    found = evaluation.predict(network, data, data.all(), SCALING)
    assert not any(module.training for module in network.modules())
    assert (found.logits.dtype, found.logits.requires_grad) == (torch.float32, False)


def test_predictions_do_not_depend_on_which_images_come_together() -> None:
    data, network = synthetic.dataset(300), networks.build("cnn_separable")
    order = torch.randperm(300)
    straight = evaluation.predict(network, data, data.all(), SCALING)
    shuffled = evaluation.predict(network, data, order, SCALING)
    assert torch.allclose(shuffled.logits, straight.logits[order], atol=1e-5)
    assert torch.equal(shuffled.labels, data.labels[order].long())


def test_metrics_hold_every_figure() -> None:
    test = predictions((1, 0.8), (0, 0.7))
    last = {"epoch": 2.0, "validation_accuracy": 1.0, "validation_loss": 0.1 + 0.2}
    figures = evaluation.metrics(test, last, parameters=7)
    low, high = evaluation.wilson(1, 2)
    assert figures == {
        "test_accuracy": 0.5,
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "test_errors": 1,
        "test_loss": test.loss,
        "calibration_error": evaluation.calibration_error(test),
        "parameters": 7,
        "validation_accuracy": 1.0,
        "validation_loss": 0.1 + 0.2,
    }


def test_looking_at_a_part_at_a_time_changes_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Predictions(torch.randn(50, 10), torch.randint(10, (50,)))
    loss, calibration = case.loss, evaluation.calibration_error(case)
    monkeypatch.setattr(evaluation, "ROWS", 7)
    assert len(list(case.parts())) == 8
    assert case.loss == pytest.approx(loss)
    assert evaluation.calibration_error(case) == pytest.approx(calibration)


def test_metrics_without_validation_leave_it_out() -> None:
    figures = evaluation.metrics(predictions((1, 0.8)), {"epoch": 2.0}, parameters=7)
    assert not [name for name in figures if name.startswith("validation")]
