"""params.yaml: what is wrong is named with its key, its value and the nearest right key; what ships is right."""

import copy
import hashlib
from pathlib import Path
from typing import Any

import pytest

from mnist_pipeline import networks
from mnist_pipeline.core import params
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import Params
from mnist_pipeline.core.recipes import SGD
from tests import synthetic

ROOT = Path(__file__).parents[2]
ADAM: dict[str, Any] = {"name": "adamw", "learning_rate": 0.01}
ONE_FILE = {"file": "a.gz"}


@pytest.fixture
def content(settings: Params) -> dict[str, Any]:
    """A whole params.yaml that is right, as a mapping of our own."""
    return settings.model_dump(exclude_none=True)


def with_value(content: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(content)
    *way, last = key.split(".")
    inner = changed
    for part in way:
        inner = inner[part]
    inner[last] = value
    return changed


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sede", 1, "unknown key sede (value 1); did you mean seed?"),
        ("models.small.epoch", 3, "unknown key models.small.epoch (value 3); did you mean epochs?"),
        (
            "models.small.optimizer.learning_rat",
            0.1,
            "unknown key models.small.optimizer.learning_rat (value 0.1); did you mean learning_rate?",
        ),
        ("split.zzz", None, "unknown key split.zzz (value None); remove it"),
        ("runtime.seed", 3, "unknown key runtime.seed (value 3); a key of this name belongs elsewhere"),
        ("models.small.optimizer", {"learning_rate": 0.1}, "key models.small.optimizer.name is missing"),
        ("split.a b\n", 1, r"unknown key split.'a b\n' (value 1); "),
        ("seed", [[[[1] * 99] * 99] * 99] * 99, "seed: found [[["),
        (
            "models.small.epochs",
            1e300,
            "models.small.epochs: found 1e+300, expected: Input should be less than or equal ",
        ),
        (
            "runtime.threads",
            2**40,
            "runtime.threads: found 1099511627776, expected: Input should be less than or equal",
        ),
        ("data.sources", [""], "data.sources.0: found '', expected: String should match pattern"),
        ("data.files.test_labels", {"file": "a\0.gz"}, r"data.files.test_labels.file: found 'a\x00.gz', "),
        (
            "data.files.test_labels",
            {"file": synthetic.FILES["test_images"]},
            "four files, but data.files.test_images.file and data.files.test_labels.file are the same",
        ),
        ("seed", "1", "seed: found '1', expected: Input should be a valid integer"),
        ("seed", True, "seed: found True, expected: Input should be a valid integer"),
        ("models.small.epochs", "1", "models.small.epochs: found '1', expected: Input should be a valid number"),
        ("models.small.batch", 0, "models.small.batch: found 0, expected: Input should be greater than 0"),
        ("models.small.scaling.std", 0, "models.small.scaling.std: found 0, expected: Input should be greater than 0"),
        ("models.small.optimizer", ADAM | {"learning_rate": -1}, "models.small.optimizer.learning_rate: found -1, "),
        ("models.small.optimizer", ADAM | {"learning_rate": float("nan")}, ".learning_rate: found nan, expected: "),
        ("models.small.scaling.mean", float("inf"), "models.small.scaling.mean: found inf, expected: "),
        (
            "models.small.optimizer",
            ADAM | {"name": "adan"},
            "models.small.optimizer.name: found 'adan', expected: ",
        ),
        ("models.small.optimizer", ADAM | {"betas": [0.9, 1.0]}, "models.small.optimizer.betas.1: found 1.0, "),
        ("models.small.optimizer", {"name": "adamw"}, "key models.small.optimizer.learning_rate is missing"),
        (
            "models.small.optimizer",
            {"name": "sgd", "learning_rate": 0.1, "nesterov": True},
            "models.small.optimizer: found {'learning_rate': 0.1, 'name': 'sgd', 'nesterov': True}, "
            "expected: Value error, nesterov needs a momentum above 0",
        ),
        ("models.small.options", {"hidden": [1]}, "models.small.options.hidden: found [1], expected: "),
        ("models.small.schedule", {"name": "one_cycle", "warmup": 2}, "schedule.warmup: found 2, expected: "),
        ("models.a/b", synthetic.recipe(), "models.a/b: found 'a/b', expected: String should match pattern"),
        ("models", {}, "models: found {}, expected: Dictionary should have at least 1 item"),
        ("data.sources", [], "data.sources: found [], expected: List should have at least 1 item"),
        ("data.classes", ["A"], "data.classes: found ['A'], expected: List should have at least 2 items"),
        ("data.classes", [str(name) for name in range(63)], "expected: List should have at most 62 items"),
        ("data.classes", ["A", 1], "data.classes.1: found 1, expected: Input should be a valid string"),
        ("data.classes", ["A", "B "], "data.classes.1: found 'B ', expected: String should match pattern"),
        ("data.classes", ["A", "B|C"], "data.classes.1: found 'B|C', expected: String should match pattern"),
        ("data.classes", ["A", "B" * 21], "expected: String should have at most 20 characters"),
        ("data.classes", ["A", "B", "A"], "expected: Value error, a name of its own for each class, not A 2 times"),
        ("data.files.test_labels", ONE_FILE | {"sha256": "abc"}, "data.files.test_labels.sha256: found 'abc', "),
        ("data.files.test_labels", {"file": "../a.gz"}, "data.files.test_labels.file: found '../a.gz', "),
        ("runtime.device", "tpu", "runtime.device: found 'tpu', expected: Input should be 'cpu', 'cuda' or 'mps'"),
    ],
)
def test_a_wrong_entry_is_named(content: dict[str, Any], key: str, value: Any, message: str) -> None:
    with pytest.raises(PipelineError) as raised:
        params.parse(with_value(content, key, value), "params.yaml")
    assert str(raised.value).startswith("params.yaml: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("key", ["seed", "split", "runtime", "data", "models"])
def test_a_missing_key_is_named(content: dict[str, Any], key: str) -> None:
    del content[key]
    with pytest.raises(PipelineError, match=f"^params.yaml: key {key} is missing$"):
        params.parse(content, "params.yaml")


def test_several_wrong_entries_are_all_named(content: dict[str, Any]) -> None:
    with pytest.raises(PipelineError, match=r"seed: found -1, .*; runtime\.threads: found 0, "):
        params.parse(content | {"seed": -1, "runtime": {"device": "cpu", "threads": 0}}, "params.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file: found None, expected: "),
        ("- seed", r"the file: found \['seed'\], expected: "),
        ("seed: [1", "not valid YAML: .*line 1"),
        ("seed: 1\nseed: 2\n", "not valid YAML: .*duplicate key"),
        ("seed: &a 1\nsplit: &a 2\n", "not valid YAML: .*duplicate anchor 'a'"),
        ("seed: " + "[" * 3000, "not valid YAML: maximum recursion depth"),
        ("seed: " + "9" * 5000, "seed: found \\('999.*digits.*, expected: "),
        ("seed: 9223372036854775808", "seed: found \\('9223372036854775808', 'more than 63 bits'\\), expected: "),
        (
            "models: {a: {optimizer: 9223372036854775808}}",
            "models.a.optimizer: found \\('9223372036854775808', .*, expected: Input should be a valid dictionary",
        ),
        ("seed: !!int x", "seed: found \\('x', .invalid literal for int.*expected: "),
        ("data: {sources: [!!int x]}", "data.sources.0: found \\('x', .*expected: Input should be a valid string"),
        ("seed: !!bool x", "seed: found \\('x', "),
        ("seed: 2001-13-01", "seed: found \\('2001-13-01', 'month must be in 1..12.*'\\), expected: "),
        ("models:\n  2001-12-01: 3", "models.2001-12-01: found datetime"),
        ("true: 1", "True: found True, expected: Keys should be strings"),
        ("? [[1]]\n: 2", "not valid YAML: "),
        ("\ufeffseed: [", "not valid YAML: "),
    ],
)
def test_a_file_that_holds_no_mapping_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PipelineError, match=message) as raised:
        params.load(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


def test_a_file_in_another_encoding_is_refused_as_dvc_would(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text((ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-16")
    with pytest.raises(PipelineError, match="not valid YAML: 'utf-8' codec can't decode"):
        params.load(path)


def test_a_file_that_cant_be_read_is_not_said_to_be_wrong(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=f"^{tmp_path}: can't be read: Is a directory; .*; check its rights$"):
        params.load(tmp_path)


def test_a_missing_file_says_where_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PipelineError, match=f"^params.yaml: not found in {tmp_path}; run this from the repository"):
        params.load()


def test_numbers_are_read_as_dvc_reads_them(content: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    text = repr(with_value(content, "models.small.optimizer.learning_rate", "RATE")).replace("'RATE'", "1e-3")
    path.write_text(text.replace("None", "null").replace("False", "false"), encoding="utf-8")
    assert params.load(path).models["small"].optimizer.learning_rate == 0.001


def test_settings_cannot_be_changed(settings: Params) -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings.seed = 2


def test_an_unknown_model_is_named_beside_those_there_are(settings: Params) -> None:
    with pytest.raises(PipelineError, match=r"no models\.large; there are small$"):
        settings.recipe("large")


def test_momentum_allows_nesterov() -> None:
    assert SGD.model_validate(ADAM | {"name": "sgd", "momentum": 0.9, "nesterov": True}).nesterov


def test_the_shipped_recipes_build_their_networks() -> None:
    for recipe in params.load(ROOT / "params.yaml").models.values():
        assert sum(one.numel() for one in networks.build(recipe.network, **recipe.options).parameters()) > 0


def test_the_shipped_files_are_those_in_the_archive() -> None:
    data = params.load(ROOT / "params.yaml").data
    for _, file in data.files:
        content = (ROOT / "data/archive" / data.name / file.file).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.bytes, file.sha256)
