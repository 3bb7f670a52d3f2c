"""How well real pictures are read: other people's digits, and test digits in photos, through `reader.read`."""

import io

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from benchmarks import report
from mnist_pipeline.core import paths, tables
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.data import dataset
from mnist_pipeline.data.idx import Bytes
from mnist_pipeline.pictures import reader
from mnist_pipeline.results import leaderboard
from mnist_pipeline.training import predictor
from mnist_pipeline.training.predictor import Classifier

Colours = npt.NDArray[np.float64]
Random = np.random.Generator
PASTED, SEED = 200, 0
CONTRAST = 4.5  # what WCAG 2 asks for between text and what is behind it
SMALLEST, LARGEST = 0.2, 0.7  # of a photo's height
PAPER, INK = np.array([240.0, 235.0, 220.0]), np.array([30.0, 40.0, 110.0])
TEXT = """The champion reads picture files as people have them, through `reader.read`. Other people's handwriting:
all 1,797 digits of scikit-learn's `load_digits` (13 people, UCI's optical recognition data set; 8×8 counts of ink),
drawn as blue ink on paper, 240×240 pixels. Photos: test digits, chosen at random, drawn in a random dark or light
colour into scikit-learn's two sample photos (a temple, a flower), enlarged to 1,920 to 3,200 pixels, at a random size
(a fifth to seven tenths of the height) and place, saved as JPEG; a place is drawn again until the digit is as legible
there as WCAG asks of text: a contrast of 4.5 to 1 against 99 % of what is behind it. The clean ones are the same digits
as they are in MNIST."""


def run() -> str:
    classifier = predictor.load(paths.model(leaderboard.read_best()))
    strangers = _strangers(classifier)
    clean, pasted = _pasted(classifier)
    rows = [
        {"pictures": "other people's handwriting", "n": strangers.size, "accuracy": f"{strangers.mean():.2%}"},
        {"pictures": "MNIST's test digits, clean", "n": PASTED, "accuracy": f"{clean.mean():.2%}"},
        {"pictures": "the same in photos", "n": PASTED, "accuracy": f"{pasted.mean():.2%}"},
    ]
    verdicts = [
        report.verdict("other people's handwriting, %", round(100 * strangers.mean(), 2), at_least=90),
        report.verdict("clean less photos, points", round(100 * (clean.mean() - pasted.mean()), 2), at_most=1),
    ]
    return "\n\n".join([TEXT, tables.markdown(rows), "\n".join(verdicts)])


def _strangers(classifier: Classifier) -> npt.NDArray[np.bool_]:
    known = load_digits()
    right = []
    for counts, label in zip(known.images, known.target, strict=True):
        shades = Image.fromarray((np.pad(counts, 2) * (255 / 16)).astype(np.uint8))
        ink = np.asarray(shades.resize((240, 240), Image.Resampling.BICUBIC))[..., None] / 255
        picture = Image.fromarray((PAPER * (1 - ink) + INK * ink).astype(np.uint8))
        right.append(_read(classifier, picture, "PNG") == label)
    return np.array(right)


def _pasted(classifier: Classifier) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which of the chosen digits are right as they are, and which in photos."""
    random = np.random.default_rng(SEED)
    test = dataset.test_set()
    chosen = torch.from_numpy(random.permutation(len(test.labels))[:PASTED])
    images, labels = test.batch(chosen)
    with torch.inference_mode():
        clean = (classifier(images.float()).argmax(dim=1) == labels).numpy()
    backdrops = [Image.fromarray(photo) for photo in load_sample_images().images]
    answers = [_read(classifier, _photo(image[0].numpy(), backdrops, random), "JPEG") for image in images]
    return clean, np.array(answers) == labels.numpy()


def _read(classifier: Classifier, picture: Image.Image, kind: str) -> int:
    """The digit that is seen in a picture once it was saved; -1 where none is found."""
    file = io.BytesIO()
    picture.save(file, kind)
    file.seek(0)
    try:
        pixels = reader.read(file, "picture")[1]
    except PipelineError:
        return -1
    with torch.inference_mode():
        return int(classifier(torch.from_numpy(pixels)[None, None]).argmax())


def _photo(digit: Bytes, backdrops: list[Image.Image], random: Random) -> Image.Image:
    """A digit (28, 28) drawn into an enlarged photo, at a place where it is legible."""
    backdrop, scale = backdrops[random.integers(len(backdrops))], random.uniform(3, 5)
    size = (round(backdrop.width * scale), round(backdrop.height * scale))
    photo = np.asarray(backdrop.resize(size, Image.Resampling.BICUBIC), dtype=np.float64).copy()
    legible = False
    while not legible:
        side = round(random.uniform(SMALLEST, LARGEST) * size[1])
        left, top = random.integers(size[0] - side + 1), random.integers(size[1] - side + 1)
        ink = random.uniform(0, 60, 3) if random.random() < 0.5 else random.uniform(195, 255, 3)
        behind = photo[top : top + side, left : left + side]
        legible = _contrast(behind[::8, ::8], ink) >= CONTRAST
    alpha = np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC))[..., None] / 255
    photo[top : top + side, left : left + side] = behind * (1 - alpha) + ink * alpha
    return Image.fromarray(photo.round().clip(0, 255).astype(np.uint8))


def _contrast(behind: Colours, ink: Colours) -> float:
    """Contrast ratio, 1–21, of ink against all but the nearest 1 % of what is behind it (WCAG 2's definition)."""
    ours, theirs = _luminance(ink) + 0.05, _luminance(behind) + 0.05
    dark, light = np.percentile(theirs, [1, 99])
    return float(max(dark / ours, ours / light))


def _luminance(colours: Colours) -> Colours:
    parts = colours / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    luminance: Colours = linear @ np.array([0.2126, 0.7152, 0.0722])
    return luminance
