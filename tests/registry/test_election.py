"""Who is champion: the best candidate on the same validation images, unless somebody decided otherwise by hand."""

import json
from dataclasses import replace

import pytest

from mnist_pipeline.registry import election
from mnist_pipeline.registry.election import Version


def version(number: int, accuracy: float, **tags: str) -> Version:
    known = {"model": f"m{number}", "parameters": "10", "validation_images": "same", "candidate": "yes"}
    return Version("mnist", number, "run", "m", False, known | {"validation_accuracy": repr(accuracy)} | tags)


def crowned(chosen: Version) -> Version:
    return replace(chosen, is_champion=True)


def decided(chosen: Version, by: str, highest: int, second: int) -> Version:
    tag = f"champion.2026-01-01T00:00:{second:02}.000000Z"
    return replace(chosen, tags=chosen.tags | {tag: json.dumps({"by": by, "reason": f"{by}!", "highest": highest})})


def chosen(*versions: Version) -> int | None:
    best = election.choose(list(versions))
    return best.number if best else None


def test_the_best_of_all_candidates_is_chosen_and_the_older_of_equals() -> None:
    assert chosen(version(1, 0.9), version(2, 0.95), version(3, 0.95), version(4, 0.94)) == 2


def test_fewer_parameters_decide_between_equals() -> None:
    assert chosen(version(1, 0.9), version(2, 0.9, parameters="9")) == 2


def test_the_champion_stays_unless_beaten_on_the_same_images() -> None:
    holder = crowned(version(1, 0.9))
    assert chosen(holder, version(2, 0.9)) == 1
    assert chosen(holder, version(2, 0.99, validation_images="others")) == 1
    assert chosen(holder, version(2, 0.99, candidate="no: trained on validation images")) == 1
    assert chosen(holder, version(2, 0.91)) == 2


def test_without_candidates_nobody_is_chosen() -> None:
    assert chosen() is None
    assert chosen(version(1, 0.9, candidate="no: it was not validated")) is None


@pytest.mark.parametrize("by", [election.PROMOTE, election.ROLLBACK])
def test_a_decision_by_hand_holds_against_every_version_that_existed_then(by: str) -> None:
    by_hand = decided(version(1, 0.9), by, highest=3, second=0)
    assert chosen(crowned(by_hand), version(2, 0.95), version(3, 0.99)) == 1
    assert chosen(crowned(by_hand), version(2, 0.95), version(3, 0.99), version(4, 0.89)) == 1
    overtaken = (by_hand, version(2, 0.95), version(3, 0.99), version(4, 0.91))
    assert chosen(crowned(by_hand), *overtaken[1:]) == 4
    assert chosen(*overtaken[:3], crowned(overtaken[3])) == 4, "what was passed over stays passed over"


def test_a_decision_by_hand_outlives_a_publisher_that_had_not_seen_it_and_a_deleted_champion() -> None:
    decision = decided(version(1, 0.9), election.PROMOTE, highest=3, second=0)
    assert chosen(decision, version(2, 0.95), crowned(version(3, 0.99))) == 1
    assert chosen(decision, version(2, 0.95), version(3, 0.99)) == 1
    assert chosen(decision, version(2, 0.95), version(5, 0.92)) == 5


def test_history_is_in_the_order_of_time() -> None:
    first, second = (decided(version(n, 0.9), election.PUBLISH, n, second=n) for n in (1, 2))
    back = decided(first, election.PROMOTE, 2, second=3)
    assert [(reign.version.number, reign.by) for reign in election.history([second, back])] == [
        (1, "publish"),
        (2, "publish"),
        (1, "promote"),
    ]
