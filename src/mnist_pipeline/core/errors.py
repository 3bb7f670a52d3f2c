"""PipelineError, for what a user can cause or mend, and one-line explanations of full disks and missing rights."""

import errno
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL, PROTECTED, RIGHTS = "make space on that disk", "make it writable", "check its rights"
DISK = {errno.ENOSPC: FULL, errno.EDQUOT: FULL, errno.EROFS: PROTECTED}  # can only mean the place that is written to
REFUSALS = DISK | {errno.EACCES: RIGHTS, errno.EPERM: RIGHTS}


class PipelineError(Exception):
    """Something a user can cause or mend: the message says what, where, expected, found, what to do."""


def refusal(error: BaseException) -> str | None:
    """One line on a full disk or on a file that may not be used; None for every other failure.

    If the error names no file, a full or read-only disk is taken to be below the working directory; for a lack of
    rights the place is then unknown: None, so that the traceback is shown.
    """
    if isinstance(error, OSError) and error.errno in REFUSALS:
        place = error.filename2 or error.filename or (f"a file below {Path.cwd()}" if error.errno in DISK else "")
        return f"{place}: {error.strerror}; {REFUSALS[error.errno]}, then run this again" if place else None
    cause = error.__cause__ or error.__context__
    return refusal(cause) if cause else None


@contextmanager
def program() -> Iterator[None]:
    """Around a whole program: an error that a user can mend ends it with a message and exit code 1.

    Characters that standard output can't encode, for want of a locale or in the name of a file, are printed as `\\xff`.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
    except PipelineError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if explained := refusal(error):
            sys.exit(f"error: {explained}")
        raise
    except KeyboardInterrupt:
        sys.exit("interrupted")
