"""Exports of models to ONNX, kept in `.onnx/` of the project: to answer by one takes neither torch nor seconds.

A file bears the SHA-256 of all that it was made from, so that it is never that of another state of a model: weights,
model.json, the network's file as this tree has it, the code that makes probabilities of them, versions. Its own SHA-256
follows, so that a damaged one is never used. It may be deleted at any time.
"""

import hashlib
import json
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_pipeline.core import files, paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.inference.session import Model, Session

if TYPE_CHECKING:
    from mnist_pipeline.inference.eager import Eager

FOLDER = Path(".onnx")
MOST = 32  # files; the oldest go
PACKAGE = Path(__file__).parents[1]
CODE = ("data/dataset.py", "networks/__init__.py", "training/checkpoints.py", "training/predictor.py", "inference")
PACKAGES = ("onnx-ir", "onnxruntime", "onnxscript", "torch")


def load(folder: Path) -> Model:
    """The model in a folder: as an export of before answers it, or else by torch, which leaves one for the next time.

    By torch alone outside of a project, where its answers are not finite, and where a note says that its network has no
    export. A file in ONNX that came with the model is not read: it need not be of these weights. Raises PipelineError
    as `predictor.load` does.
    """
    origin = _origin(folder)
    if content := _find(origin):
        return Session(content)
    from mnist_pipeline.inference import eager  # and torch: two seconds

    model = eager.load(folder)
    content = _make(model, folder, origin) if origin and _place().parent.joinpath(".dvc").is_dir() else None
    return Session(content) if content else model


def exported(folder: Path) -> bytes | None:
    """The model in a folder as a file in ONNX; None, and a note, where it has none. Raises PipelineError as `load`."""
    from mnist_pipeline.inference import eager

    origin = _origin(folder)
    return _find(origin) or _make(eager.load(folder), folder, origin)


def _origin(folder: Path) -> str | None:
    """The digest of all that an export of this model is made from; None where that can't be said, or where the network
    that came with the model is not this tree's: `predictor.load` then says what is wrong."""
    try:
        manifest = (folder / paths.MANIFEST).read_bytes()
        network = PACKAGE / "networks" / f"{json.loads(manifest)['recipe']['network']}.py"
        theirs, text = folder / network.name, network.read_bytes()
        if theirs.exists() and theirs.read_bytes() != text:
            return None
        weights = files.sha256_of(folder / paths.WEIGHTS)
    except (KeyError, OSError, RecursionError, TypeError, ValueError):
        return None
    sources = [path for name in CODE for path in sorted((PACKAGE / name).rglob("*.py")) or [PACKAGE / name]]
    parts = [weights.encode(), manifest, text, *(path.read_bytes() for path in sources)]
    parts += [f"{name}=={version(name)}".encode() for name in PACKAGES]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _place() -> Path:
    return paths.project() / FOLDER


def _find(origin: str | None) -> bytes | None:
    """The whole file of this origin, if there is one."""
    for path in _place().glob(f"{origin}-*.onnx") if origin else ():
        with suppress(OSError):  # deleted by now, or not to be read
            content = path.read_bytes()
            if path.stem == f"{origin}-{hashlib.sha256(content).hexdigest()}":
                return content
    return None


def _make(model: "Eager", folder: Path, origin: str | None) -> bytes | None:
    """Export a model and keep the file, unless what it is made from has changed by now."""
    from mnist_pipeline.inference import export

    try:
        content = export.export(model)
    except PipelineError as error:
        print(f"note: {folder}: no export to ONNX: {error}; torch answers", file=sys.stderr, flush=True)
        return None
    if content and origin and _origin(folder) == origin:
        try:
            files.write_durably(_place() / f"{origin}-{hashlib.sha256(content).hexdigest()}.onnx", content)
            for old in sorted(_place().glob("*.onnx"), key=lambda path: path.stat().st_mtime)[:-MOST]:
                old.unlink(missing_ok=True)
        except OSError as error:
            print(f"note: {_place()}: {error.strerror}; the export is not kept", file=sys.stderr, flush=True)
    return content
