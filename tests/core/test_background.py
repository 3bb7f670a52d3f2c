"""Calls in the background: awaited, or left behind."""

import subprocess
import sys

import pytest

from mnist_pipeline.core import background
from tests.repository import environment

LEFT_BEHIND = "import time; from mnist_pipeline.core import background; background.start(lambda: time.sleep(600))"


def test_what_a_call_returns_or_raises_is_there_when_asked_for() -> None:
    assert background.start(lambda: 3).result(timeout=10) == 3
    with pytest.raises(ZeroDivisionError):
        background.start(lambda: 1 // 0).result(timeout=10)


def test_a_call_that_does_not_end_keeps_no_process() -> None:
    subprocess.run([sys.executable, "-c", LEFT_BEHIND], env=environment(), check=True, timeout=60)
