"""Every path of an artefact, once; all relative to the folder that holds dvc.yaml and params.yaml."""

import os
from pathlib import Path

PARAMS = Path("params.yaml")
SCHEMA = Path("params.schema.json")
RAW = Path("data/raw")
IDX = Path("data/idx")
TRAINING_IMAGES = IDX / "training-images.idx3-ubyte"
TRAINING_LABELS = IDX / "training-labels.idx1-ubyte"
TEST_IMAGES = IDX / "test-images.idx3-ubyte"
TEST_LABELS = IDX / "test-labels.idx1-ubyte"
CLASSES = IDX / "classes.json"  # there only where they are not the ten digits
IDX_FILES = (TRAINING_IMAGES, TRAINING_LABELS, TEST_IMAGES, TEST_LABELS)
DATA_METRICS = Path("metrics/data.json")
DATA_PICTURES = Path("results/data")
MODEL_METRICS = Path("metrics/models")
SUMMARY_METRICS = Path("metrics/summary.json")
SUMMARY = Path("results/summary")
LEADERBOARD = SUMMARY / "leaderboard.md"
BEST = SUMMARY / "best.json"
CURVES = SUMMARY / "curves.csv"
COMPARISON = SUMMARY / "comparison.png"
MODELS = Path("models")
WEIGHTS, MANIFEST = "weights.safetensors", "model.json"
TRAIN = Path("results/train")
TEST = Path("results/test")
STORE = Path(".mlflow")
DATABASE = STORE / "mlflow.db"
RECEIPT = STORE / "receipt.json"
PUBLISHED_TO = STORE / "published-to.json"
TIMINGS = Path(".timings")
LOGS = Path(".logs")
RECORDED = Path("recorded.json")
RESUME = Path(".resume")
ENDED = "ended"  # beside the state of a training that has ended: the stage of `mnist repro` that it was


def root() -> Path:
    """The real repository, also from inside a temporary experiment, whose folder DVC deletes afterwards."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def project() -> Path:
    """The nearest folder, from here upwards, that has DVC's: where `src` and `stages` are. Else the one we are in."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here)


def model(name: str) -> Path:
    return MODELS / name


def manifest(name: str) -> Path:
    """What a model is and what it was trained on."""
    return model(name) / MANIFEST


def history(name: str) -> Path:
    return TRAIN / name / "history.csv"


def metrics(name: str) -> Path:
    return MODEL_METRICS / f"{name}.json"


def test(name: str) -> Path:
    return TEST / name


def timing(name: str) -> Path:
    """Machine and seconds of one training; ignored by git and DVC, since no two runs take the same."""
    return TIMINGS / f"{name}.json"
