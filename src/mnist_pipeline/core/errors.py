"""The one exception that this project raises on purpose, and words for what the machine refuses."""

import errno
from pathlib import Path

FULL, PROTECTED, RIGHTS = "make space on that disk", "make it writable", "check its rights"
REFUSALS = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EROFS: PROTECTED,
    errno.EACCES: RIGHTS,
    errno.EPERM: RIGHTS,
}
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # can only mean the place that is written to


class PipelineError(Exception):
    """Something a user can cause or mend: the message says what, where, expected, found, what to do."""


def refusal(error: BaseException) -> str | None:
    """One line on a full disk or on a file that may not be used; None for every other failure.

    Without a name the place of a full disk can only be below this folder; of a lack of rights nothing but the traceback
    would say where it is, so that is None too.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in REFUSALS:
            place = cause.filename2 or cause.filename or (f"a file below {Path.cwd()}" if cause.errno in DISK else "")
            if not place:
                return None
            return f"{place}: {cause.strerror}; {REFUSALS[cause.errno]}, then run this again"
        cause = cause.__cause__ or cause.__context__
    return None
