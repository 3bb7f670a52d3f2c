"""A model in ONNX, answered by ONNX Runtime."""

import json
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime

Floats = npt.NDArray[np.float32]
INPUT, OUTPUT, CLASSES = "images", "probabilities", "classes"  # what they are called in the file


class Model(Protocol):
    """Images float32 (n, 1, 28, 28), 0 background to 255 ink, to probabilities float32 (n, len(classes))."""

    classes: list[str]

    def __call__(self, images: Floats, /) -> Floats: ...


class Session:
    """A `Model` from the bytes of a file in ONNX, which `export.export` wrote; on one thread."""

    def __init__(self, content: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # more take longer to start than one to answer
        options.log_severity_level = 3  # errors, which are raised, too
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.classes: list[str] = json.loads(self._session.get_modelmeta().custom_metadata_map[CLASSES])

    def __call__(self, images: Floats, /) -> Floats:
        (found,) = self._session.run([OUTPUT], {INPUT: images})
        return np.asarray(found, dtype=np.float32)
