"""A training that was killed goes on after its last finished epoch and ends with the bits of one that never stopped."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML
from safetensors import safe_open

from mnist_pipeline.arithmetic import machine
from mnist_pipeline.core import params, paths
from mnist_pipeline.data.dataset import Dataset
from mnist_pipeline.training import checkpoints, loop, resume
from mnist_pipeline.training.loop import Training
from mnist_pipeline.training.manifest import Manifest
from tests import synthetic
from tests.repository import ROOT, environment, quick_environment

CPU = torch.device("cpu")
OUTPUTS = ("models", "results")
EPOCHS = 25  # more than pass between two kills
RECIPES: list[dict[str, Any]] = [
    {"network": "cnn_separable"},
    {"augmentation": {"rotation": 10.0}, "log_every": 1},
    {"optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True}, "epochs": 3.5},
    {"network": "convnet", "optimizer": {"name": "muon", "learning_rate": 0.1, "others": {"learning_rate": 0.01}}},
]


class KilledError(Exception):
    """Stands for a power failure: nothing that comes after it happens."""


def fresh(manifest: Manifest) -> Training:
    return loop.start(manifest.recipe, manifest.seed, CPU)


def fit(trained: Training, data: Dataset, state: resume.State, last: int) -> None:
    """Train to the end, or until the state after epoch `last` was saved."""

    def save(now: Training) -> None:
        state.save(now)
        if now.epoch == last:
            raise KilledError

    indices = data.all()
    loop.fit(trained, (data, indices[:200]), {"validation": (data, indices[200:])}, after_epoch=save)


def tensors(trained: Training) -> dict[str, torch.Tensor]:
    return checkpoints.network_tensors(trained.network) | checkpoints.optimizer_tensors(trained.optimizer)


@pytest.mark.parametrize("changes", RECIPES)
def test_it_goes_on_to_the_same_bits(changes: dict[str, Any], workspace: Path) -> None:
    manifest, data = synthetic.manifest(synthetic.checked_recipe(**{"epochs": 4, **changes})), synthetic.dataset(250)
    undisturbed = fresh(manifest)
    fit(undisturbed, data, resume.State(manifest), last=99)
    resume.State(manifest).remove()
    for last in (1, 2):
        killed = fresh(manifest)
        resume.State(manifest).restore(killed)
        with pytest.raises(KilledError):
            fit(killed, data, resume.State(manifest), last)
        assert killed.epoch == last
    finished = fresh(manifest)
    resume.State(manifest).restore(finished)
    assert finished.epoch == 2
    fit(finished, data, resume.State(manifest), last=99)
    assert finished.history == undisturbed.history
    found, expected = tensors(finished), tensors(undisturbed)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert workspace / paths.RESUME in resume.State(manifest).path.parents


def test_what_a_study_keeps_beside_the_state_is_checked_with_it(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = synthetic.manifest(synthetic.checked_recipe(epochs=2))
    state = resume.State(manifest)
    kept = state.folder / "epochs" / "01" / checkpoints.WEIGHTS
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"weights")
    with pytest.raises(KilledError):
        fit(fresh(manifest), synthetic.dataset(250), state, last=1)
    later = state.folder / "epochs" / "02" / checkpoints.WEIGHTS  # its state was not saved any more
    later.parent.mkdir()
    later.write_bytes(b"more")
    resumed = fresh(manifest)
    state.restore(resumed)
    assert resumed.epoch == 1
    kept.write_bytes(b"")
    state.restore(fresh(manifest))
    assert "damaged and deleted" in capsys.readouterr().err
    assert not list(workspace.glob(".resume/*"))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda content: content[:-1],
    "empty": lambda _: b"",
    "a bit turned": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "no state at all": lambda _: b"something else\n",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_is_refused_in_one_line_and_deleted(
    damage: str, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = synthetic.manifest(synthetic.checked_recipe(epochs=2))
    state = resume.State(manifest)
    with pytest.raises(KilledError):
        fit(fresh(manifest), synthetic.dataset(250), state, last=1)
    assert list(workspace.glob(".resume/*/*")) == [state.path]
    state.path.write_bytes(DAMAGES[damage](state.path.read_bytes()))
    started = fresh(manifest)
    state.restore(started)
    assert capsys.readouterr().err == f"note: {state.shown}: damaged and deleted; small is trained from its start\n"
    assert started.epoch == 0
    assert not list(workspace.glob(".resume/*"))


def test_nothing_that_decides_the_bits_shares_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = synthetic.manifest(synthetic.checked_recipe())
    others = [
        manifest.model_copy(update=change)
        for change in (
            {"seed": 2},
            {"recipe": synthetic.checked_recipe(batch=32)},
            {"split": params.Split(seed=1, validation=50)},
            {"runtime": params.Runtime(device="cpu", threads=2)},
            {"data_sha256": {"training-images": "1" * 64}},
            {"training_images_sha256": "1" * 64},
        )
    ]
    keys = [resume.key(one) for one in (manifest, *others)]
    assert resume.key(manifest) == keys[0]
    monkeypatch.setattr(machine, "describe", lambda: {"processor": "another"})
    keys.append(resume.key(manifest))
    assert len(set(keys)) == len(others) + 2


def test_other_code_has_another_key(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path[:0] = [sys.argv[1] + '/src', sys.argv[1]]\n"
        "from mnist_pipeline import networks\n"
        "from mnist_pipeline.training import resume\n"
        "from tests import synthetic\n"
        "networks.build('mlp_28')\n"
        "print(resume.key(synthetic.manifest(synthetic.checked_recipe())))"
    )
    copies = [copy_code(tmp_path / name) for name in ("same", "used", "unused")]
    for network, folder in (("mlp_28", copies[1]), ("convnet", copies[2])):
        with (folder / f"src/mnist_pipeline/networks/{network}.py").open("a") as stream:
            stream.write("# changed\n")
    same, used, unused = (
        subprocess.check_output(["python3", "-c", script, copy], env=quick_environment(), text=True) for copy in copies
    )
    assert same == unused != used


def copy_code(folder: Path) -> Path:
    for part in ("src", "tests"):
        for source in (ROOT / part).rglob("*.py"):
            target = folder / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    return folder


@pytest.mark.parametrize(
    "kills",
    [[signal.SIGKILL], pytest.param(4 * [signal.SIGKILL] + 2 * [signal.SIGINT], marks=pytest.mark.faults)],
    ids=["once", "six times"],
)
def test_a_process_killed_at_random_moments_leaves_what_an_undisturbed_one_does(
    kills: list[signal.Signals], workspace: Path, published: Path
) -> None:
    last = EPOCHS * len(kills)
    spec = synthetic.recipe(network="cnn_avgpool", batch=16, epochs=last)
    content = synthetic.params(synthetic.data_params(published, [str(published)]), models={"small": spec})
    YAML(typ="safe").dump(content, workspace / "params.yaml")
    assert train(quick_environment()).wait() == 0
    undisturbed = outputs(workspace)
    assert not list(workspace.glob(".resume/*"))
    moments, epochs = random.Random(0), []  # noqa: S311
    for number in kills:
        process = train()
        wait_for_a_new_state(workspace, process)
        time.sleep(moments.uniform(0, 0.3))
        process.send_signal(number)
        assert process.wait() in ({-number} if number == signal.SIGKILL else {-number, 1})
        epochs.append(reached(workspace))
    assert epochs == sorted(epochs)
    assert epochs[0] > 0, epochs
    assert len(kills) == 1 or epochs[0] < epochs[-1], epochs
    assert epochs[-1] < last, epochs
    assert train().wait() == 0
    assert outputs(workspace) == undisturbed
    assert not list(workspace.glob(".resume/*"))


def train(variables: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    command = ["python3", str(ROOT / "stages" / "train.py"), "small"]
    null = subprocess.DEVNULL
    return subprocess.Popen(
        command, env=variables or environment(), stdout=null, stderr=null, preexec_fn=_listen_to_ctrl_c
    )


def _listen_to_ctrl_c() -> None:
    """A shell starts what it runs in the background with Ctrl-C ignored, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def outputs(folder: Path) -> dict[str, bytes]:
    files = [path for part in OUTPUTS for path in (folder / part).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def state_file(folder: Path) -> Path | None:
    return next(folder.glob(".resume/*/state.safetensors"), None)


def wait_for_a_new_state(folder: Path, process: subprocess.Popen[bytes]) -> None:
    before = state_file(folder)
    version = before.stat().st_ino if before else None
    while process.poll() is None:
        now = state_file(folder)
        try:
            if now is not None and now.stat().st_ino != version:
                return
        except FileNotFoundError:  # between two looks the training ended
            return
        time.sleep(0.005)


def reached(folder: Path) -> int:
    """The epoch of the state that a killed process left."""
    state = state_file(folder)
    assert state is not None
    with safe_open(state, "pt") as file:
        return int(json.loads(file.metadata()["progress"])["epoch"])


def test_what_a_kill_left_half_written_is_not_taken_for_a_state(workspace: Path) -> None:
    manifest = synthetic.manifest(synthetic.checked_recipe(epochs=2))
    state = resume.State(manifest)
    state.folder.mkdir(parents=True)
    state.path.with_name(f"{state.path.name}.{os.getpid()}.part").write_bytes(b"half")
    started = fresh(manifest)
    state.restore(started)
    assert started.epoch == 0
    state.remove()
    assert not list(workspace.glob(".resume/*"))
