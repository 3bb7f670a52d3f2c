"""PipelineError, for what a user can cause or mend, and one-line explanations of full disks and missing rights."""

import atexit
import errno
import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

FULL, PROTECTED, RIGHTS = "make space on that disk", "make it writable", "check its rights"
DISK = {errno.ENOSPC: FULL, errno.EDQUOT: FULL, errno.EROFS: PROTECTED}  # can only mean the place that is written to
REFUSALS = DISK | {errno.EACCES: RIGHTS, errno.EPERM: RIGHTS}


class PipelineError(Exception):
    """Something a user can cause or mend: the message says what, where, expected, found, what to do."""


def refusal(error: BaseException) -> str | None:
    """One line on a full disk or on a file that may not be used; None for any other failure, or in no known place."""
    if isinstance(error, OSError) and error.errno in REFUSALS:
        place = error.filename2 or error.filename or (f"a file below {Path.cwd()}" if error.errno in DISK else "")
        return f"{place}: {error.strerror}; {REFUSALS[error.errno]}, then run this again" if place else None
    cause = error.__cause__ or error.__context__
    return refusal(cause) if cause else None


@contextmanager
def program() -> Iterator[None]:
    """Around a whole program: an error that a user can mend ends it with a message and exit code 1."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a locale may know few characters
    try:
        yield
    except (PipelineError, OSError) as error:
        said = error if isinstance(error, PipelineError) else refusal(error)
        if said is None:
            raise
        sys.exit(f"error: {said}")
    except KeyboardInterrupt:
        sys.exit("interrupted")


def end() -> NoReturn:
    """End a program whose work is done as Python does, but for taking apart what its imports made: 0.3 s for torch.

    Callers' `finally`, open generators, and a profiler around it do not run.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None where it was closed from the start
        with suppress(BrokenPipeError):  # nobody reads on
            stream.flush()
    os._exit(0)
