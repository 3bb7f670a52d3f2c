"""What answers the page: the real server over small models, asked as a browser asks, and wrongly."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import torch
from PIL import Image

from mnist_pipeline.app import api, hosting
from mnist_pipeline.app.library import Library
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.pictures import recognition
from mnist_pipeline.training import predictor
from tests.shelf import CHAMPION, OTHER, Registry, entry, serve

SEVEN = hosting.drawing([(0.3, 0.2), (0.7, 0.2), (0.45, 0.8)])


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
    pixels = torch.from_numpy(recognition.read(io.BytesIO(SEVEN), "seven")[1])
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


@pytest.mark.parametrize("chunks", [1, 40])
def test_a_body_is_limited_whatever_its_header_says(chunks: int, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One piece comes with a Content-Length, several without."""
    monkeypatch.setattr(api, "LIMIT", 2_000_000)
    body = b"0" * 2_000_001 if chunks == 1 else (b"0" * 100_000 for _ in range(chunks))
    answer = ask(address, body)
    assert answer.status_code == 413
    assert answer.json()["detail"] == "expected a picture of at most 2 MB, found a larger one"
    assert ask(address, SEVEN).ok


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


def test_a_model_of_another_network_is_listed_as_unavailable_and_answered_with_the_reason(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    registry.network += b"# other\n"
    library = registry.library(tmp_path / "kept")
    hosting.warm_up(library)
    with serve(library) as address:
        listed, answer = requests.get(f"{address}/models", timeout=30).json(), ask(address, SEVEN)
    assert (answer.status_code, answer.json()["detail"]) == (503, listed[0]["unavailable"])
    assert "check out a commit that has the same file: mnist lineage --version 2" in listed[0]["unavailable"]
