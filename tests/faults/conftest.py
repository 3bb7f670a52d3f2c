"""Counts for tests that break things: small ones by default, and with `--full` those that results.md states."""

from collections.abc import Callable

import pytest

from mnist_pipeline.core import tables
from tests.faults import ledger

Write = Callable[[str, str, ledger.Rows], None]


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether to run in full (`make test-faults`)."""
    return bool(request.config.getoption("--full"))


@pytest.fixture
def record(full: bool, capsys: pytest.CaptureFixture[str]) -> Write:
    """Print what was counted, under a title and with what was done; in full, write it to results.md too."""

    def write(title: str, text: str, rows: ledger.Rows) -> None:
        section = f"{text}\n\n{tables.markdown(rows)}"
        with capsys.disabled():
            print(f"\n{title}\n{section}")
        if full:
            ledger.write(title, section)

    return write
