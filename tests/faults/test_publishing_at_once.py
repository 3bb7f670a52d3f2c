"""`mnist publish` many times at once, cut short, and to servers that fail: nothing is lost, nothing is there twice."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from mnist_pipeline.core import files
from tests.faults import failing, whole
from tests.faults.conftest import Write
from tests.faults.tracking import Server
from tests.repository import Repository, quick_environment
from tests.server import held

pytestmark = pytest.mark.faults
PUBLISH = ["mnist", "publish"]
ONCE = "Afterwards: one finished run and one version for each model and content, the best is champion"
TOGETHER = f"So many `mnist publish` started together. {ONCE}."
KILLED = (
    f"`mnist publish` into SQLite killed with SIGKILL at a random moment, as often; then once more. {ONCE}. Seed 0."
)
SERVER_KILLED = f"""\
An MLflow server over SQLite killed with SIGKILL at a random moment of `mnist publish`, then started again, as often
under one name as it takes until one goes through, then `mnist publish` once more. Each one cut short ended in one line
that names the address. {ONCE}. Seed 0."""
FAILING = f"""\
`mnist publish` to an MLflow server behind a proxy that answers 500 to every third request, by turns after the server
has done it and without. {ONCE}."""


@pytest.fixture(scope="module")
def seconds(built: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long an undisturbed `mnist publish` takes here and now."""
    place, began = _copy(built, tmp_path_factory.mktemp("timed") / "project", "tiny"), time.monotonic()
    place.run(*PUBLISH)
    return time.monotonic() - began


def _copy(built: Path, target: Path, name: str) -> Repository:
    """A copy that was published nowhere, under this name of the data set."""
    place = Repository(target)
    shutil.copytree(built, target, ignore=shutil.ignore_patterns(".mlflow", "output.txt", "tmp"))
    data = target / "metrics/data.json"
    files.write_json(data, files.read_json(data) | {"name": name})
    place.write_params(place.params() | {"data": place.params()["data"] | {"name": name}})
    return place


def _start(place: Repository, **changes: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        PUBLISH,
        cwd=place.path,
        env=quick_environment(**changes),  # so that a random moment falls into its work, and not into imports
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _publish_together(places: Sequence[Repository], **changes: str) -> None:
    for process in [_start(place, **changes) for place in places]:
        output, _ = process.communicate(timeout=900)
        assert process.returncode == 0, output


def _assert_once(address: str, place: Repository, name: str) -> None:
    """On a server: each content has one run and one version, and the champion is the best of all."""
    ranks, found = held.expected(place), held.look(address, name)
    once = dict.fromkeys(ranks, 1)
    assert (found.contents_of_runs, found.contents_of_versions) == (once, once)
    assert found.champion.tags["content"] == max(ranks, key=lambda content: ranks[content])


def test_at_once_in_one_repository(built: Path, tmp_path: Path, full: bool, record: Write) -> None:
    count, place = 20 if full else 3, _copy(built, tmp_path / "project", "tiny")
    _publish_together([place] * count)
    whole.assert_published(place, Repository(built))
    record("Publish: at once into a fresh SQLite store", TOGETHER, [{"publishers": count}])


def test_at_once_from_clones_into_one_database(built: Path, tmp_path: Path, full: bool, record: Write) -> None:
    count, shared = 20 if full else 3, Repository(tmp_path / "shared")
    places = [_copy(built, tmp_path / f"project{number}", "tiny") for number in range(count)]
    _publish_together(places, MLFLOW_TRACKING_URI=f"sqlite:///{shared.path}/.mlflow/mlflow.db")
    whole.assert_published(shared, Repository(built))
    record("Publish: at once from clones into a fresh SQLite store", TOGETHER, [{"publishers": count}])


def test_at_once_to_one_server(tracking: Server, built: Path, tmp_path: Path, full: bool, record: Write) -> None:
    count = 20 if full else 3
    places = [_copy(built, tmp_path / f"project{number}", "together") for number in range(count)]
    _publish_together(places, MLFLOW_TRACKING_URI=tracking.address)
    _assert_once(tracking.address, places[0], "together")
    record("Publish: at once to a server", TOGETHER, [{"publishers": count}])


def test_killed_halfway(built: Path, tmp_path: Path, seconds: float, full: bool, record: Write) -> None:
    wanted, chance, place = 10 if full else 1, random.Random(0), _copy(built, tmp_path / "project", "tiny")  # noqa: S311
    killed = whole_ones = 0
    while killed < wanted:
        process, began = _start(place), time.monotonic()
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds * chance.uniform(0.2, 0.9))
            seconds = time.monotonic() - began  # the machine is quicker now
        process.kill()
        output, _ = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), output
        killed += process.returncode != 0
        if process.returncode == 0 or killed == wanted:
            place.run(*PUBLISH)
            whole.assert_published(place, Repository(built))
            shutil.rmtree(place.path / ".mlflow")
            whole_ones += 1
    record("Publish: killed", KILLED, [{"killed": killed, "stores completed": whole_ones}])


def test_a_server_killed_halfway(
    tracking: Server, built: Path, tmp_path: Path, seconds: float, full: bool, record: Write
) -> None:
    wanted, chance = 5 if full else 1, random.Random(0)  # noqa: S311
    cut = number = 0
    while cut < wanted:
        place = _copy(built, tmp_path / f"project{number}", f"cut{number}")
        while _is_cut_short(place, tracking, seconds * chance.uniform(0.2, 0.9)) and (cut := cut + 1) < wanted:
            pass
        place.run(*PUBLISH, MLFLOW_TRACKING_URI=tracking.address)
        _assert_once(tracking.address, place, f"cut{number}")
        number += 1
    record("Publish: server killed", SERVER_KILLED, [{"cut short": cut, "names completed": number}])


def _is_cut_short(place: Repository, tracking: Server, after: float) -> bool:
    """Kill the server so many seconds after the start of `mnist publish`, which then has to end in a clear line."""
    process = _start(place, MLFLOW_TRACKING_URI=tracking.address)
    time.sleep(after)
    tracking.kill()
    output, _ = process.communicate(timeout=600)
    tracking.start()
    assert process.returncode == 0 or _is_one_clear_line(output, tracking.address), output
    return process.returncode != 0


def _is_one_clear_line(output: str, address: str) -> bool:
    last = output.strip().splitlines()[-1]
    return last.startswith(f"error: MLflow's store at {address} ") and "Traceback" not in output


def test_a_server_that_answers_500_to_every_third_request(
    tracking: Server, built: Path, tmp_path: Path, full: bool, record: Write
) -> None:
    rows = []
    for number in range(6 if full else 1):  # in full each request fails once in either way
        place = _copy(built, tmp_path / f"project{number}", f"failing{number}")
        with failing.before(tracking.address, number) as proxy:
            output = place.run(*PUBLISH, MLFLOW_TRACKING_URI=proxy.address)
        assert "Traceback" not in output
        _assert_once(tracking.address, place, f"failing{number}")
        done, refused = proxy.done_and_failed, proxy.not_done_and_failed
        rows.append({"requests": proxy.requests, "500, done": done, "500, not done": refused})
    record("Publish: a server that answers 500", FAILING, rows)
