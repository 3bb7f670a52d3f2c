"""A trained model as probabilities, without torch where that is possible: torch writes it down once in ONNX, a format
that other programs run, and ONNX Runtime answers. `kept.load` is the way in; it takes `session`, `export` and `eager`.
The only room that imports onnxruntime. Stands on core and training.
"""

import os

# From 1.29 on, ONNX Runtime reports its use to Microsoft, unless it finds this when it is imported
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
