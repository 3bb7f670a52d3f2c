"""Run the parts that are named, or all, one after the other. Run: python -m benchmarks [PART …]."""

import sys
import time

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.core.errors import PipelineError

try:
    portable.pin()  # before numpy is imported
except PipelineError as error:
    sys.exit(f"error: {error}")

from benchmarks import (
    distance,
    growth,
    overhead,
    page,
    pictures,
    portability,
    report,
    test_images,
    time_to_99,
    training_time,
)

PARTS = {
    "training_time": ("Time to the reported accuracy", training_time.run),
    "distance": ("Distance to the limit", distance.run),
    "time_to_99": ("Time to 99 %", time_to_99.run),
    "test_images": ("10,000 test images", test_images.run),
    "overhead": ("Pipeline overhead", overhead.run),
    "growth": ("Growth", growth.run),
    "portability": ("Portable arithmetic", portability.run),
    "pictures": ("Real pictures", pictures.run),
    "page": ("The page's answers", page.run),
}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        if part not in PARTS:
            sys.exit(f"error: no part {part!r}; there are {', '.join(PARTS)}")
        title, run = PARTS[part]
        print(f"{title} …", flush=True)
        began = time.perf_counter()
        try:
            text = run()
        except PipelineError as error:
            sys.exit(f"error: {error}")
        print(text, flush=True)
        report.write([heading for heading, _ in PARTS.values()], title, text, time.perf_counter() - began)
