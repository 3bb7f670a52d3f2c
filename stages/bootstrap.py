"""Imported first by every stage: this tree's own `src` goes to the head of the path, whatever is installed elsewhere.

It sets the environment for the arithmetic before a library is imported that computes, and ends the stage when what
started it was killed. Kept to what any Python 3 has, since it has to answer when the wrong `python3` runs it.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

gc.disable()  # until `stage`: of what the imports make, next to nothing is garbage, and to look takes a tenth of them
PARENT = os.getppid()
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NEEDED = ("torch", "pydantic", "ruamel", "safetensors", "pandas")

if not (3, 11) <= sys.version_info[:2] <= (3, 14) or not all(map(importlib.util.find_spec, NEEDED)):
    sys.exit(
        "error: " + sys.executable + " does not have this project's packages.\n"
        'Run `make repro`, or `make setup` once and then, before `dvc repro`: export PATH="$PWD/.venv/bin:$PATH"'
    )
sys.path.insert(0, os.path.join(ROOT, "src"))


def _end_with_the_runner() -> None:
    """Nothing would record what an orphan makes, and the next `mnist repro` would start a second one beside it."""
    with suppress(OSError):  # not in our process group: one that adopts orphans
        while os.getppid() == PARENT and os.getpgid(PARENT) == os.getpgrp():
            time.sleep(0.2)
    os._exit(1)  # at once, whatever the main thread is doing, and silent: writing to where the runner read may block


if "DVC_STAGE" in os.environ:  # not when it was started by hand
    threading.Thread(target=_end_with_the_runner, daemon=True).start()

from mnist_pipeline.arithmetic import packages, portable
from mnist_pipeline.core import errors, params

with errors.program():
    settings = params.load()
    runtime = settings.runtime
    packages.check(("numpy", "torch") if runtime.arithmetic == "exact" else ())
    portable.pin(runtime)


@contextmanager
def stage() -> Iterator[list[str]]:
    """Around all the work of a stage: proves the arithmetic, gives the command's arguments, says errors in words.

    Work that is done ends the process.
    """
    with errors.program():
        portable.prove(runtime)
        gc.freeze()
        gc.enable()
        yield sys.argv[1:]
        errors.end()
