"""Two repositories publish to one server at the same time: nothing is lost or twice, and the best is champion."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.repository import Repository
from tests.server import held
from tests.server.conftest import Copy
from tests.server.tracking_server import TrackingServer

pytestmark = pytest.mark.server
INTERLEAVING = Path(__file__).with_name("interleaving.py")


def _publish(server: TrackingServer, commands: dict[Repository, list[str]]) -> None:
    """Run a command in each repository, all started together; each has to succeed."""
    address = {"MLFLOW_TRACKING_URI": server.address}
    with ThreadPoolExecutor(len(commands)) as threads:
        runs = [threads.submit(place.run, *command, **address) for place, command in commands.items()]
        for run in runs:
            print(run.result())


def _interleave(server: TrackingServer, first: tuple[Repository, str], second: tuple[Repository, str]) -> None:
    """Publish from two repositories, each in its way to meet the other."""
    meeting = first[0].path / ".mlflow" / "meeting"
    meeting.mkdir(parents=True)
    script = [sys.executable, "-W", "ignore", str(INTERLEAVING), str(meeting)]
    _publish(
        server, {first[0]: [*script, "first", "second", first[1]], second[0]: [*script, "second", "first", second[1]]}
    )


def _assert_nothing_lost(server: TrackingServer, name: str, *repositories: Repository) -> None:
    """Each content has one run and one version, and the champion is the best of all."""
    ranks, found = held.expected(*repositories), held.look(server.address, name)
    once = dict.fromkeys(ranks, 1)
    assert (found.contents_of_runs, found.contents_of_versions) == (once, once)
    assert found.champion.tags["content"] == max(ranks, key=lambda content: ranks[content])


def test_two_repositories_started_together(shared: TrackingServer, built: Path, second: Path, copy: Copy) -> None:
    places = copy(built, "together"), copy(second, "together")
    _publish(shared, {place: ["mnist", "publish"] for place in places})
    _assert_nothing_lost(shared, "together", *places)


@pytest.mark.parametrize("how", [("ahead", "behind"), ("behind", "ahead")])
def test_two_repositories_in_lockstep(
    shared: TrackingServer, built: Path, second: Path, copy: Copy, how: tuple[str, str]
) -> None:
    """Each finds neither experiment nor model nor champion, and makes them; whoever comes last must not win by that."""
    places = copy(built, f"better-{how[0]}"), copy(second, f"better-{how[0]}")
    _interleave(shared, (places[0], how[0]), (places[1], how[1]))
    _assert_nothing_lost(shared, f"better-{how[0]}", *places)


def test_a_better_champion_that_came_in_between_stays(
    shared: TrackingServer, built: Path, second: Path, copy: Copy
) -> None:
    """The worse repository has decided for its own model when the better one publishes, and only then says so."""
    places = copy(built, "between"), copy(second, "between")
    _interleave(shared, (places[0], "set_registered_model_alias"), (places[1], "overtaking"))
    _assert_nothing_lost(shared, "between", *places)


def test_the_same_content_from_two_clones_is_settled_to_the_lower_version(
    shared: TrackingServer, built: Path, copy: Copy
) -> None:
    places = copy(built, "same"), copy(built, "same")
    _interleave(shared, (places[0], "ahead"), (places[1], "behind"))
    _assert_nothing_lost(shared, "same", *places)
    registered = _registered(shared, "same")
    assert max(map(len, registered.values())) > 1, "the two never met"
    kept = held.look(shared.address, "same").versions
    assert {version.tags["content"]: int(version.version) for version in kept} == {
        content: min(numbers) for content, numbers in registered.items()
    }


@pytest.mark.parametrize("call", ["log_batch", "log_model_artifacts", "create_model_version"])
def test_a_clone_that_stalls_halfway_and_one_that_does_not(
    shared: TrackingServer, built: Path, copy: Copy, call: str
) -> None:
    """The second finds what the first has begun; neither may spoil it for the other."""
    name = f"stalled-{call}"
    places = copy(built, name), copy(built, name)
    _interleave(shared, (places[0], call), (places[1], "overtaking"))
    _assert_nothing_lost(shared, name, *places)


def _registered(server: TrackingServer, name: str) -> dict[str, list[int]]:
    """The numbers of all versions of each content that ever were; MLflow marks deleted ones and keeps their tags."""
    registered: dict[str, list[int]] = {}
    for model, content, number in server.query(
        "SELECT name, value, version FROM model_version_tags WHERE key = 'content'"
    ):
        if model == name:
            registered.setdefault(content, []).append(int(number))
    return registered
