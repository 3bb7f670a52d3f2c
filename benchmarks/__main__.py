"""Run the parts that are named, or all, one after the other. Run: python -m benchmarks [PART …]."""

import sys
import time
from importlib import import_module

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.core.errors import PipelineError

try:
    portable.pin()  # before numpy is imported
except PipelineError as error:
    sys.exit(f"error: {error}")

from benchmarks import report

PARTS = {
    "training_time": "Time to the reported accuracy",
    "distance": "Distance to the limit",
    "time_to_99": "Time to 99 %",
    "test_images": "10,000 test images",
    "overhead": "Pipeline overhead",
    "processes": "Around the trainings",
    "cluster": "Past one machine",
    "growth": "Growth",
    "portability": "Portable arithmetic",
    "exact": "Exact arithmetic",
    "pictures": "Real pictures",
    "page": "The page's answers",
    "commands": "From the shell to the answer",
}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        if part not in PARTS:
            sys.exit(f"error: no part {part!r}; there are {', '.join(PARTS)}")
        print(f"{PARTS[part]} …", flush=True)
        began = time.perf_counter()
        try:
            text: str = import_module(f"benchmarks.{part}").run()
        except PipelineError as error:
            sys.exit(f"error: {error}")
        print(text, flush=True)
        report.write(PARTS, part, text, time.perf_counter() - began)
