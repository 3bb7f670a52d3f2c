"""Ctrl-C and the other requests to end, as an exception of the main thread."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, the first request to end becomes KeyboardInterrupt; further ones do not disturb the cleaning up.

    For the main thread. What is ignored, as under nohup, stays so.
    """
    heeded = {number: handler for number in REQUESTS if (handler := signal.getsignal(number)) is not signal.SIG_IGN}

    def interrupt(*_: object) -> None:
        for number in heeded:
            signal.signal(number, lambda *_: None)  # not SIG_IGN: what is about to start would inherit that
        raise KeyboardInterrupt

    for number in heeded:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)
