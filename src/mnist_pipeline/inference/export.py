"""A model written down in ONNX by torch's exporter, and held against torch before it is handed out.

Source: https://docs.pytorch.org/docs/2.14/onnx_export.html, the way over torch.export.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass

from mnist_pipeline.core import files
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.inference.models import CLASSES, INPUT, OUTPUT, Eager, Exported, Floats
from mnist_pipeline.training import predictor

NEAR = 1e-5  # of a probability, which both compute in float32


def write(folder: Path, target: Path) -> str:
    """Export the model in a folder; the SHA-256 of the file. Raises PipelineError as `predictor.load` and `export`."""
    content = export(Eager(predictor.load(folder)), folder)
    files.write_durably(target, content)
    return hashlib.sha256(content).hexdigest()


def export(model: Eager, folder: Path) -> bytes:
    """The model as a file: input `images` (n, 1, 28, 28), output `probabilities` (n, classes), the names of the classes
    as metadata. The same model gives the same bytes, in any folder.

    Raises PipelineError, which names `folder`, when an operator of the network has no counterpart in ONNX, or ONNX
    Runtime answers something else than torch, or either of them NaN.
    """
    images = probe()
    try:
        program = torch.onnx.export(
            model.classifier,
            (torch.from_numpy(images),),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            verbose=False,
        )
        if program is None:
            raise PipelineError("torch returned no program")
        ClearMetadataAndDocStringPass()(program.model)  # lines of source, with the paths of their files
        program.model.metadata_props.clear()
        program.model.metadata_props[CLASSES] = json.dumps(model.classes)
        content: bytes = program.model_proto.SerializeToString(deterministic=True)
        most = float(np.abs(Exported(content)(images) - model(images)).max())
        if not most <= NEAR:  # as no NaN is
            raise PipelineError(f"its probabilities differ from torch's by {most:.1g}, expected at most {NEAR}")
    except Exception as error:  # whatever exporter and runtime raise at an operator that they do not know
        cause = " ".join(str(error).split()) or type(error).__name__
        raise PipelineError(f"{folder}: no export to ONNX: {cause}") from error
    return content


def probe() -> Floats:
    """Images (8, 1, 28, 28) to hold an export against torch: all dark, all ink, and bars of ink in noise."""
    random = np.random.default_rng(0)
    images = random.uniform(0, 255, (8, 1, 28, 28)) * random.uniform(0, 1, (8, 1, 1, 1)) ** 2
    images[0], images[1] = 0, 255
    for place, image in enumerate(images[3:, 0]):
        image[4:24, 5 + 4 * place : 8 + 4 * place] = 255
    return images.astype(np.float32)
