"""Which version is champion: the best candidate on the same validation images, unless somebody decided by hand.

First what is chosen of given versions, then the alias in a real store, moved by publishing and by hand.
"""

import json
from dataclasses import replace

import pytest

from mnist_pipeline.core import files
from mnist_pipeline.registry import champion, versions
from mnist_pipeline.registry.tags import CHAMPION, Version, reigns
from tests.repository import Repository


def version(number: int, accuracy: float, **tags: str) -> Version:
    known = {"model": f"m{number}", "parameters": "10", "validation_images": "same", "candidate": "yes"}
    return Version("mnist", number, "run", "m", (), known | {"validation_accuracy": repr(accuracy)} | tags)


def crowned(chosen: Version) -> Version:
    return replace(chosen, aliases=(CHAMPION,))


def decided(chosen: Version, by: str, highest: int, second: int) -> Version:
    tag = f"champion.2026-01-01T00:00:{second:02}.000000Z"
    return replace(chosen, tags=chosen.tags | {tag: json.dumps({"by": by, "reason": f"{by}!", "highest": highest})})


def chosen(*versions: Version) -> int | None:
    best = champion.choose(list(versions))
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


@pytest.mark.parametrize("by", [champion.PROMOTE, champion.ROLLBACK])
def test_a_decision_by_hand_holds_against_every_version_that_existed_then(by: str) -> None:
    by_hand = decided(version(1, 0.9), by, highest=3, second=0)
    assert chosen(crowned(by_hand), version(2, 0.95), version(3, 0.99)) == 1
    assert chosen(crowned(by_hand), version(2, 0.95), version(3, 0.99), version(4, 0.89)) == 1
    overtaken = (by_hand, version(2, 0.95), version(3, 0.99), version(4, 0.91))
    assert chosen(crowned(by_hand), *overtaken[1:]) == 4
    assert chosen(*overtaken[:3], crowned(overtaken[3])) == 4, "what was passed over stays passed over"


def test_a_decision_by_hand_outlives_a_publisher_that_had_not_seen_it_and_a_deleted_champion() -> None:
    decision = decided(version(1, 0.9), champion.PROMOTE, highest=3, second=0)
    assert chosen(decision, version(2, 0.95), crowned(version(3, 0.99))) == 1
    assert chosen(decision, version(2, 0.95), version(3, 0.99)) == 1
    assert chosen(decision, version(2, 0.95), version(5, 0.92)) == 5


def test_a_copy_has_no_part_in_the_history_of_its_original() -> None:
    original = decided(version(1, 0.9), champion.PROMOTE, highest=2, second=0)
    copied = replace(original, number=3, model_id="")  # MLflow copies all tags
    assert [reign.version.number for reign in reigns([original, version(2, 0.95), copied])] == [1]
    assert chosen(crowned(original), version(2, 0.95), copied) == 1


def test_history_is_in_the_order_of_time() -> None:
    first, second = (decided(version(n, 0.9), champion.PUBLISH, n, second=n) for n in (1, 2))
    back = decided(first, champion.PROMOTE, 2, second=3)
    assert [(reign.version.number, reign.by) for reign in reigns([second, back])] == [
        (1, "publish"),
        (2, "publish"),
        (1, "promote"),
    ]


def test_promote_publish_and_rollback_in_a_real_store(filled: Repository) -> None:
    assert "worse on the validation images than tiny version 1" in _promote(filled, "2", code=1)
    assert "no version 7 is registered; there are: 1, 2" in _promote(filled, "7", code=1)
    assert "version 2 (weak) is champion" in _promote(filled, "2", "--force")
    filled.run("mnist", "publish")
    assert filled.champion() == "weak", "the better model existed when it was decided"

    _improve(filled, "plain")
    assert "version 3 is now tiny@champion" in filled.run("mnist", "publish")
    assert "version 2 (weak) is champion again" in filled.run("mnist", "rollback", "--reason", "it was too good")
    filled.run("mnist", "publish")
    assert filled.champion() == "weak"
    lines = filled.run("mnist", "history").splitlines()[1:]
    moves = [("1", "publish"), ("2", "promote"), ("3", "publish"), ("2", "rollback")]
    assert [(line.split()[2], line.split()[5]) for line in lines] == moves
    assert lines[1].endswith("for a test")
    assert lines[3].endswith("it was too good")
    assert "version 1 (plain) is champion again" in filled.run("mnist", "rollback", "--reason", "and further")
    assert "no champion before" in filled.run("mnist", "rollback", "--reason", "too far", code=1)


MOVES_IT = """
CREATE TRIGGER moves_it AFTER UPDATE ON registered_model_aliases
BEGIN UPDATE registered_model_aliases SET version = 2; END
"""


def test_publish_gives_up_on_an_alias_that_somebody_keeps_moving(filled: Repository) -> None:
    filled.query("UPDATE registered_model_aliases SET version = 2")
    filled.query(MOVES_IT)
    output = filled.run("mnist", "publish", code=1)
    assert output.splitlines()[-1] == (
        "error: tiny@champion: given to tiny version 1 (plain) 10 times, and each time somebody moved it away, "
        "the last time a program other than `mnist` to tiny version 2 (weak); end that, then run `mnist publish` again"
    )
    filled.query("DROP TRIGGER moves_it")
    filled.run("mnist", "publish")
    assert filled.champion() == "plain"
    assert len(filled.run("mnist", "history").splitlines()) == 2, "one move is noted once"


ODD = """
import mlflow
mlflow.set_tracking_uri("sqlite:///.mlflow/mlflow.db")
client = mlflow.MlflowClient()
second = client.get_model_version("tiny", "2")
ours = {key: second.tags[key] for key in ("model", "candidate", "validation_images")}
for accuracy, parameters in (("99%", "10"), ("inf", "10"), ("nan", "10"), ("0.999", None), ("0.999", "few")):
    tags = ours | {"validation_accuracy": accuracy} | ({"parameters": parameters} if parameters else {})
    client.create_model_version("tiny", second.source, second.run_id, tags)
client.set_model_version_tag("tiny", "1", "champion.note", "good")
client.set_model_version_tag("tiny", "1", "champion.deep", "[" * 4000)
late = "champion.9999-12-31T23:59:59.999999Z"
client.set_model_version_tag("tiny", "1", late, '{"by": "publish", "reason": "", "highest": 9}')
moves = {"00": '"highest": 9', "01Z": '"highest": "all"', "02Z": '"other": 9', "03Z": '"highest'}
for second, rest in moves.items():
    tag = "champion.2026-01-01T00:00:" + second
    client.set_model_version_tag("tiny", "2", tag, '{"by": "promote", "reason": "", ' + rest + "}")
"""


def test_odd_tags_are_passed_over_and_named_in_one_note(filled: Repository) -> None:
    """An accuracy above one, none at all, or no parameters win nothing; and nobody is stopped."""
    filled.run("python3", "-c", ODD)
    early = '(\'tiny\', 1, \'champion.0001-01-01T00:00:00+14:00\', \'{"by": "publish", "reason": "", "highest": 9}\')'
    filled.query(f"INSERT INTO model_version_tags (name, version, key, value) VALUES {early}")  # noqa: S608 - MLflow takes no plus
    named = [
        "'99%'",
        "'inf'",
        "'nan'",
        "'few'",
        "champion.note",
        "champion.deep",
        "champion.9999",
        "champion.0001",
        *(f"champion.2026-01-01T00:00:0{n}" for n in range(4)),
    ]
    for command in ("publish", "history", "lineage HEAD", "promote 2 --reason x --force", "rollback --reason x"):
        output = filled.run("mnist", *command.split())
        (note,) = [line for line in output.splitlines() if line.startswith("note: ")]
        assert [one for one in named if one not in note] == []
        assert note.count("tiny version") == 12
    assert filled.champion() == "plain"


def test_a_version_that_names_no_run_has_none() -> None:
    """MLflow lets anybody make one."""
    assert versions.run_of("") is None


def test_moves_of_the_alias_are_in_one_zone() -> None:
    """Whoever wrote the tag: the next one is written in UTC, and has to come after it."""
    move = {"by": "promote", "reason": "mine", "highest": 1}
    tags = {"champion.2026-01-01T00:00:00-12:00": json.dumps(move), "model": "two\nlines"}
    version = Version("tiny", 1, "run", "model", (), tags)
    (reign,) = reigns([version])
    assert reign.since.isoformat() == "2026-01-01T12:00:00+00:00"
    assert str(version) == r"tiny version 1 ('two\nlines')"


def test_what_is_no_candidate_is_not_promoted_either(project: Repository) -> None:
    project.edit("models/weak/model.json", training_images_sha256="0" * 64)
    project.run("mnist", "publish")
    output = _promote(project, "2", "--force", code=1)
    assert "can't be champion (it was trained on other images than those of the training split)" in output


def _promote(project: Repository, *arguments: str, code: int = 0) -> str:
    return project.run("mnist", "promote", *arguments, "--reason", "for a test", code=code)


def _improve(project: Repository, model: str) -> None:
    """Other results than those that are published, and better ones."""
    path = f"metrics/models/{model}.json"
    accuracy = files.read_json(project.path / path)["validation_accuracy"]
    project.edit(path, validation_accuracy=min(1.0, accuracy + 0.01), test_loss=0.0)
