"""A proxy before a server that answers 500 to every third request; by turns the server has done it or never saw it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from tests.server import proxy
from tests.server.proxy import Answer, Proxy

FAILED: Answer = (500, {}, b"out of order")


@dataclass
class Failing:
    """Where it listens, how many requests came, and how many of the failed ones were done all the same."""

    address: str = ""
    requests: int = 0
    done_and_failed: int = 0
    not_done_and_failed: int = 0
    offset: int = 0  # of the failing ones among the requests, 0–5
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def decide(self, request: Proxy, body: bytes) -> Answer:
        self.requests = next(self.numbers)
        number = self.requests + self.offset
        if number % 6 == 3:
            self.not_done_and_failed += 1
            return FAILED
        answer = request.pass_on(body)
        self.done_and_failed += number % 6 == 0
        return FAILED if number % 6 == 0 else answer


@contextmanager
def before(address: str, offset: int) -> Iterator[Failing]:
    """Stand before this address until the block ends."""
    failing = Failing(offset=offset)
    with proxy.before(address, lambda request, body: failing.decide(request, body)) as failing.address:
        yield failing
