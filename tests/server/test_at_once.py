"""Two repositories publish to one server at the same time: nothing is lost or twice, and the best is champion."""

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

    def run(place: Repository) -> str:
        return place.run(*commands[place], MLFLOW_TRACKING_URI=server.address)

    with ThreadPoolExecutor(len(commands)) as threads:
        for output in threads.map(run, commands):
            print(output)


def _interleave(server: TrackingServer, places: tuple[Repository, Repository], first: str, second: str) -> None:
    """Publish from two repositories, each in its way to meet the other."""
    meeting = places[0].path / ".mlflow" / "meeting"
    meeting.mkdir(parents=True)
    script = ["python3", str(INTERLEAVING), str(meeting)]
    how = [[*script, "first", "second", first], [*script, "second", "first", second]]
    _publish(server, dict(zip(places, how, strict=True)))


def _assert_nothing_lost(server: TrackingServer, name: str, *repositories: Repository) -> None:
    """Each content has one run and one version, and the champion is the best of all."""
    ranks, found = held.expected(*repositories), held.look(server.address, name)
    once = dict.fromkeys(ranks, 1)
    assert (found.contents_of_runs, found.contents_of_versions) == (once, once)
    best = [content for content, rank in ranks.items() if rank == max(ranks.values())]
    assert [found.champion.tags["content"]] == best


def test_two_repositories_started_together(shared: TrackingServer, built: Path, second: Path, copy: Copy) -> None:
    places = copy(built, "together"), copy(second, "together")
    _publish(shared, {place: ["mnist", "publish"] for place in places})
    _assert_nothing_lost(shared, "together", *places)


def test_two_repositories_in_lockstep(shared: TrackingServer, built: Path, second: Path, copy: Copy) -> None:
    """Each finds neither experiment nor model nor champion, and makes them at the same moment."""
    places = copy(built, "lockstep"), copy(second, "lockstep")
    _interleave(shared, places, "lockstep", "lockstep")
    _assert_nothing_lost(shared, "lockstep", *places)


def test_a_better_champion_that_came_in_between_stays(
    shared: TrackingServer, built: Path, second: Path, copy: Copy
) -> None:
    """The worse repository has decided for its own model when the better one publishes, and only then says so."""
    places = copy(built, "between"), copy(second, "between")
    _interleave(shared, places, "set_registered_model_alias", "overtaking")
    _assert_nothing_lost(shared, "between", *places)


def test_the_same_content_from_two_clones_is_settled_to_the_lower_version(
    shared: TrackingServer, built: Path, copy: Copy
) -> None:
    places = copy(built, "same"), copy(built, "same")
    _interleave(shared, places, "lockstep", "lockstep")
    _assert_nothing_lost(shared, "same", *places)
    registered = _registered(shared, "same")
    assert max(map(len, registered.values())) > 1, "the two never met"
    kept = held.look(shared.address, "same").versions
    assert {version.tags["content"]: int(version.version) for version in kept} == {
        content: min(numbers) for content, numbers in registered.items()
    }


def test_a_clone_that_begins_when_another_has_just_made_its_run(
    shared: TrackingServer, built: Path, copy: Copy
) -> None:
    places = copy(built, "begun"), copy(built, "begun")
    _interleave(shared, places, "filling", "following")
    _assert_nothing_lost(shared, "begun", *places)


@pytest.mark.parametrize("call", ["log_model_artifacts", "create_model_version"])
def test_a_clone_that_stalls_halfway_and_one_that_does_not(
    shared: TrackingServer, built: Path, copy: Copy, call: str
) -> None:
    """The second finds what the first has begun; neither may spoil it for the other."""
    name = f"stalled-{call}"
    places = copy(built, name), copy(built, name)
    _interleave(shared, places, call, "overtaking")
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
