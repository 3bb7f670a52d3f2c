"""Recognition of what is in picture files and folders: read and classify."""

import math
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from mnist_pipeline.core import tables
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import DIGITS
from mnist_pipeline.inference.models import Model
from mnist_pipeline.pictures import reader
from mnist_pipeline.pictures.normalisation import Pixels

SHOWN = 512  # the longer side, as shown to people


@dataclass(frozen=True)
class Recognition:
    """What a network makes of a picture file: `picture` is upright RGB, its longer side at most 512 pixels; `pixels`
    what the network sees, float32 (28, 28), 0 background to 255 ink; `probabilities` those of `classes`."""

    name: str
    picture: Image.Image
    pixels: Pixels
    probabilities: list[float]
    classes: list[str]

    @property
    def label(self) -> int:
        """The place of the likeliest class."""
        return self.probabilities.index(max(self.probabilities))


def probabilities(model: Model, pixels: Pixels) -> list[float]:
    """Of each class, for what `reader.read` gives. Raises PipelineError when the weights lead to none."""
    found: list[float] = model(pixels[None, None])[0].tolist()
    if not all(map(math.isfinite, found)):
        raise PipelineError("the model answers NaN instead of probabilities: its weights are not finite; use another")
    return found


def recognise_all(model: Model, places: list[Path]) -> tuple[list[Recognition], list[str]]:
    """The recognised pictures among these files and folders, in order; and a line for each that is refused."""
    recognised, refused = [], []
    for place in places:
        files = _pictures(place) if place.is_dir() else [place]
        if not files:
            refused.append(f"{place}: no pictures in this folder; expected files like digit.png or photo.jpg")
        for path in files:
            try:
                picture, pixels = reader.read(path, str(path))
            except PipelineError as error:
                refused.append(str(error))
                continue
            shown = reader.reduced(picture, SHOWN)
            found = probabilities(model, pixels)
            recognised.append(Recognition(str(path), shown, pixels, found, model.classes))
    return recognised, refused


def _pictures(folder: Path) -> list[Path]:
    """The files, sorted by name, whose ending is a picture's, without hidden ones."""
    endings = {ending for ending, kind in Image.registered_extensions().items() if kind in reader.FORMATS}
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in endings and not path.name.startswith("."))


def as_json(one: Recognition) -> dict[str, object]:
    """What `mnist predict --json` prints of a picture: of other classes than the ten digits by name."""
    if one.classes == DIGITS:
        return {"image": one.name, "digit": one.label, "probabilities": one.probabilities}
    named = dict(zip(one.classes, one.probabilities, strict=True))
    return {"image": one.name, "class": one.classes[one.label], "probabilities": named}


def table(recognised: list[Recognition]) -> str:
    """A row a picture: the digit it shows and the probability of each; of other classes the three likeliest."""
    rows = []
    for one in recognised:
        shares = {name: f"{share:.2%}" for name, share in zip(one.classes, one.probabilities, strict=True)}
        first = sorted(one.classes, key=lambda name: -one.probabilities[one.classes.index(name)])[:3]
        others = {"class": first[0], "likeliest": ", ".join(f"{name} {shares[name]}" for name in first)}
        rows.append({"image": one.name} | ({"digit": one.label, **shares} if one.classes == DIGITS else others))
    return tables.text(rows)
