"""What answers the page: the real server over small models, asked as a browser asks, and wrongly."""

import contextlib
import io
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import torch
from PIL import Image

from mnist_pipeline.app import api, hosting, library, readers
from mnist_pipeline.app.library import Library
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.processors import cores
from mnist_pipeline.pictures import reader
from mnist_pipeline.registry.tags import Version
from mnist_pipeline.training import predictor
from tests.pictures import bombs
from tests.shelf import CHAMPION, OTHER, Registry, entry, serve

SEVEN = readers.drawing([(0.3, 0.2), (0.7, 0.2), (0.45, 0.8)])


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def address(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(registry.library(tmp_path_factory.mktemp("kept"))) as address:
        yield address


def ask(address: str, body: Any, version: object = None, kind: str = "image/png") -> requests.Response:
    query = "" if version is None else f"?version={version}"
    return requests.post(f"{address}/predict{query}", data=body, headers={"Content-Type": kind}, timeout=30)


def test_models_are_listed_champion_first(address: str) -> None:
    listed = requests.get(f"{address}/models", timeout=30).json()
    assert [one["version"] for one in listed] == [2, 3, 1]
    assert [one["champion"] for one in listed] == [True, False, False]
    assert (listed[0]["model"], listed[0]["test_accuracy"], listed[0]["unavailable"]) == ("small", 0.9, None)


@pytest.mark.parametrize("version", [None, CHAMPION, OTHER])
def test_an_answer_is_the_classifiers_own(version: int | None, address: str, registry: Registry) -> None:
    pixels = torch.from_numpy(reader.read(io.BytesIO(SEVEN), "seven")[1])
    expected = predictor.load(registry.folder / str(version or CHAMPION))(pixels[None, None])[0]
    answer = ask(address, SEVEN, version).json()
    assert answer["probabilities"] == expected.tolist()
    assert answer["digit"] == int(expected.argmax())
    assert answer["seen"] == pixels.round().int().tolist()


def _png(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (560, 560), colour).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("body", "version", "kind", "code", "reason"),
    [
        (b"", None, "image/png", 400, "expected a picture as the body of the request, found nothing"),
        (SEVEN, 99, "image/png", 404, "version 99 is not registered"),
        (SEVEN, "one", "image/png", 422, "version: Input should be a valid integer"),
        (SEVEN, None, "text/plain", 415, "expected a picture, sent as image/…; found text/plain"),
        (b"rubbish", None, "image/png", 422, "picture"),
        (SEVEN[:200], None, "image/png", 422, "picture"),
        (_png("black"), None, "image/png", 422, "picture"),
        (_png("white"), None, "image/png", 422, "picture"),
    ],
)
def test_a_bad_request_gets_its_reason(
    body: bytes, version: object, kind: str, code: int, reason: str, address: str
) -> None:
    answer = ask(address, body, version, kind)
    assert answer.status_code == code
    assert reason in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


def test_a_body_is_limited(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "LIMIT", 2_000_000)
    answer = ask(address, b"0" * 2_000_001)
    assert answer.status_code == 413
    assert answer.json()["detail"] == "expected a picture of at most 2 MB, found a larger one"
    assert ask(address, SEVEN).ok


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "192.168.0.9", ""])
def test_a_name_that_is_not_the_pages_is_refused(host: str, address: str) -> None:
    """As when a website makes its own name lead to this machine."""
    for answer in (
        requests.get(f"{address}/models", headers={"Host": host}, timeout=30),
        requests.post(f"{address}/predict", data=SEVEN, headers={"Host": host}, timeout=30),
    ):
        assert answer.status_code == 400
        reason = f"the host {host!r} is no name of this page; `mnist app --allowed-hosts NAME` adds one"
        assert answer.json() == {"detail": reason}
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:8000", "[::1]:8000"])
def test_the_names_of_this_machine_are_the_pages(host: str, address: str) -> None:
    assert requests.get(f"{address}/models", headers={"Host": host}, timeout=30).ok


def test_further_names_are_allowed_by_name(registry: Registry, tmp_path: Path) -> None:
    with serve(registry.library(tmp_path), ["box", "*.example.org"]) as address:
        codes = {
            host: requests.get(f"{address}/models", headers={"Host": host}, timeout=30).status_code
            for host in ("box:8000", "a.example.org", "localhost", "example.com")
        }
    assert codes == {"box:8000": 200, "a.example.org": 200, "localhost": 200, "example.com": 400}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"},
    ],
)
def test_another_sites_page_gets_nothing_computed(headers: dict[str, str], address: str) -> None:
    answer = requests.post(f"{address}/predict", data=SEVEN, headers=headers, timeout=30)
    assert answer.status_code == 403
    assert f"only a page of {address} may ask this" in answer.json()["detail"]
    assert requests.post(
        f"{address}/predict", data=SEVEN, headers={"Origin": address, "Sec-Fetch-Site": "same-origin"}, timeout=30
    ).ok


def _trickle(address: str, head: bytes, seconds: float) -> tuple[bytes, float]:
    """What a client gets that sends a byte now and then after this, and when the connection ended; at most so late."""
    host, port = address.removeprefix("http://").split(":")
    began, answer = time.monotonic(), b""
    with socket.create_connection((host, int(port))) as client, contextlib.suppress(ConnectionError):
        client.settimeout(0.1)
        client.sendall(head)
        while time.monotonic() - began < seconds:
            with contextlib.suppress(TimeoutError):
                received = client.recv(1 << 16)
                if not received:
                    break
                answer += received
            client.sendall(b"0")
    return answer, time.monotonic() - began


def test_a_body_that_trickles_is_cut(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "SECONDS_TO_SEND", 1)
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n"
    answer, took = _trickle(address, head, 20)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b'{"detail":"expected the whole picture within 1 s"}')
    assert took < 10


def test_clients_that_announce_large_pictures_and_send_none_keep_nobody_waiting(address: str) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 19000000\r\n\r\n"
    host, port = address.removeprefix("http://").split(":")
    with contextlib.ExitStack() as held:
        for _ in range(10 * api.LARGE_AT_ONCE):
            held.enter_context(socket.create_connection((host, int(port)))).sendall(head)
        began = time.monotonic()
        assert ask(address, SEVEN + b"0" * api.SMALL).ok
        assert time.monotonic() - began < api.SECONDS_TO_SEND


def test_large_pictures_that_stop_halfway_keep_others_waiting_for_so_long(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "SECONDS_TO_SEND", 2)
    monkeypatch.setattr(api, "SECONDS_TO_WAIT", 1)
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 19000000\r\n\r\n"
    host, port = address.removeprefix("http://").split(":")
    with contextlib.ExitStack() as held:
        for _ in range(api.LARGE_AT_ONCE):
            held.enter_context(socket.create_connection((host, int(port)))).sendall(head + b"0" * (api.SMALL + 1))
        time.sleep(0.5)
        refused = ask(address, SEVEN + b"0" * api.SMALL)
        time.sleep(2)
        assert ask(address, SEVEN + b"0" * api.SMALL).ok
    assert refused.status_code == 503
    assert refused.json()["detail"].startswith("too many large pictures at once; send it again later")


def test_a_client_that_receives_nothing_is_cut(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosting, "SECONDS_TO_ASK", 1)
    host, port = address.removeprefix("http://").split(":")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect((host, int(port)))
        client.settimeout(1)
        began = time.monotonic()
        with pytest.raises(ConnectionError):  # noqa: PT012
            while time.monotonic() - began < 20:
                with contextlib.suppress(TimeoutError):
                    client.sendall(b"GET /page.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000)
        assert time.monotonic() - began < 20


@pytest.mark.parametrize("head", [b"", b"GET / HTTP/1.1\r\nHost: ", b"GET /models HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_a_connection_without_a_request_is_closed(head: bytes, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one on which nothing whole follows the answer."""
    monkeypatch.setattr(hosting, "SECONDS_TO_ASK", 1)
    answer, took = _trickle(address, head, 20)
    assert took < 10
    assert b"200 OK" in answer if b"models" in head else answer == b""


def test_beyond_so_many_connections_a_client_is_sent_away(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosting, "CLIENTS", 4)
    with serve(registry.library(tmp_path)) as address:
        host, port = address.removeprefix("http://").split(":")
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                stack.enter_context(socket.create_connection((host, int(port))))
            assert requests.get(f"{address}/models", timeout=30).status_code == 503
        ended = time.monotonic() + 10
        while not ask(address, SEVEN).ok:
            assert time.monotonic() < ended


def test_what_a_client_sent_that_is_gone_is_not_worked_on(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten pictures that would take a second each, and a client after them that waits."""
    monkeypatch.setattr(readers, "SECONDS", 1.0)
    content = bombs.jpeg()
    head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    host, port = address.removeprefix("http://").split(":")
    for _ in range(10):
        with socket.create_connection((host, int(port))) as client:
            client.sendall(head + content)
    monkeypatch.undo()
    began = time.monotonic()
    assert ask(address, SEVEN).ok
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("path", ["", "page.css", "page.js", "icon.svg", "models", "nothing"])
def test_every_answer_forbids_to_load_from_elsewhere(path: str, address: str) -> None:
    answer = requests.get(f"{address}/{path}", timeout=30)
    assert answer.status_code == (404 if path == "nothing" else 200)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["docs", "redoc", "openapi.json"])
def test_no_page_of_documentation_loads_scripts_from_elsewhere(path: str, address: str) -> None:
    assert requests.get(f"{address}/{path}", timeout=30).status_code == 404


def test_fifty_clients_at_once_all_get_the_answer(registry: Registry, tmp_path: Path) -> None:
    registry.fetched.clear()
    with serve(registry.library(tmp_path)) as address, ThreadPoolExecutor(50) as clients:
        answers = list(clients.map(lambda _: ask(address, SEVEN), range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert registry.fetched == [CHAMPION]


def test_a_model_that_cannot_be_fetched_is_no_fault_of_the_request(tmp_path: Path) -> None:
    def fetch(*_: object) -> None:
        raise PipelineError("MLflow's store at http://127.0.0.1:9: no answer")

    with serve(Library([entry(1)], fetch, tmp_path)) as address:
        answer = ask(address, SEVEN)
    assert (answer.status_code, answer.json()["detail"]) == (503, "MLflow's store at http://127.0.0.1:9: no answer")


def test_a_registry_that_hangs_delays_its_own_versions_alone(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More requests for such a version than there are turns; others are answered, and it is, too, once it is there."""
    asked, freed = threading.Event(), threading.Event()

    def fetch(version: Version, folder: Path) -> None:
        if version.number == OTHER:
            asked.set()
            assert freed.wait(60)
        registry.fetch(version, folder)

    registry.fetched.clear()
    shelf = Library([entry(CHAMPION, champion=True), entry(OTHER)], fetch, tmp_path)
    assert shelf.classifier(CHAMPION)
    monkeypatch.setattr(library, "SECONDS", 3.0)
    number = cores() + api.LARGE_AT_ONCE
    large = SEVEN + b"0" * api.SMALL
    with serve(shelf) as address, ThreadPoolExecutor(number) as clients:
        assert ask(address, SEVEN).ok  # the process that reads pictures takes a second to start
        hanging = [clients.submit(ask, address, large, OTHER) for _ in range(number)]
        assert asked.wait(60)
        began = time.monotonic()
        assert [ask(address, body).status_code for body in (SEVEN, large)] == [200, 200]
        assert time.monotonic() - began < 2
        answers = {(answer.status_code, answer.json()["detail"]) for answer in (one.result() for one in hanging)}
        freed.set()
        while (there := ask(address, SEVEN, OTHER)).status_code == 503:
            assert time.monotonic() - began < 60
    [(code, detail)] = answers
    assert code == 503
    assert detail.startswith(f"version {OTHER}: the registry has not handed it over within 3 s; ")
    assert there.ok
    assert registry.fetched.count(OTHER) == 1


def test_a_model_of_another_network_is_listed_as_unavailable_and_answered_with_the_reason(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    registry.network += b"# other\n"
    other = registry.library(tmp_path / "kept")
    hosting.warm_up(other)
    with serve(other) as address:
        listed, answer = requests.get(f"{address}/models", timeout=30).json(), ask(address, SEVEN)
    assert (answer.status_code, answer.json()["detail"]) == (503, listed[0]["unavailable"])
    assert (
        "check out a commit that has the same file, then start this again: mnist lineage --version 2"
        in listed[0]["unavailable"]
    )
