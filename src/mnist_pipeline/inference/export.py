"""A model written down in ONNX by torch's exporter, and held against torch before it is handed out.

Source: https://docs.pytorch.org/docs/2.14/onnx_export.html, the way over torch.export.
"""

import json

import numpy as np
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.inference.eager import Eager
from mnist_pipeline.inference.session import CLASSES, INPUT, OUTPUT, Floats, Session

NEAR = 1e-5  # of a probability, which both compute in float32


def export(model: Eager) -> bytes | None:
    """The file: input `images` (n, 1, 28, 28), output `probabilities` (n, classes), the classes' names as metadata.

    The same model gives the same bytes, in any folder. None where its answers are not finite. Raises PipelineError when
    an operator of the network has no counterpart in ONNX, or ONNX Runtime answers something else than torch.
    """
    images = probe()
    expected = model(images)
    if not np.isfinite(expected).all():
        return None
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
        found = Session(content)(images)
    except Exception as error:  # whatever exporter and runtime raise at an operator that they do not know
        raise PipelineError(" ".join(str(error).split()) or type(error).__name__) from error
    if (most := float(np.abs(found - expected).max())) > NEAR:
        raise PipelineError(f"ONNX Runtime's probabilities differ from torch's by {most:.1g}, expected at most {NEAR}")
    return content


def probe() -> Floats:
    """Images (8, 1, 28, 28) to hold an export against torch: all dark, all ink, noise, and bars of ink in noise."""
    generator = np.random.default_rng(0)
    images = generator.uniform(0, 255, (8, 1, 28, 28)).astype(np.float32)
    images[0], images[1] = 0, 255
    for number, image in enumerate(images[3:, 0]):
        image *= generator.uniform(0, 1) ** 2
        image[4:24, 5 + 4 * number : 8 + 4 * number] = 255
    return images
