"""params.yaml as strict, frozen models: whatever is read from here is known to be valid."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from mnist_pipeline.core import paths, yaml_reader
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.processors import cores
from mnist_pipeline.core.recipes import Recipe
from mnist_pipeline.core.strict import Name, Strict

Count = Annotated[int, Field(gt=0, lt=2**32)]  # as many images as the format can count
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Arithmetic = Literal["portable", "native", "exact"]
DIGITS = list("0123456789")


def _each_once(names: list[str]) -> list[str]:
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"a name of its own for each class, not {twice[0]} {names.count(twice[0])} times")
    return names


ClassName = Annotated[str, Field(pattern=r"^[^\x00-\x20\x7f-\xa0|$]+( [^\x00-\x20\x7f-\xa0|$]+)*$", max_length=20)]
Classes = Annotated[list[ClassName], Field(min_length=2, max_length=62), AfterValidator(_each_once)]


class DataFile(Strict):
    """One published `.gz` file; what is left out is not checked but recorded."""

    file: str = Field(pattern=r"^[^/\\\x00-\x1f]+\.gz$", max_length=200, description="Its name at every source.")
    bytes: int | None = Field(default=None, gt=0, description="Its size.")
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the file as it is served.")
    idx_sha256: Sha256 | None = Field(default=None, description="SHA-256 of what it decompresses to.")


class DataFiles(Strict):
    """The four files of a data set: images and labels, to train on and to test with."""

    training_images: DataFile
    training_labels: DataFile
    test_images: DataFile
    test_labels: DataFile

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        roles: dict[str, str] = {}
        for role, file in self:
            if (other := roles.setdefault(file.file, role)) != role:
                raise ValueError(f"four files, but data.files.{other}.file and data.files.{role}.file are the same")
        return self


class Data(Strict):
    """A data set in MNIST's format: its files, how many images they hold, and where to get them, best source first."""

    name: Name = Field(description="Also the name of the registered model.")
    classes: Classes = Field(
        default=DIGITS, description="What the labels 0, 1, … are called; by default the ten digits."
    )
    transposed: bool = Field(default=False, description="Whether rows and columns are exchanged, as EMNIST has them.")
    training: Count = Field(description="How many images the training files hold, those to validate with included.")
    test: Count = Field(description="How many images the test files hold.")
    sources: list[Annotated[str, Field(pattern=r"^[^\x00-\x20][^\x00-\x1f]*$")]] = Field(
        min_length=1, description="https://, http:// or file:// addresses of a folder, or a path from params.yaml."
    )
    files: DataFiles


class Split(Strict):
    """Validation images drawn from the training files by a seed of their own; with none of them `report` refuses."""

    seed: int = Field(ge=0, description="Which images validate.")
    validation: int = Field(ge=0, description="How many images validate; the others train.")


class Runtime(Strict):
    """Arithmetic, device and threads; all three decide the bits of a result, unless the arithmetic is exact."""

    arithmetic: Arithmetic = Field(
        default="portable",
        description="portable: the bits of all x86-64 with AVX2; native: this machine's; exact: any machine's.",
    )
    device: Literal["cpu", "cuda", "mps"] = Field(description="One that is not there is an error.")
    threads: int = Field(ge=1, le=1024, description="Threads of one stage; `mnist repro` runs several stages at once.")

    @model_validator(mode="after")
    def _check_arithmetic(self) -> Self:
        if self.arithmetic == "exact" and self.device == "mps":
            raise ValueError("exact arithmetic needs float64, which mps has not: expected device cpu or cuda")
        return self

    def deciding(self) -> "Runtime":
        """What of it decides bits: in exact arithmetic all devices and threads are as one thread of the processor."""
        return Runtime(arithmetic="exact", device="cpu", threads=1) if self.arithmetic == "exact" else self

    def default_jobs(self) -> int:
        """How many stages run at once: as many as have cores for their threads; one where they share an accelerator."""
        return max(1, cores() // self.threads) if self.device == "cpu" else 1


class Params(Strict):
    """The whole of params.yaml."""

    seed: int = Field(ge=0, description="Initialisation, order of batches, augmentation.")
    split: Split
    runtime: Runtime
    data: Data
    models: dict[Name, Recipe] = Field(min_length=1, description="A recipe for each model, under a name of your own.")

    def recipe(self, model: str) -> Recipe:
        """The recipe of one model. Raises PipelineError for a name that is not under `models`."""
        if model not in self.models:
            raise PipelineError(f"params.yaml: no models.{model}; there are {', '.join(self.models)}")
        return self.models[model]


def load(path: Path = paths.PARAMS) -> Params:
    """Read and check params.yaml. Raises PipelineError that names the key, its value and the nearest right key."""
    return parse(yaml_reader.read(path), str(path))


def parse(content: Any, where: str) -> Params:
    """Check what a YAML reader returned. Raises PipelineError, one clause for each wrong key."""
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        known = {name for model in Strict.__subclasses__() for name in model.model_fields}
        raise PipelineError(f"{where}: {yaml_reader.explain(error, content, known)}") from None
