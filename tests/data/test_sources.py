"""Downloads from real servers on this machine: faults are passed over, and what arrives is right or does not arrive."""

import errno
import os
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import Data, Params
from mnist_pipeline.data import sources, transfer
from tests import mirror, synthetic
from tests.faults import servers
from tests.repository import environment

NAMES = sorted(synthetic.FILES.values())


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,nowhere.example")


@pytest.fixture
def deaf() -> Iterator[socket.socket]:
    """A port that refuses connections until it listens, and then never answers."""
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        yield port


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a server on this machine shows, and what is trusted here."""
    path = servers.write_certificate(tmp_path / "certificate.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    return path


def address(port: socket.socket) -> str:
    return f"http://127.0.0.1:{port.getsockname()[1]}"


def asking(settings: Params, *addresses: str) -> Data:
    return settings.data.model_copy(update={"sources": list(addresses)})


def assert_complete(folder: Path, published: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    for name in NAMES:
        assert (folder / name).read_bytes() == (published / name).read_bytes()


def test_a_length_that_is_no_number_does_not_count(settings: Params, published: Path, tmp_path: Path) -> None:
    with mirror.serve(published, "odd length") as odd:
        served = sources.download(asking(settings, odd.address), tmp_path)
    assert set(served.values()) == {odd.address}
    assert_complete(tmp_path, published)


@pytest.mark.parametrize("kind", ["http", "http with a slash", "file", "absolute path", "relative path"])
def test_every_kind_of_source_serves(kind: str, settings: Params, published: Path, tmp_path: Path) -> None:
    with mirror.serve(published) as server:
        source = {
            "http": server.address,
            "http with a slash": server.address + "/",
            "file": published.as_uri(),
            "absolute path": str(published),
            "relative path": os.path.relpath(published),
        }[kind]
        served = sources.download(asking(settings, source), tmp_path / "raw")
    assert served == dict.fromkeys(synthetic.FILES.values(), source)
    assert_complete(tmp_path / "raw", published)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("missing", "404"),
        ("wrong bytes", "digest (SHA-256): expected "),
        ("cut off", "IncompleteRead"),
        ("too short", "size: expected"),
        ("hangs up", "can't be reached"),
    ],
)
def test_a_fault_is_passed_over_with_its_reason(
    fault: mirror.Fault,
    reason: str,
    settings: Params,
    published: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with mirror.serve(published, fault, only="t10k-labels") as bad:
        served = sources.download(asking(settings, bad.address, str(published)), tmp_path)
    assert served == dict.fromkeys(NAMES, bad.address) | {"t10k-labels-idx1-ubyte.gz": str(published)}
    assert_complete(tmp_path, published)
    lines = [line for line in capsys.readouterr().out.splitlines() if "passed over" in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"t10k-labels-idx1-ubyte.gz: passed over {bad.address}: ")
    assert reason in lines[0]


def test_a_source_that_cannot_be_reached_is_asked_once(settings: Params, published: Path, tmp_path: Path) -> None:
    with mirror.serve(published, "hangs up") as bad, mirror.serve(published) as good:
        sources.download(asking(settings, bad.address, good.address), tmp_path)
    assert len(bad.asked) == 1
    assert sorted(good.asked) == NAMES


def test_a_source_that_answers_wrongly_is_asked_again(settings: Params, published: Path, tmp_path: Path) -> None:
    with mirror.serve(published, "missing") as bad:
        sources.download(asking(settings, bad.address, str(published)), tmp_path)
    assert sorted(bad.asked) == NAMES


def test_a_source_that_never_answers_is_given_up(
    deaf: socket.socket, settings: Params, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "READ_SECONDS", 0.05)
    deaf.listen()
    served = sources.download(asking(settings, address(deaf), str(published)), tmp_path)
    assert set(served.values()) == {str(published)}


def test_a_host_whose_name_is_never_resolved_is_given_up(
    settings: Params, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forever = threading.Event()
    monkeypatch.setattr(transfer, "CONNECT_SECONDS", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: forever.wait(60))
    served = sources.download(asking(settings, "http://nowhere.example", str(published)), tmp_path)
    forever.set()
    assert set(served.values()) == {str(published)}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            servers.trickles,
            "can't be reached: TimeoutError: too slow: expected an answer in 0.5 s, then 1048576 bytes a",
        ),
        (servers.never_stops, "size: expected at most "),
        (servers.sends_a_page, "expected a gzip file, found one that begins with b'<!DOCTYPE html>"),
        (servers.speaks_another_language, "can't be reached: BadStatusLine: 220 ready"),
    ],
)
def test_an_answer_that_is_no_file_is_given_up(
    answer: servers.Answer,
    reason: str,
    settings: Params,
    published: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if answer == servers.trickles:
        monkeypatch.setattr(transfer, "READ_SECONDS", 0.5)
        monkeypatch.setattr(transfer, "SLOWEST", 1 << 20)
    with servers.serve(published, answer) as bad:
        sources.download(asking(settings, bad, str(published)), tmp_path)
    assert reason in capsys.readouterr().out.splitlines()[0]
    assert_complete(tmp_path, published)


def make_sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(16 << 30)


@pytest.mark.parametrize("hops", [1, 2])
def test_an_https_source_never_leads_to_http(
    hops: int, certificate: Path, settings: Params, published: Path, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        way = [stack.enter_context(servers.serve(published, servers.sends_it))]
        for _ in range(hops):
            way.append(stack.enter_context(servers.serve(published, servers.redirects_to(way[-1]), certificate)))
        with pytest.raises(PipelineError) as raised:
            sources.download(asking(settings, way[-1]), tmp_path / "raw")
    name, reason = settings.data.files.training_images.file, str(raised.value).splitlines()[1]
    expected = "expected a redirect to an https:// address, found one to"
    assert reason == f"  {way[-1]}: {way[1]}/{name}: {expected} {way[0]}/{name}"
    assert list((tmp_path / "raw").iterdir()) == []


@pytest.mark.parametrize("secure", [True, False])
def test_a_redirect_to_https_is_followed(
    secure: bool, certificate: Path, settings: Params, published: Path, tmp_path: Path
) -> None:
    with (
        servers.serve(published, servers.sends_it, certificate) as good,
        servers.serve(published, servers.redirects_to(good), certificate if secure else None) as first,
    ):
        sources.download(asking(settings, first), tmp_path / "raw")
    assert_complete(tmp_path / "raw", published)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_sparse, "size: expected at most "),
        (lambda path: path.symlink_to("/dev/zero"), "expected a file, found a folder, pipe or device (crw-rw-rw-)"),
        (os.mkfifo, "expected a file, found a folder, pipe or device (prw-"),
        (Path.mkdir, "expected a file, found a folder, pipe or device (drwx"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    ],
    ids=["16 GiB", "endless", "pipe", "folder", "loop"],
)
@pytest.mark.parametrize("known", [True, False])
def test_what_is_no_file_of_the_data_in_a_folder_is_given_up_in_time(
    make: Callable[[Path], None], reason: str, known: bool, settings: Params, tmp_path: Path
) -> None:
    files = settings.data.files.model_dump() if known else {r: {"file": name} for r, name in synthetic.FILES.items()}
    bad = tmp_path / "bad"
    bad.mkdir()
    make(bad / settings.data.files.training_images.file)
    given = {"files": files, "sources": [str(bad), bad.as_uri()]}
    began = time.monotonic()
    with pytest.raises(PipelineError) as raised:
        sources.download(Data.model_validate(settings.data.model_dump() | given), tmp_path / "raw")
    assert time.monotonic() - began < 10
    assert [line.partition(": ")[0].strip() for line in str(raised.value).splitlines()[1:3]] == given["sources"]
    assert all(reason in line for line in str(raised.value).splitlines()[1:3])
    assert list((tmp_path / "raw").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(settings: Params, tmp_path: Path) -> None:
    (tmp_path / "raw").touch()
    with pytest.raises(PipelineError, match=f"^{tmp_path / 'raw'}: can't be made, but the data is to be put there: "):
        sources.download(settings.data, tmp_path / "raw")


def test_the_error_names_the_file_and_every_source_with_its_reason(
    deaf: socket.socket, settings: Params, published: Path, tmp_path: Path
) -> None:
    with mirror.serve(published, "wrong bytes", only="t10k-images") as bad:
        data = asking(settings, address(deaf), "nowhere", bad.address)
        with pytest.raises(PipelineError) as raised:
            sources.download(data, tmp_path)
    first, *reasons = str(raised.value).splitlines()
    assert first.startswith("t10k-images-idx3-ubyte.gz: no source in params.yaml (data.sources) serves it")
    assert reasons[0].startswith(f"  {address(deaf)}: could not be reached before (can't be reached: ConnectionRefused")
    assert reasons[1].startswith("  nowhere: ")
    assert "No such file" in reasons[1]
    assert reasons[2].startswith(f"  {bad.address}: ")
    assert "digest (SHA-256): expected " in reasons[2]
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES[2:]


def test_without_digests_whatever_comes_is_taken(settings: Params, published: Path, tmp_path: Path) -> None:
    files = {role: {"file": name} for role, name in synthetic.FILES.items()}
    with mirror.serve(published, "wrong bytes") as server:
        data = Data.model_validate(settings.data.model_dump() | {"files": files, "sources": [server.address]})
        sources.download(data, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES


def test_a_file_that_is_there_and_right_is_not_fetched_again(settings: Params, published: Path, tmp_path: Path) -> None:
    (tmp_path / NAMES[0]).write_bytes((published / NAMES[0]).read_bytes())
    (tmp_path / NAMES[1]).write_bytes(b"wrong")
    with mirror.serve(published) as server:
        sources.download(asking(settings, server.address), tmp_path)
    assert sorted(server.asked) == NAMES[1:]
    assert_complete(tmp_path, published)


def test_a_full_disk_is_no_fault_of_a_source(
    settings: Params, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fill(place: Path, *_: object) -> None:
        asked.append(place)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(transfer, "fetch", fill)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path / 'raw'}/"):
        sources.download(asking(settings, str(published), str(published)), tmp_path / "raw")
    assert len(asked) == 1


def test_a_terminal_shows_a_bar_and_a_file_does_not(server: str, tmp_path: Path) -> None:
    call = f"transfer.fetch({f'{server}/{NAMES[0]}'!r}, Path({str(tmp_path / 'file')!r}), 1_000_000)"
    command = [sys.executable, "-c", f"from pathlib import Path; from mnist_pipeline.data import transfer; {call}"]
    with (tmp_path / "errors").open("w") as errors:
        subprocess.run(command, env=environment(NO_PROXY="127.0.0.1"), stderr=errors, check=True)
    assert (tmp_path / "errors").read_text() == ""
    terminal, end = os.openpty()
    termios.tcsetwinsize(end, (24, 80))
    subprocess.run(command, env=environment(NO_PROXY="127.0.0.1"), stderr=end, check=True)
    os.set_blocking(terminal, False)
    assert NAMES[0] in os.read(terminal, 4096).decode()
    os.close(end)
    os.close(terminal)
