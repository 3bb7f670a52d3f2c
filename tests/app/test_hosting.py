"""Running the page: the address, what is loaded before the first request, and what is said when it can't start."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from mnist_pipeline.app import hosting, readers
from mnist_pipeline.app.library import Library
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry.tags import Version
from tests.pictures import bombs
from tests.repository import ROOT, Repository, environment
from tests.shelf import CHAMPION, Registry, serve

PROGRAM = """
import sys
from pathlib import Path
from mnist_pipeline.app import hosting
from mnist_pipeline.core import errors
from tests.shelf import Registry

host, folder = sys.argv[1], Path(sys.argv[2])
library = Registry(folder / "registry").library(folder / "kept")
with hosting.listen(host, 0) as listener:
    hosting.run(library, listener, hosting.names(host, "box"))
errors.end()
"""


def test_an_address_that_is_taken_is_named() -> None:
    with hosting.listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PipelineError, match=rf"^127\.0\.0\.1:{port}: .*; choose another address with --host and"):
            hosting.listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(PipelineError, match=r"^192\.0\.2\.1:8000: "):
        hosting.listen("192.0.2.1", 8000)


def test_every_model_is_ready_before_the_first_request(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    hosting.warm_up(registry.library(tmp_path / "kept"))
    assert registry.fetched == [CHAMPION, 3, 1]


@pytest.mark.parametrize("broken", [1, CHAMPION])
def test_only_the_champion_has_to_be_there(broken: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry(tmp_path / "registry")

    def fetch(version: Version, folder: Path) -> None:
        if version.number == broken:
            raise PipelineError("gone")
        registry.fetch(version, folder)

    library = Library([registry.entry(1), registry.entry(CHAMPION)], fetch, tmp_path / "kept")
    if broken == CHAMPION:
        with pytest.raises(PipelineError, match="gone"):
            hosting.warm_up(library)
    else:
        hosting.warm_up(library)
        assert capsys.readouterr().err == "version 1 is not ready: gone\n"


@contextmanager
def _page(host: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The page as a program of its own, which ends as `mnist` does, without taking torch apart, which can take seconds;
    over small models, which are trained here: there it takes longer."""
    Registry(folder / "registry")
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, host, str(folder)],
        env=environment(PYTHONPATH=f"{ROOT / 'src'}:{ROOT}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("slow", ["picture", "body"])
def test_ctrl_c_ends_the_page_at_once(slow: str, tmp_path: Path) -> None:
    """Whatever is being decoded, waiting or on its way: eight pictures, of which two at a time are given up after two
    seconds, or bodies that take twenty; without a word, and nothing runs on."""
    content = bombs.jpeg()
    with _page("127.0.0.1", tmp_path) as process, ThreadPoolExecutor(8) as clients:
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        readers = psutil.Process(process.pid).children()
        for _ in range(8):
            body = content if slow == "picture" else _Slowly()
            clients.submit(requests.post, f"{address}/predict", body, timeout=30)
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert process.communicate(timeout=30) == ("", "")
        assert time.monotonic() - began < 2
        assert process.returncode == 0
    assert readers
    assert psutil.wait_procs(readers, timeout=2)[1] == []


class _Slowly:
    """A body of twenty bytes that takes twenty seconds, sent with its length."""

    def __len__(self) -> int:
        return 20

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(len(self)):
            yield b"x"
            time.sleep(1)


def test_bodies_in_chunks_of_a_byte_keep_nobody_waiting(tmp_path: Path) -> None:
    """Eight of them once kept others waiting for 19 s."""
    head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serve(Registry(tmp_path / "registry").library(tmp_path / "kept")) as address, ThreadPoolExecutor() as threads:
        place, over = (urlsplit(address).hostname, urlsplit(address).port), time.monotonic() + 5

        def send() -> None:
            while time.monotonic() < over:
                with suppress(OSError), socket.create_connection(place) as link:
                    link.sendall(head.encode() + b"1\r\nx\r\n" * 100_000)
                    link.recv(1)  # an answer, or the end: it is no crowd of connections that is tried here

        for _ in range(8):
            threads.submit(send)
        requests.post(f"{address}/predict", readers.drawing([(0.5, 0.2), (0.5, 0.8)]), timeout=60)  # loads the model
        began = time.monotonic()
        answer = requests.post(f"{address}/predict", readers.drawing([(0.5, 0.2), (0.5, 0.8)]), timeout=60)
        assert answer.ok
        assert time.monotonic() - began < 3
        refused = requests.post(f"{address}/predict", iter([b"x"]), timeout=60)
        assert (refused.status_code, "Content-Length" in refused.text) == (400, True)


def test_the_body_of_an_answer_does_not_wait_for_the_acknowledgement_of_its_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []

    class Seen(hosting.Protocol):
        def on_response_complete(self) -> None:
            link = self.transport.get_extra_info("socket")
            found.append(link.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            super().on_response_complete()

    monkeypatch.setattr(hosting, "Protocol", Seen)
    with serve(Registry(tmp_path / "registry").library(tmp_path / "kept")) as address:
        assert requests.get(f"{address}/models", timeout=30).ok
    assert found
    assert all(found)


def test_a_page_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    """Not even one that is in the middle of a picture."""
    with _page("127.0.0.1", tmp_path) as process, ThreadPoolExecutor(1) as client:
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        readers = psutil.Process(process.pid).children()
        client.submit(requests.post, f"{address}/predict", bombs.jpeg(), timeout=30)
        time.sleep(0.7)
        process.kill()
        assert readers
        assert psutil.wait_procs(readers, timeout=5)[1] == []


def test_a_page_for_other_machines_says_so_and_answers_to_the_names_given(tmp_path: Path) -> None:
    with _page("0.0.0.0", tmp_path) as process:  # noqa: S104
        assert process.stdout is not None
        address, *said = (process.stdout.readline() for _ in range(3))
        address = address.split()[0]
        assert said == [
            "every machine that reaches this one may use it, without a password, as 127.0.0.1, localhost, [::1], "
            "0.0.0.0, box\n",
            "under other names it answers nobody: --allowed-hosts adds them\n",
        ]
        codes = [
            requests.get(address, headers={"Host": host}, timeout=30).status_code
            for host in ("box:8000", "0.0.0.0:8000", "evil.example")
        ]
    assert codes == [200, 200, 400]


@pytest.mark.parametrize("more", ["box:8000", "http://box", "*box", "a b*", "box,,b/x", "[box"])
def test_what_is_no_name_of_a_machine_is_refused(more: str) -> None:
    with pytest.raises(PipelineError, match=r"^--allowed-hosts: expected names without a port, .*; found "):
        hosting.names("127.0.0.1", more)


def test_names_are_told_apart_by_commas() -> None:
    assert hosting.names("::1", "box, *.example.org,[fd00::1],*") == ["[::1]", "box", "*.example.org", "[fd00::1]", "*"]


def test_without_a_registered_model_one_line_says_what_to_do(project: Repository) -> None:
    output = project.run("mnist", "app", "--port", "0", code=1, PYTHONPATH=str(ROOT / "src"))
    last = output.splitlines()[-1]
    assert last.startswith("error: ")
    assert "make repro" in last
    assert "Traceback" not in output
