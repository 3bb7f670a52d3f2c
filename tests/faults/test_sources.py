"""Servers that stall, trickle, lie or never stop: the next source is taken, and nothing half-written stays."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import Data, Params
from mnist_pipeline.data import sources, transfer
from tests import synthetic
from tests.faults import servers
from tests.faults.conftest import Write

pytestmark = pytest.mark.faults
NAMES = sorted(synthetic.FILES.values())
BLAMED: dict[servers.Answer, str] = {
    servers.stalls_before_the_answer: "too slow: expected an answer in|timed out",
    servers.stalls_in_the_middle: "too slow: expected an answer in|timed out",
    servers.trickles: "too slow: expected an answer in .* s, then .* bytes a second",
    servers.trickles_its_header: "too slow: expected an answer in .* s, then .* bytes a second",
    servers.redirects_to_itself: "Exceeded 30 redirects",
    servers.redirects_on_and_on: "Exceeded 30 redirects",
    servers.redirects_to_a_file: "No connection adapters were found for 'file:///etc/passwd'",
    servers.sends_too_much: r"size: expected at most \d+ bytes, found more",
    servers.never_stops: r"size: expected at most \d+ bytes, found more",
    servers.never_stops_in_chunks: r"size: expected at most \d+ bytes, found more",
    servers.sends_another_file: r"size: expected \d+ bytes, found 32",
    servers.sends_a_page: "expected a gzip file, found one that begins with b'<!DOCTYPE html>",
    servers.sends_nothing: "expected a gzip file, found one that begins with b''",
    servers.closes_halfway: "IncompleteRead",
    servers.closes_halfway_without_a_length: r"size: expected \d+ bytes, found \d+",
    servers.closes_in_the_middle_of_a_chunk: "IncompleteRead|Connection broken",
    servers.promises_too_little: r"size: expected \d+ bytes, found \d+",
    servers.closes_at_once: "can't be reached: ",
    servers.is_missing: "404 Client Error",
    servers.fails: "500 Server Error",
    servers.speaks_another_language: "can't be reached: BadStatusLine",
    servers.has_a_huge_header: "can't be reached: HTTPException: got more than 100 headers",
    servers.compresses_on_the_way: r"size: expected (at most )?\d+ bytes, found",
}
GOOD = [servers.calls_the_file_an_encoding, servers.sends_in_chunks]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@contextmanager
def _patience(answer: servers.Answer) -> Iterator[None]:
    """Little with those that are slow on purpose; with the others as usual, however busy this machine is."""
    with pytest.MonkeyPatch.context() as patch:
        if "too slow" in BLAMED[answer]:
            patch.setattr(transfer, "READ_SECONDS", 0.5)
            patch.setattr(transfer, "SLOWEST", 1 << 20)
        yield


@pytest.mark.parametrize("answer", GOOD)
def test_what_is_odd_but_right_is_taken(
    answer: servers.Answer, settings: Params, published: Path, tmp_path: Path
) -> None:
    with servers.serve(published, answer) as odd:
        served = _in_time(sources.download, _asking(settings, odd), tmp_path / "raw")
    assert set(served.values()) == {odd}
    _assert_complete(tmp_path / "raw", published)


def test_every_fault_is_passed_over(
    settings: Params, published: Path, tmp_path: Path, record: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each as the first of two sources, with the digests known, and without where it can be seen then too."""
    rows = []
    for answer, reason in BLAMED.items():
        for known in (True, False) if _is_seen_without_digests(answer) else (True,):
            folder = tmp_path / f"{answer.__name__}-{known}"
            with servers.serve(published, answer) as bad, _patience(answer):
                _in_time(sources.download, _asking(settings, bad, str(published), known=known), folder)
            _assert_complete(folder, published)
            said = _said(capsys, bad)
            assert len(said) == (1 if said[0].startswith("can't be reached") else len(NAMES))
            assert re.search(reason, said[0]), f"{answer.__name__}: {said[0]}"
            rows.append(
                {"the server": _name(answer), "digests": "known" if known else "unknown", "passed over": said[0]}
            )
    text = (
        f"{len(BLAMED)} servers, each before a source that works: the files came from there, and nothing else stayed."
    )
    record("Sources", text, rows)


@pytest.mark.parametrize("slow", [True, False])
def test_when_all_fail_one_error_names_each(slow: bool, settings: Params, published: Path, tmp_path: Path) -> None:
    answers = [answer for answer in BLAMED if ("too slow" in BLAMED[answer]) == slow]
    with ExitStack() as stack:
        bad = {stack.enter_context(servers.serve(published, answer)): BLAMED[answer] for answer in answers}
        stack.enter_context(_patience(answers[0]))
        with pytest.raises(PipelineError) as raised:
            _in_time(sources.download, _asking(settings, *bad), tmp_path / "raw")
    lines = str(raised.value).splitlines()
    assert len(lines) == 1 + len(bad) + 1
    for line, (source, reason) in zip(lines[1:], bad.items(), strict=False):
        assert line.startswith(f"  {source}: ")
        assert re.search(reason, line)
    assert list((tmp_path / "raw").iterdir()) == []


@pytest.mark.parametrize("place", ["a file", "/proc/none/raw"])
def test_a_folder_that_cannot_be_made_is_named(place: str, settings: Params, published: Path, tmp_path: Path) -> None:
    folder = tmp_path / place
    if place == "a file":
        folder.touch()
    with pytest.raises(PipelineError, match=f"^{folder}: can't be made, but the data is to be put there: "):
        sources.download(_asking(settings, str(published)), folder)


def _is_seen_without_digests(answer: servers.Answer) -> bool:
    """Then there is no size either, only the most that so many images can take."""
    return "size" not in BLAMED[answer] or answer in (servers.never_stops, servers.never_stops_in_chunks)


def _name(answer: servers.Answer) -> str:
    return answer.__name__.replace("_", " ")


def _said(capsys: pytest.CaptureFixture[str], source: str) -> list[str]:
    """Why a source was passed over, for each file."""
    lines = capsys.readouterr().out.replace(f"{source}/", "http://…/").splitlines()
    return [line.partition(f"passed over {source}: ")[2] for line in lines if "passed over" in line]


def _asking(settings: Params, *addresses: str, known: bool = True) -> Data:
    files = (
        settings.data.files.model_dump() if known else {role: {"file": name} for role, name in synthetic.FILES.items()}
    )
    return Data.model_validate(settings.data.model_dump() | {"sources": list(addresses), "files": files})


def _in_time(work: Callable[..., Any], *arguments: Any) -> Any:
    """What a call returns; it fails when it hangs."""
    executor = ThreadPoolExecutor(1)
    try:
        return executor.submit(work, *arguments).result(timeout=100)
    finally:
        executor.shutdown(wait=False)


def _assert_complete(folder: Path, published: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    assert all((folder / name).read_bytes() == (published / name).read_bytes() for name in NAMES)
