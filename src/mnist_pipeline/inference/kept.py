"""Exports of models to ONNX, kept in `.onnx/` of the project: to answer by one takes neither torch nor seconds.

A file bears the SHA-256 of all that it was made from, so that it is never that of another state of a model: weights,
model.json, the network's file, the rooms that make probabilities of them, versions. Its own SHA-256 follows, so that a
damaged one is never used. An empty one says that this model has no export. All may be deleted at any time.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from mnist_pipeline.core import files, paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.inference.models import Eager, Exported, Model

MOST = 32  # files; the oldest go
PACKAGE = Path(__file__).parents[1]
ROOMS = ("core", "data", "exact", "inference", "networks/__init__.py", "training")
PACKAGES = ("onnx", "onnx-ir", "onnxruntime", "onnxscript", "torch")


def load(folder: Path) -> Model:
    """The model in a folder: as an export of before answers it, or else by torch, which leaves one for the next time.

    By torch alone outside of a project or where it can't be written to, and, which a note says once, where a model has
    no export. A file in ONNX that came with it is not read: it need not be of these weights. Raises PipelineError as
    `predictor.load` does.
    """
    place = paths.project() / ".onnx"
    origin = _origin(folder, _text) if place.with_name(".dvc").is_dir() else None
    content = _find(place, origin) if origin else None
    if content:
        return Exported(content)
    from mnist_pipeline.training import predictor  # and torch: two seconds

    model = Eager(predictor.load(folder))
    if content is None and origin and os.access(place if place.exists() else place.parent, os.W_OK):
        content = _make(model, folder, place, origin)
    return Exported(content) if content else model


def _origin(folder: Path, network: Callable[[str], bytes]) -> str | None:
    """The digest of all that an export of this model is made from, with its network's text by name; None where that
    can't be said, or a network that came with the model is another one: `predictor.load` then says what is wrong."""
    try:
        manifest = (folder / paths.MANIFEST).read_bytes()
        name = json.loads(manifest)["recipe"]["network"]
        text, theirs = network(name), folder / f"{name}.py"
        if theirs.exists() and theirs.read_bytes() != text:
            return None
        weights = files.sha256_of(folder / paths.WEIGHTS)
    except (KeyError, OSError, RecursionError, TypeError, ValueError):
        return None
    sources = [path for room in ROOMS for path in sorted((PACKAGE / room).rglob("*.py")) or [PACKAGE / room]]
    parts = [weights.encode(), manifest, text, *(path.read_bytes() for path in sources)]
    parts += [f"{name}=={version(name)}".encode() for name in PACKAGES]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _text(network: str) -> bytes:
    return (PACKAGE / "networks" / f"{network}.py").read_bytes()


def _find(place: Path, origin: str) -> bytes | None:
    """The whole file of this origin, if there is one."""
    for path in place.glob(f"{origin}-*.onnx"):
        with suppress(OSError):  # deleted by now, or not to be read
            content = path.read_bytes()
            if path.stem == f"{origin}-{hashlib.sha256(content).hexdigest()}":
                return content
    return None


def _make(model: Eager, folder: Path, place: Path, origin: str) -> bytes:
    """Export a model and keep the file, unless what it is made from has changed by now; empty if it has no export."""
    from mnist_pipeline import networks
    from mnist_pipeline.inference import export

    try:
        content = export.export(model, folder)
    except PipelineError as error:
        print(f"note: {error}; torch answers", file=sys.stderr, flush=True)
        if isinstance(error.__cause__, MemoryError | OSError):  # which may pass
            return b""
        content = b""
    if _origin(folder, networks.text) == origin:
        try:
            files.write_durably(place / f"{origin}-{hashlib.sha256(content).hexdigest()}.onnx", content)
            for old in sorted(place.iterdir(), key=lambda path: path.stat().st_mtime)[:-MOST]:
                old.unlink(missing_ok=True)
        except OSError as error:
            print(f"note: {place}: {error.strerror}; the export is not kept", file=sys.stderr, flush=True)
    return content
