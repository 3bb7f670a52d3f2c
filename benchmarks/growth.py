"""Seconds and memory of stages when the data set grows a hundredfold: MNIST repeated with shifts, written as IDX."""

import gzip
import itertools
import os
import re
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from benchmarks import report
from mnist_pipeline.core import tables
from mnist_pipeline.data import dataset, idx

COUNTS = (60_000, 600_000, 6_000_000)
GIBIBYTE, LINEAR, ROUNDS = 1 << 30, 1.25, 3
STAGES = {"verify": ["verify.py"], "train": ["train.py", "mlp_28"], "evaluate": ["evaluate.py", "mlp_28"]}
NAMES = {"training_images": "a.gz", "training_labels": "b.gz", "test_images": "c.gz", "test_labels": "d.gz"}
TEXT = """Training files and test files of so many images each, so `verify` checks twice as many, `train` (one epoch
of `mlp_28`) and `evaluate` see so many. Each stage is a process of its own; its start of a few seconds is in the
figures, which are medians of three runs. Memory is the largest RssAnon, read from /proc fifty times a second: what
the process holds besides mapped files. Growth is how many times as long a further image takes between 600,000 and
6,000,000 as between 60,000 and 600,000: 1 is linear."""


def run() -> str:
    source = Path.cwd()
    data = dataset.training_set()
    images, labels = data.pixels.numpy(), data.labels.numpy()
    figures: dict[str, list[tuple[float, int]]] = {stage: [] for stage in STAGES}
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), images, labels, count)
            _write_params(source, Path(folder), count)
            for stage, command in STAGES.items():
                line = [sys.executable, str(source / "stages" / command[0]), *command[1:]]
                runs = [_measure(line, folder) for _ in range(ROUNDS)]
                figures[stage].append((median(run[0] for run in runs), max(run[1] for run in runs)))
    rows = [_row(stage, results) for stage, results in figures.items()]
    verdicts = []
    for row, results in zip(rows, figures.values(), strict=True):
        peak = max(memory for _, memory in results) / GIBIBYTE
        verdicts.append(report.verdict(f"{row['stage']}, growth", row["growth"], at_most=LINEAR))
        verdicts.append(report.verdict(f"{row['stage']}, GiB", peak, at_most=1))
    return "\n\n".join([TEXT, tables.markdown(rows), "\n".join(verdicts)])


def _row(stage: str, results: list[tuple[float, int]]) -> dict[str, Any]:
    row: dict[str, Any] = {"stage": stage}
    for count, (seconds, memory) in zip(COUNTS, results, strict=True):
        row[f"{count:,}: s"], row[f"{count:,}: MiB"] = f"{seconds:.1f}", f"{memory >> 20}"
    small, middle, large = (seconds for seconds, _ in results)
    each_of = (COUNTS[1] - COUNTS[0], COUNTS[2] - COUNTS[1])
    row["growth"] = round((large - middle) / each_of[1] / ((middle - small) / each_of[0]), 2)
    return row


def _write(folder: Path, images: idx.Bytes, labels: idx.Bytes, count: int) -> None:
    """Gzipped IDX files of so many images, each repetition moved by up to five pixels; the test files are the same."""
    raw = folder / "data" / "raw"
    raw.mkdir(parents=True)
    times = count // len(labels)
    with gzip.open(raw / "a.gz", "wb", compresslevel=1) as stream:
        stream.write(struct.pack(">4I", idx.UNSIGNED_BYTES + 3, count, idx.SIZE, idx.SIZE))
        for repetition in itertools.islice(shifted(images), times):
            stream.write(repetition.tobytes())
    with gzip.open(raw / "b.gz", "wb", compresslevel=1) as stream:
        stream.write(struct.pack(">2I", idx.UNSIGNED_BYTES + 1, count))
        for _ in range(times):
            stream.write(labels.tobytes())
    (raw / "c.gz").hardlink_to(raw / "a.gz")
    (raw / "d.gz").hardlink_to(raw / "b.gz")


def shifted(images: idx.Bytes) -> Iterator[idx.Bytes]:
    """The images a hundred times, each time moved by up to five pixels in either direction."""
    return (np.roll(images, shift, axis=(1, 2)) for shift in itertools.product(range(-5, 5), repeat=2))


def _write_params(source: Path, folder: Path, count: int) -> None:
    content = YAML(typ="safe").load(source / "params.yaml")
    files = {role: {"file": name} for role, name in NAMES.items()}
    content["data"] |= {"training": count, "test": count, "files": files}
    content["models"] = {"mlp_28": content["models"]["mlp_28"] | {"epochs": 1}}
    YAML(typ="safe").dump(content, folder / "params.yaml")


def _measure(command: list[str], folder: str) -> tuple[float, int]:
    """Seconds of a process and the most anonymous memory that it held, in bytes."""
    os.sync()  # or a stage pays for what the one before it left to be written
    began, peak, said = time.perf_counter(), 0, Path(folder) / "said.txt"
    environment = os.environ | {"DVC_ROOT": folder}
    with said.open("wb") as errors, subprocess.Popen(command, cwd=folder, env=environment, stderr=errors) as process:
        status = Path(f"/proc/{process.pid}/status")  # there until `poll` has seen the end
        while process.poll() is None:
            anonymous = re.search(r"RssAnon:\s+(\d+)", status.read_text(encoding="ascii"))
            peak = max(peak, 1024 * int(anonymous[1]) if anonymous else 0)
            time.sleep(0.02)
        seconds = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {said.read_text()}")
    return seconds, peak
