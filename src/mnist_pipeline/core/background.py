"""Calls that must not keep the process waiting."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def start(call: Callable[[], T]) -> Future[T]:
    """Call it in a thread that, unlike an executor's, keeps no process from ending; what it returns or raises."""
    future = Future[T]()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # raised again where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
