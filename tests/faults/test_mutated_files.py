"""Damaged and malicious files: what breaks the format is refused in one line, what does not is let through."""

import os
import re
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from ruamel.yaml import YAML

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import Data
from mnist_pipeline.data import idx, verification
from tests import synthetic
from tests.faults import bombs, oracle
from tests.faults.alone import Memory, alone
from tests.faults.conftest import Write
from tests.faults.mutations import MUTATIONS
from tests.repository import ROOT, environment

pytestmark = pytest.mark.faults
Counts = Counter[tuple[str, bool]]
TRAINING, TEST = 20, 10
SHAPES: dict[str, tuple[int, ...]] = {
    "training_images": (TRAINING, 28, 28),
    "training_labels": (TRAINING,),
    "test_images": (TEST, 28, 28),
    "test_labels": (TEST,),
}
MOST_MEMORY = 500 * bombs.MIB
SWAPPED = "two files swapped"
KNOWN, UNKNOWN, HARMLESS = "known: refused", "unknown: refused", "unknown and harmless: let through"
MAPPED = "libraries that are mapped, torch's above all, are not counted"
KINDS = [*MUTATIONS, SWAPPED]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with the four files of a very small data set in `data/raw`."""
    synthetic.write(tmp_path / paths.RAW, TRAINING, TEST)
    return tmp_path


def test_mutated_files(folder: Path, full: bool, record: Write) -> None:
    """Half with the digests known, where nothing changed may pass; half without, where the format decides."""
    half = 5000 if full else 20 * len(KINDS)
    known, unknown, peak = alone(_campaigns, folder, half)
    rows = [
        {"mutation": kind, KNOWN: known[kind, True], UNKNOWN: unknown[kind, True], HARMLESS: unknown[kind, False]}
        for kind in KINDS
    ]
    totals = {KNOWN: known.total(), UNKNOWN: _of(unknown, True), HARMLESS: _of(unknown, False)}
    memory = f"at most {peak >> 20} MiB of its own memory ({MAPPED})"
    text = f"{2 * half} mutated files through `verify`, in one process; {memory}."
    record("Mutated files", text, [*rows, {"mutation": "all"} | totals])
    assert not _of(known, False)
    assert totals[KNOWN] == totals[UNKNOWN] + totals[HARMLESS] == half
    assert totals[UNKNOWN] > totals[HARMLESS] > 0
    assert peak < MOST_MEMORY


def test_bombs(folder: Path, full: bool, record: Write) -> None:
    """In place of each of two files; the process may write no file much larger than a whole one."""
    gib, rows, most = (16, [], 0) if full else (2, [], 0)
    for role in ("training_images", "test_labels"):
        (folder / "bombs").mkdir(exist_ok=True)
        for name, content in bombs.all_of(SHAPES[role], gib):
            (folder / "bombs" / name).write_bytes(content)
        sizes = {path.name: path.stat().st_size for path in (folder / "bombs").iterdir()}
        refused, peak = alone(_explode, folder, role)
        assert all(refused.values())
        most = max(most, peak)
        rows += [
            {"in place of": role, "bomb": name, "bytes": f"{sizes[name]:,}", "outcome": "refused"} for name in refused
        ]
    assert most < MOST_MEMORY
    record(
        "Bombs", f"Refused with at most {most >> 20} MiB of own memory ({MAPPED}), and nothing left on the disk.", rows
    )


def test_the_stage_itself(folder: Path, full: bool, record: Write) -> None:
    """One harmful file of each kind through the script that DVC runs: one line, exit code 1, nothing left."""
    os.chdir(folder)
    YAML().dump(
        synthetic.params(_settings(known=False).model_dump(), split={"seed": 0, "validation": 5}), Path("params.yaml")
    )
    whole, random, rows = _whole(), Random(2), []  # noqa: S311
    for number, kind in enumerate(KINDS):
        if not full and number % 5:
            continue
        changed = _harmful(random, whole, number)
        if changed is not None:
            rows.append({"mutation": kind, "the stage said": _run_stage(whole, changed)})
    record(
        "Mutated files through the stage", "One of each kind that can break the format; exit code 1 and one line.", rows
    )


def _run_stage(whole: dict[str, bytes], changed: dict[str, bytes]) -> str:
    _put(changed)
    command = [sys.executable, str(ROOT / "stages" / "verify.py")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    _put({role: whole[role] for role in changed})
    assert done.returncode == 1, done
    assert re.fullmatch(r"error: data/raw/.*\n", done.stderr), done.stderr
    assert not paths.IDX.exists()
    assert not paths.DATA_METRICS.exists()
    return done.stderr.removeprefix("error: data/raw/").strip()


def _harmful(random: Random, whole: dict[str, bytes], number: int) -> dict[str, bytes] | None:
    """A mutation of this number's kind that breaks the format; None when there is none in many."""
    tries = (_mutated(random, whole, number)[1] for _ in range(50))
    return next((changed for changed in tries if not _is_harmless(changed)), None)


def _settings(known: bool) -> Data:
    content = synthetic.data_params(paths.RAW, ["."], TRAINING, TEST)
    if not known:
        content["files"] = {role: {"file": name} for role, name in synthetic.FILES.items()}
    return Data.model_validate(content)


def _whole() -> dict[str, bytes]:
    return {role: (paths.RAW / name).read_bytes() for role, name in synthetic.FILES.items()}


def _put(contents: dict[str, bytes]) -> None:
    for role, content in contents.items():
        (paths.RAW / synthetic.FILES[role]).write_bytes(content)


def _mutated(random: Random, whole: dict[str, bytes], number: int) -> tuple[str, dict[str, bytes]]:
    """The kind of the mutation with this number, and the files that it changed, by role; at least one is another."""
    kind = KINDS[number % len(KINDS)]
    while True:
        if kind == SWAPPED:
            one, other = random.sample(sorted(whole), 2)
            return kind, {one: whole[other], other: whole[one]}
        role = random.choice(sorted(whole))
        changed = MUTATIONS[kind](random, whole[role])
        if changed != whole[role]:
            return kind, {role: changed}


def _is_harmless(changed: dict[str, bytes]) -> bool:
    return all(oracle.keeps_the_format(content, SHAPES[role]) for role, content in changed.items())


def _of(counts: Counts, refused: bool) -> int:
    return sum(count for (_, outcome), count in counts.items() if outcome == refused)


def _campaigns(folder: Path, half: int) -> tuple[Counts, Counts, int]:
    """With the digests known and without: how often each kind was refused or not, and the peak of the memory."""
    memory = _limit(folder)
    return _campaign(half, known=True), _campaign(half, known=False), memory.peak()


def _campaign(count: int, known: bool) -> Counts:
    random, data, whole, counts = Random(int(known)), _settings(known), _whole(), Counts()  # noqa: S311
    for number in range(count):
        kind, changed = _mutated(random, whole, number)
        name = f"mutation {number} of seed {int(known)}: {kind}, {', '.join(changed)}"
        try:
            refused = _attack(data, whole, changed)
        except Exception as error:
            raise AssertionError(name) from error
        assert refused == (known or not _is_harmless(changed)), name
        counts[kind, refused] += 1
    return counts


def _explode(folder: Path, role: str) -> tuple[dict[str, bool], int]:
    """The bombs in place of one file, with nothing known of it: which were refused, and the peak of the memory."""
    memory = _limit(folder)
    data, whole = _settings(known=False), _whole()
    places = sorted(Path("bombs").iterdir())
    return {place.name: _attack(data, whole, {role: place.read_bytes()}) for place in places}, memory.peak()


def _attack(data: Data, whole: dict[str, bytes], changed: dict[str, bytes]) -> bool:
    """Put changed files in place, verify, put the whole ones back; returns whether they were refused."""
    _put(changed)
    try:
        verification.verify(data, paths.RAW)
    except PipelineError as error:
        said = str(error)
        assert any(said.startswith(f"{paths.RAW / synthetic.FILES[role]}: ") for role in changed), said
        assert "\n" not in said, said
        assert not paths.IDX.exists(), "something was left"
        return True
    finally:
        _put({role: whole[role] for role in changed})
    assert sorted(paths.IDX.iterdir()) == sorted(paths.IDX_FILES)
    return False


def _limit(folder: Path) -> Memory:
    """Work there, and write no file that is larger than a whole one by much: more is an OSError."""
    os.chdir(folder)
    largest = max(2 * idx.CHUNK, *(path.stat().st_size for path in Path().rglob("*")))
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    return Memory()
