"""params.yaml with anything in it: a valid configuration that builds, or one line that names the key."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, configuration, given, settings
from hypothesis import strategies as st

from mnist_pipeline import networks
from mnist_pipeline.arithmetic import runtime
from mnist_pipeline.core import params
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import Params
from mnist_pipeline.core.recipes import Recipe
from mnist_pipeline.data import dataset
from mnist_pipeline.training import optimizers
from tests.faults.conftest import Write
from tests.faults.spoiling import GARBAGE, Case, Way, added, deleted, misspelt, replaced, rewritten, text

pytestmark = pytest.mark.faults
Outcomes = Counter[tuple[str, str]]
REFUSED, VALID = "refused", "valid, and builds"
LONGEST_LINE = 20_000
LABELS = (np.arange(60_000) % 10).astype(np.uint8)


@pytest.fixture(autouse=True, scope="module")
def _home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever hypothesis keeps, it keeps elsewhere."""
    configuration.set_hypothesis_home_dir(str(tmp_path_factory.mktemp("hypothesis")))


def test_anything_in_params_yaml(tmp_path: Path, full: bool, record: Write) -> None:
    counts, file = Outcomes(), tmp_path / "params.yaml"

    def mutation(kind: str, case: Case) -> None:
        content, ways = case
        said = _load(file, text(content).encode())
        assert isinstance(said, Params) or any(_names(said, way) for way in ways), f"{kind} {ways}: {said}"
        counts[kind, _outcome(said)] += 1

    def bytes_of(kind: str, content: str | bytes) -> None:
        raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        counts[kind, _outcome(_load(file, raw))] += 1

    hundred = 10_000 // 100 if full else 3
    for kind, strategy, share, check in (
        ("a value replaced", replaced(), 35, mutation),
        ("a key deleted", deleted(), 1, mutation),
        ("a key misspelt", misspelt(), 14, mutation),
        ("a key added", added(), 20, mutation),
        ("the text rewritten", rewritten(), 20, bytes_of),
        ("other text and bytes", GARBAGE, 10, bytes_of),
    ):
        _try(kind, strategy, share * hundred, check)
    kinds = list(dict.fromkeys(kind for kind, _ in counts))
    rows = [{"mutation": kind, REFUSED: counts[kind, REFUSED], VALID: counts[kind, VALID]} for kind in kinds]
    record(
        "params.yaml",
        f"{counts.total()} files; every refusal is one line that names the file, and the key where one was changed.",
        rows,
    )
    assert all(counts[kind, REFUSED] for kind in kinds)
    assert any(counts[kind, VALID] for kind in kinds)


def _try(kind: str, strategy: st.SearchStrategy[Any], count: int, check: Callable[[str, Any], None]) -> None:
    @settings(
        max_examples=count, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def run(case: Any) -> None:
        check(kind, case)

    run()


def _load(file: Path, content: bytes) -> Params | str:
    """The configuration, which has to build; or what is wrong with it, in one line of bearable length."""
    file.write_bytes(content)
    try:
        loaded = params.load(file)
    except PipelineError as error:
        said = str(error)
        assert said.startswith(f"{file}: ")
        assert len(said.splitlines()) == 1
        assert len(said) < LONGEST_LINE
        return said.removeprefix(f"{file}: ")
    _build(loaded)
    return loaded


def _outcome(said: Params | str) -> str:
    return REFUSED if isinstance(said, str) else VALID


def _names(said: str, way: Way) -> bool:
    """Whether an error names the key: its whole path, or that of its mapping, and the key where it explains."""
    parts = [
        part if (part := str(key)).isprintable() and part.strip() == part != "" and "." not in part else repr(part)
        for key in way
    ]
    return ".".join(parts) in said or (".".join(parts[:-1]) in said and parts[-1] in said)


def _build(loaded: Params) -> None:
    """What is cheap to make of a valid configuration."""
    json.dumps(loaded.model_dump())
    runtime.seed(loaded.seed, epoch=1)
    with _refusing("split.validation"):
        dataset.split(LABELS, loaded.split)
    for name, recipe in loaded.models.items():
        assert loaded.recipe(name) is recipe
        _build_recipe(recipe)


def _build_recipe(recipe: Recipe) -> None:
    optimizers.build(torch.nn.Sequential(torch.nn.Conv2d(2, 2, 1), torch.nn.Linear(2, 2)), recipe.optimizer)
    assert all(0 <= optimizers.factor(recipe.schedule, progress) <= 1 for progress in (0.0, 0.3, 0.5, 0.999999))
    options = tuple(sorted(recipe.options.items()))
    if all(not isinstance(value, int | float) or abs(value) <= 64 for _, value in options):
        _network(recipe.network, options)


@cache
def _network(name: str, options: tuple[tuple[str, Any], ...]) -> None:
    with _refusing(name):
        networks.build(name, **dict(options))


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """What is inside may also be refused, by an error that names what the settings can't know."""
    try:
        yield
    except PipelineError as error:
        if what not in str(error):
            raise
