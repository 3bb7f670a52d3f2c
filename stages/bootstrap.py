"""Imported first by every stage: this tree's own `src` goes to the head of the path, whatever is installed elsewhere.

Kept to syntax and modules that any Python 3 has, since it has to answer when the wrong `python3` runs it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NEEDED = ("torch", "pydantic", "ruamel", "safetensors", "pandas")

if sys.version_info[:2] != (3, 11) or not all(map(importlib.util.find_spec, NEEDED)):
    sys.exit(
        "error: " + sys.executable + " does not have this project's packages.\n"
        "Run `make repro`, or `make setup` once and then, before `dvc repro`: "
        'export PATH="$PWD/.venv/bin:$PATH"'
    )
sys.path.insert(0, os.path.join(ROOT, "src"))


def run(main: Callable[..., None]) -> None:
    """Call a stage's main function; an error that a user can mend ends in its message and exit code 1."""
    from mnist_pipeline.errors import PipelineError

    try:
        main(*sys.argv[1:])
    except PipelineError as error:
        sys.exit("error: " + str(error))
    except KeyboardInterrupt:
        sys.exit("interrupted")
