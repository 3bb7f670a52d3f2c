"""A recipe of params.yaml: a network, and how it is trained."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from mnist_pipeline.core.strict import Fraction, Name, Strict

Rate = Annotated[float, Field(gt=0, description="Size of a step; with a schedule, of the largest.")]
Decay = Annotated[float, Field(ge=0, description="Share of each weight, times the learning rate, taken off at a step.")]
Betas = Annotated[
    list[Annotated[float, Field(ge=0, lt=1)]],
    Field(min_length=2, max_length=2, description="Decay of the means of gradient and square."),
]


class Scaling(Strict):
    """Pixels from 0–255 become (pixel / 255 - mean) / std."""

    mean: float = Field(description="Mean of the training pixels / 255; metrics/data.json has both.")
    std: float = Field(gt=0, description="Their standard deviation.")


class AdamW(Strict):
    """Adam with decoupled weight decay; with none, which is the default, it is Adam itself."""

    name: Literal["adamw"] = Field(description="The optimizer.")
    learning_rate: Rate
    betas: Betas = Field(default=[0.9, 0.999])
    weight_decay: Decay = 0.0


class SGD(Strict):
    """Stochastic gradient descent."""

    name: Literal["sgd"] = Field(description="The optimizer.")
    learning_rate: Rate
    momentum: float = Field(default=0.0, ge=0, lt=1, description="Share of the last step that the next one repeats.")
    nesterov: bool = Field(default=False, description="Nesterov's momentum.")
    weight_decay: Decay = 0.0

    @model_validator(mode="after")
    def _check_nesterov(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        return self


class Others(Strict):
    """AdamW, for what Muon leaves to it."""

    learning_rate: Rate
    betas: Betas = Field(default=[0.9, 0.999])


class Muon(Strict):
    """Momentum made orthogonal, for the kernels of convolutions with several input channels; AdamW for all others."""

    name: Literal["muon"] = Field(description="The optimizer.")
    learning_rate: Rate
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Share of the sum of gradients that a step keeps.")
    weight_decay: Decay = 0.0
    others: Others = Field(description="AdamW, for biases, norms, dense layers and kernels of one input channel.")


class Constant(Strict):
    """The learning rate as it is."""

    name: Literal["constant"] = Field(description="The schedule.")


class OneCycle(Strict):
    """Factor on the learning rate: linear from `start` to 1 over the share `warmup` of all batches, then to `end`."""

    name: Literal["one_cycle"] = Field(description="The schedule.")
    warmup: Fraction = Field(default=0.3, description="Share of all batches.")
    start: Fraction = Field(default=0.1, description="Factor before the first batch.")
    end: Fraction = Field(default=0.0, description="Factor after the last batch.")


class Affine(Strict):
    """Limits of a random affine map: degrees, share of the width, share of the size, degrees."""

    rotation: float = Field(default=0.0, ge=0, le=180, description="Degrees, to either side.")
    translation: Fraction = Field(default=0.0, description="Share of the width, in each direction.")
    scale: float = Field(default=0.0, ge=0, lt=1, description="Share of the size, larger or smaller.")
    shear: float = Field(default=0.0, ge=0, lt=90, description="Degrees, to either side.")
    until: Fraction = Field(  # left out of digests where it says nothing, as before it could
        default=1.0,
        exclude_if=lambda share: share == 1.0,
        description="Share of all batches; the last stay as they are.",
    )


Optimizer = AdamW | Muon | SGD


class Recipe(Strict):
    """One entry under `models`: a network and how it is trained; 1.5 epochs end halfway through the second."""

    network: Name = Field(description="A file of src/mnist_pipeline/networks, without .py.")
    options: dict[str, int | float | bool | str] = Field(default={}, description="Arguments of the network's function.")
    scaling: Scaling
    augmentation: Affine | None = Field(default=None, description="Random affine maps of the training images.")
    optimizer: Optimizer = Field(discriminator="name", description="adamw, muon or sgd, by its name.")
    schedule: Constant | OneCycle = Field(discriminator="name", description="constant or one_cycle, by its name.")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="Share of each target spread over all classes.")
    batch: int = Field(gt=0, description="Images in a batch.")
    epochs: float = Field(gt=0, le=1e6, description="How often all training images are seen.")
    log_every: int = Field(gt=0, description="A point of the loss curve for every so many batches.")
    study: SkipJsonSchema[None] = None  # obsolete, always null; kept so that digests equal those of older commits
