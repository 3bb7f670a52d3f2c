"""dvc.lock: entries in the order of the graph, the file always whole, whatever ends when and whatever fails."""

from itertools import permutations
from pathlib import Path

import pytest

from mnist_pipeline.pipeline.booking import Booking

ORDER = "abcd"


def append(stage: str, path: Path) -> None:
    with path.open("a", encoding="utf-8") as stream:
        stream.write(stage)


def booking(folder: Path) -> Booking:
    return Booking(folder / "lock", ORDER, folder, append)


@pytest.mark.parametrize("ended", list(permutations(ORDER)))
def test_at_every_moment_the_file_holds_the_first_entries_in_order(ended: str, tmp_path: Path) -> None:
    booked = booking(tmp_path)
    for count, stage in enumerate(ended, start=1):
        booked.settle(stage, changed=True)
        written = booked.lock.read_text(encoding="utf-8") if booked.lock.exists() else ""
        assert ORDER.startswith(written)
        assert len(written) <= count
    assert booked.lock.read_text(encoding="utf-8") == ORDER
    assert list(tmp_path.iterdir()) == [booked.lock]


def test_what_stayed_as_it_is_gets_no_entry_and_holds_nobody_up(tmp_path: Path) -> None:
    booked = booking(tmp_path)
    booked.settle("a", changed=False)
    assert not booked.lock.exists()
    booked.settle("b", changed=True)
    assert booked.lock.read_text(encoding="utf-8") == "b"


def test_what_ended_behind_a_stage_that_failed_waits_for_it(tmp_path: Path) -> None:
    booked = booking(tmp_path)
    for stage in "adc":
        booked.settle(stage, changed=True)
    assert booked.lock.read_text(encoding="utf-8") == "a"
    booked.settle("b", changed=True)
    assert booked.lock.read_text(encoding="utf-8") == ORDER


def test_an_entry_that_could_not_be_written_leaves_the_file_and_is_written_later(tmp_path: Path) -> None:
    booked = booking(tmp_path)
    booked.settle("a", changed=True)

    def fail(stage: str, path: Path) -> None:
        path.write_text(f"half of {stage}", encoding="utf-8")
        raise OSError("No space left on device")

    booked.write = fail
    with pytest.raises(OSError, match="No space"):
        booked.settle("b", changed=True)
    assert booked.lock.read_text(encoding="utf-8") == "a"
    booked.write = append
    booked.settle("c", changed=False)
    assert booked.lock.read_text(encoding="utf-8") == "ab"
