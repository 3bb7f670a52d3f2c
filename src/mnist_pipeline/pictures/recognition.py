"""Pictures in files and folders to digits: what `mnist predict` answers, file by file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from PIL import Image

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.data import idx
from mnist_pipeline.pictures import photos
from mnist_pipeline.pictures.photos import Picture
from mnist_pipeline.training.predictor import Classifier


@dataclass(frozen=True)
class Answer:
    """A file, what a network sees in it, and ten probabilities."""

    path: Path
    picture: Picture
    probabilities: list[float]

    @property
    def digit(self) -> int:
        return self.probabilities.index(max(self.probabilities))


def answers(classifier: Classifier, places: list[Path]) -> Iterator[Answer | PipelineError]:
    """For every picture in these files and folders an answer, or the error that says why there is none."""
    for place in places:
        try:
            for path in _files(place):
                yield _answer(classifier, path)
        except PipelineError as error:
            yield error


def _files(place: Path) -> list[Path]:
    """A file itself; of a folder those files, sorted by name, whose ending is a picture's, without hidden ones."""
    if not place.is_dir():
        return [place]
    endings = {ending for ending, kind in Image.registered_extensions().items() if kind in photos.FORMATS}
    found = [path for path in place.iterdir() if path.suffix.lower() in endings and not path.name.startswith(".")]
    if not found:
        raise PipelineError(f"{place}: no pictures in this folder; expected files like digit.png or photo.jpg")
    return sorted(found)


def _answer(classifier: Classifier, path: Path) -> Answer | PipelineError:
    try:
        return Answer(path, *recognise(classifier, path, str(path)))
    except PipelineError as error:
        return error


@torch.inference_mode()
def recognise(classifier: Classifier, source: Path | BinaryIO, name: str) -> tuple[Picture, list[float]]:
    """What a network sees in a picture file, and ten probabilities. Raises PipelineError as `pictures.read` does."""
    picture = photos.read(source, name)
    probabilities: list[float] = classifier(torch.from_numpy(picture.pixels)[None, None])[0].tolist()
    return picture, probabilities


def as_json(answer: Answer) -> dict[str, object]:
    return {"image": str(answer.path), "digit": answer.digit, "probabilities": answer.probabilities}


def table(answered: list[Answer]) -> str:
    """A line a picture: the digit it shows and the probability of each digit."""
    width = max(len(str(answer.path)) for answer in answered)
    lines = [f"{'image':{width}}  digit  " + "  ".join(f"{digit:>7}" for digit in range(idx.CLASSES))]
    for answer in answered:
        cells = "  ".join(f"{probability:7.2%}" for probability in answer.probabilities)
        lines.append(f"{answer.path!s:{width}}  {answer.digit:>5}  {cells}")
    return "\n".join(lines)
