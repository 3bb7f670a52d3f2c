"""A model as people use it: images in, probabilities out, by ONNX Runtime or by torch, imported where it answers."""

import json
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from mnist_pipeline.training.predictor import Classifier

Floats = npt.NDArray[np.float32]
INPUT, OUTPUT, CLASSES = "images", "probabilities", "classes"  # what they are called in a file


class Model(Protocol):
    """Images float32 (n, 1, 28, 28), 0 background to 255 ink, to probabilities float32 (n, len(classes))."""

    classes: list[str]

    def __call__(self, images: Floats, /) -> Floats: ...


class Eager:
    """A model that torch answers: what exports are held against, and the way of those that have none."""

    def __init__(self, classifier: "Classifier") -> None:
        self.classifier, self.classes = classifier, classifier.classes

    def __call__(self, images: Floats, /) -> Floats:
        import torch

        with torch.inference_mode():
            found: Floats = self.classifier(torch.from_numpy(images)).numpy()
        return found


class Exported:
    """A model from the bytes of a file in ONNX, which `export.export` wrote; on one thread."""

    def __init__(self, content: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # more take longer to start than one to answer
        options.log_severity_level = 3  # errors, which are raised, too
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.classes: list[str] = json.loads(self._session.get_modelmeta().custom_metadata_map[CLASSES])

    def __call__(self, images: Floats, /) -> Floats:
        (found,) = self._session.run([OUTPUT], {INPUT: images})
        return np.asarray(found, dtype=np.float32)
