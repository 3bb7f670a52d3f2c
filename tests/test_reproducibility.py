"""The same bits again: in another process, in another folder; and the first losses of every shipped recipe."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.core import files, params
from tests import golden, repository, synthetic
from tests.arithmetic.test_portable import OTHERS, needs_avx2
from tests.repository import ROOT, Repository, environment

SHIPPED = params.load(ROOT / "params.yaml")
TOLERANCE = 0.05  # where portable arithmetic can't be had, losses drift apart, but slowly


RECIPES = [(folder, model) for folder, settings in golden.shipped().items() for model in settings.models]


@pytest.mark.parametrize(("folder", "model"), RECIPES)
def test_first_losses_are_the_golden_ones(
    real_mnist: Path, monkeypatch: pytest.MonkeyPatch, folder: str, model: str
) -> None:
    monkeypatch.chdir(real_mnist)
    settings = golden.shipped()[folder]
    assert settings.data.files == SHIPPED.data.files
    found = golden.first_losses(settings, model)
    expected = files.read_json(golden.FILE)[folder][model]
    if portable.expected(settings.runtime) != "native":  # exact ones are the same on every machine
        assert found == expected
    else:
        assert found == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("network", ["mlp_28", "cnn_separable", "cnn_5x5"])
def test_two_processes_in_two_folders_write_the_same_bytes(workspace: Path, published: Path, network: str) -> None:
    """The second one started as a user starts it, and with another thread setting, which must not matter."""
    augmented = synthetic.recipe(network=network, epochs=2, augmentation={"rotation": 10.0, "translation": 0.1})
    settings = synthetic.params(synthetic.data_params(published, ["nowhere"]), models={"small": augmented})
    YAML().dump(settings, workspace / "params.yaml")
    other = Path(shutil.copytree(workspace, workspace / "other"))
    train = ("python3", str(ROOT / "stages" / "train.py"), "small")
    Repository(workspace).run(*train)
    Repository(other, real=True).run(*train, OMP_NUM_THREADS="2")
    written = [path.relative_to(other) for part in ("models", "results") for path in (other / part).rglob("*.*")]
    assert len(written) == 5
    assert all((workspace / path).read_bytes() == (other / path).read_bytes() for path in written)


@pytest.fixture(scope="session")
def decimal_comma(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables for a locale in which a half is 0,5; few machines have one, so it is made."""
    folder = tmp_path_factory.mktemp("locales")
    made = ["localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.UTF-8")]
    if subprocess.run(made, check=False, capture_output=True).returncode:
        pytest.skip("localedef can't make de_DE.UTF-8 here: Debian's package `locales` brings what it needs")
    variables = {"LC_ALL": "de_DE.UTF-8", "LOCPATH": str(folder)}
    asked = "import locale; locale.setlocale(locale.LC_ALL, ''); print(locale.localeconv()['decimal_point'])"
    said = subprocess.check_output([sys.executable, "-c", asked], env=environment(**variables), text=True)
    assert said == ",\n"
    return variables


@needs_avx2
def test_other_surroundings_leave_the_same_lock(built: Path, tmp_path: Path, decimal_comma: dict[str, str]) -> None:
    """Zone, locale (the other one has C), umask, order of hashes, home, threads, kernels, and a folder with a space."""
    spaced = repository.create(tmp_path / "with a space", Repository(built).params())
    home = tmp_path / "home"
    home.mkdir()
    surroundings = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "2") | OTHERS
    surroundings |= {"TZ": "XXX-12:45", "PYTHONHASHSEED": "77", "HOME": str(home)} | decimal_comma
    spaced.run("sh", "-c", "umask 077; exec mnist repro", code=0, **surroundings)
    assert spaced.lock() == Repository(built).lock()


def test_a_stage_without_the_packages_says_what_to_do() -> None:
    command = [sys.executable, "-S", str(ROOT / "stages" / "train.py"), "small"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "make setup" in done.stderr
    assert "Traceback" not in done.stderr
