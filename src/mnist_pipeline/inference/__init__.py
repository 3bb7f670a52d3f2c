"""A trained model's answers without torch: torch writes the model down once in ONNX, and ONNX Runtime answers.

`kept.load` is the way in. The only room that imports onnxruntime. Stands on core, networks and training.
"""

import os

# From 1.29 on, ONNX Runtime reports its use to Microsoft, unless it finds this when it is imported
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
