"""Training learns, sees what it should see and nothing else, and gives the same bits for the same seed."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.data.dataset import Dataset
from mnist_pipeline.training import evaluation, loop, optimizers
from mnist_pipeline.training.loop import Training
from tests import synthetic

CPU = torch.device("cpu")
NOTHING = torch.arange(0)
LIMITS = {"rotation": 10.0, "translation": 0.1}


@dataclass(frozen=True)
class Watched(Dataset):
    """A data set that remembers which images it was asked for."""

    asked: list[Tensor] = field(default_factory=list)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        self.asked.append(indices)
        return super().batch(indices)


def fit(data: Dataset, seed: int = 1, validation: int = 50, **changes: Any) -> Training:
    """Train on all images but the last so many."""
    indices = data.all().split([len(data.labels) - validation, validation])
    scored = {"validation": (data, indices[1])} if validation else {}
    return loop.fit(loop.start(synthetic.checked_recipe(**changes), seed, CPU), (data, indices[0]), scored)


def weights(trained: Training) -> list[Tensor]:
    return list(trained.network.state_dict().values())


def same(one: Training, other: Training) -> bool:
    return all(torch.equal(left, right) for left, right in zip(weights(one), weights(other), strict=True))


@pytest.mark.parametrize("network", ["mlp_28", "cnn_avgpool"])
@pytest.mark.parametrize("augmentation", [None, LIMITS])
def test_loss_falls_and_accuracy_rises(network: str, augmentation: dict[str, float] | None) -> None:
    trained = fit(synthetic.dataset(450), network=network, augmentation=augmentation, epochs=4)
    first, *_, last = (row for row in trained.history if "training_loss" in row)
    assert last["training_loss"] < 0.7 * first["training_loss"]
    assert last["training_accuracy"] > first["training_accuracy"]
    assert last["validation_accuracy"] > 0.9


def test_the_history_has_a_row_for_each_logged_batch_and_each_epoch() -> None:
    history = fit(synthetic.dataset(250), batch=64, log_every=2, epochs=2).history
    assert [(row["images_seen"], row["epoch"], len(row)) for row in history] == [
        (128, 1, 4),
        (200, 1, 4),
        (200, 1, 6),
        (328, 2, 4),
        (400, 2, 4),
        (400, 2, 6),
    ]
    assert list(history[0]) == ["images_seen", "epoch", "batch_loss", "batch_accuracy"]
    expected = ["images_seen", "epoch", "training_loss", "training_accuracy", "validation_loss", "validation_accuracy"]
    assert list(history[2]) == expected


def test_an_epoch_sees_every_training_image_once_and_then_the_validation_images() -> None:
    data = Watched(*synthetic.dataset(250).__dict__.values())
    trained = fit(data, batch=64, epochs=2)
    assert [len(indices) for indices in data.asked] == [64, 64, 64, 8, 50] * 2
    epochs = [torch.cat(data.asked[:4]), torch.cat(data.asked[5:9])]
    for order in epochs:
        assert torch.equal(order.sort().values, torch.arange(200))
    assert not torch.equal(*epochs)
    assert torch.equal(data.asked[4], torch.arange(200, 250))
    assert trained.images_seen == 400


def test_the_epochs_loss_is_the_mean_over_images() -> None:
    data, still = synthetic.dataset(100), {"name": "sgd", "learning_rate": 1e-30}
    trained = fit(data, validation=0, batch=64, optimizer=still)
    scored = evaluation.predict(trained.network, data, data.all(), synthetic.checked_recipe().scaling)
    assert trained.history[-1]["training_loss"] == pytest.approx(scored.loss, rel=1e-5)
    assert trained.history[-1]["training_accuracy"] == pytest.approx(scored.accuracy)


def test_smoothed_labels_enter_the_training_loss() -> None:
    data, still = synthetic.dataset(100), {"name": "sgd", "learning_rate": 1e-30}
    trained = fit(data, label_smoothing=0.1, optimizer=still)
    scored = evaluation.predict(trained.network, data, torch.arange(50), synthetic.checked_recipe().scaling)
    expected = functional.cross_entropy(scored.logits, scored.labels, label_smoothing=0.1)
    assert trained.history[-1]["training_loss"] == pytest.approx(float(expected), rel=1e-5)


def test_what_the_validation_images_show_does_not_reach_the_weights() -> None:
    data = synthetic.dataset(250)
    other = Dataset(data.pixels.clone(), data.labels.clone())
    other.pixels[200:], other.labels[200:] = 255, 0
    one, two = fit(data, network="cnn_avgpool", epochs=2), fit(other, network="cnn_avgpool", epochs=2)
    assert same(one, two)
    assert one.history[-1]["validation_loss"] != two.history[-1]["validation_loss"]


def test_without_validation_images_nothing_is_validated() -> None:
    trained = fit(synthetic.dataset(200), validation=0, epochs=2)
    assert trained.images_seen == 400
    assert not any("validation_loss" in row for row in trained.history)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"network": "cnn_separable", "augmentation": LIMITS},
        {"optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True}},
    ],
)
def test_the_same_seed_gives_the_same_bits_and_another_does_not(changes: dict[str, Any]) -> None:
    data = synthetic.dataset(200)
    one = fit(data, epochs=2, **changes)
    torch.manual_seed(99)  # what was drawn before must not matter
    two, other = fit(data, epochs=2, **changes), fit(data, seed=2, epochs=2, **changes)
    assert same(one, two)
    assert one.history == two.history
    assert not same(one, other)


def test_augmentation_ends_where_the_recipe_says() -> None:
    recipes = [None, *(LIMITS | {"until": until} for until in (0.0, 0.5, 1.0))]
    trained = [fit(synthetic.dataset(250), batch=20, log_every=1, augmentation=recipe) for recipe in recipes]
    plain, never, half, always = ([row["batch_loss"] for row in one.history if "batch_loss" in row] for one in trained)
    assert len(plain) == 10
    assert never == plain
    assert half[:5] == always[:5] != plain[:5]
    assert half[5] != always[5]


def test_every_epoch_trains_in_train_mode_and_validates_in_eval_mode() -> None:
    data = synthetic.dataset(250)
    trained = fit(data, network="cnn_separable", batch=64, epochs=3)
    assert trained.network.state_dict()["3.num_batches_tracked"] == 3 * 4
    scored = evaluation.predict(trained.network, data, torch.arange(200, 250), synthetic.checked_recipe().scaling)
    assert trained.history[-1]["validation_loss"] == scored.loss
    assert trained.history[-1]["validation_accuracy"] == scored.accuracy


def test_the_learning_rate_follows_the_schedule() -> None:
    spec = synthetic.checked_recipe(epochs=3, batch=64)
    trained = fit(synthetic.dataset(250), epochs=3, batch=64)
    expected = spec.optimizer.learning_rate * optimizers.factor(spec.schedule, 11 / 12)
    assert trained.optimizer.param_groups[0]["lr"] == pytest.approx(expected)


@pytest.mark.parametrize("rate", [1e15, 1e30])
def test_a_loss_that_is_no_number_stops_training(rate: float) -> None:
    pattern = r"^training mlp_28: the loss became (nan|inf) in epoch 1, batch [23], at learning rate \d\S*e\+\d+; no "
    with pytest.raises(PipelineError, match=pattern):
        fit(synthetic.dataset(300), optimizer={"name": "sgd", "learning_rate": rate})


def test_weights_that_the_last_batch_ruined_stop_training() -> None:
    with pytest.raises(PipelineError, match=r"the loss became (nan|inf) in validation after epoch 1, at learning "):
        fit(synthetic.dataset(110), optimizer={"name": "sgd", "learning_rate": 1e30}, batch=60)
