"""What the machine refuses is said in one line; every other failure keeps its traceback."""

import errno
import os
from pathlib import Path

import pytest

from mnist_pipeline.core.errors import refusal


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "make space on that disk"),
        (errno.EROFS, "make it writable"),
        (errno.EACCES, "check its rights"),
        (errno.EPERM, "check its rights"),
    ],
)
def test_a_refusal_says_what_where_and_what_to_do(number: int, advice: str) -> None:
    error = OSError(number, os.strerror(number), "models/small")
    assert refusal(error) == f"models/small: {os.strerror(number)}; {advice}, then run this again"


def test_a_real_full_disk_names_at_least_the_folder() -> None:
    with pytest.raises(OSError, match="No space") as full, Path("/dev/full").open("w") as stream:
        stream.write("one byte too many")
    assert refusal(full.value) == (
        f"a file below {Path.cwd()}: No space left on device; make space on that disk, then run this again"
    )


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_no_place_is_invented_for_a_right_that_is_missing(number: int) -> None:
    """As of a port below 1024 or of another user's process: the traceback says more."""
    assert refusal(OSError(number, os.strerror(number))) is None


def test_what_another_error_hides_is_found() -> None:
    outer = RuntimeError("transfer failed")
    outer.__cause__ = OSError(errno.ENOSPC, "No space left on device", "source", None, "cache/copy")
    assert refusal(outer) == "cache/copy: No space left on device; make space on that disk, then run this again"


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "missing", "x"), ValueError("No space"), OSError()])
def test_anything_else_is_none(error: Exception) -> None:
    assert refusal(error) is None
