"""The folder of `mnist report`, from the small repository that the real pipeline built."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mnist_pipeline.commits import provenance, revision
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json, write_csv, write_json
from mnist_pipeline.report import page_data
from tests.repository import Repository

BEFORE, AFTER = "HEAD", revision.WORKING_TREE


@pytest.fixture
def here(project: Repository, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The built repository as the working directory."""
    monkeypatch.chdir(project.path)
    return project.path


def gather(*names: str | None) -> dict[str, Any]:
    return page_data.gather([revision.at(name) for name in names or (None,)])


def spoil(model: str, images: int) -> None:
    """As if another training had got so many more images wrong."""
    path, metrics = paths.test(model) / "predictions.csv", read_json(paths.metrics(model))
    table = pd.read_csv(path)
    right = table.index[table["label"] == table["predicted"]][:images]
    table.loc[right, "predicted"] = (table.loc[right, "label"] + 1) % 10
    errors = metrics["test_errors"] + images
    path.unlink()  # DVC may have linked it to its cache
    write_csv(path, table)
    write_json(paths.metrics(model), metrics | {"test_errors": errors, "test_accuracy": 1 - errors / len(table)})


def test_the_command_writes_a_folder_that_git_does_not_see(project: Repository) -> None:
    said = project.run("mnist", "report", "HEAD")
    assert re.fullmatch(r"report/index\.html: \d\.\d MB with the files beside it; open it in a browser\n", said)
    assert project.status() == ""


@pytest.mark.usefixtures("here")
def test_all_that_the_page_asks_for_stands_beside_it(tmp_path: Path) -> None:
    index = page_data.write([revision.at(None)], tmp_path / "report")
    page = index.read_text(encoding="utf-8")
    asked = {name for name in re.findall(r'(?:src|href)="([^"#][^"]*)"', page) if not name.startswith("data:")}
    asked |= set(re.findall(r'url\("([^"]+)"\)', (index.parent / "report.css").read_text(encoding="utf-8")))
    pictures = {path.name for path in paths.DATA_PICTURES.iterdir()}
    assert {path.name for path in index.parent.iterdir()} == asked | pictures | {"index.html"}
    assert not [name for name in asked if "//" in name]


@pytest.mark.usefixtures("here")
def test_the_same_revisions_give_the_same_bytes(tmp_path: Path) -> None:
    spoil("plain", 3)
    first, second = (
        page_data.write([revision.at("HEAD"), revision.at(None)], tmp_path / name).parent
        for name in ("first", "second")
    )
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    assert [name for name in names if (first / name).read_bytes() != (second / name).read_bytes()] == []


@pytest.mark.usefixtures("here")
def test_the_content_is_what_the_stages_wrote() -> None:
    content = gather()
    [side] = content["sides"]
    assert content["models"] == ["plain", "weak"]
    assert content["comparison"] is None
    assert side["best"] == read_json(paths.BEST)["model"]
    assert side["data"] == read_json(paths.DATA_METRICS)
    for model in ("plain", "weak"):
        assert side["metrics"][model] == read_json(paths.metrics(model))
        assert len(side["mistakes"][model]) == side["metrics"][model]["test_errors"]
        wrong = sum(side["confusion"][model][a][b] for a in range(10) for b in range(10) if a != b)
        assert wrong == side["metrics"][model]["test_errors"]
        history = pd.read_csv(paths.history(model))
        rows = [row for row in content["curves"] if row["model"] == model]
        assert len(rows) == len(history)
        for column in page_data.CHARTS:
            assert [row[column] for row in rows if column in row] == history[column].dropna().tolist()
    indices = {row[0] for rows in side["mistakes"].values() for row in rows}
    assert content["sprite"] == {"columns": page_data.COLUMNS, "indices": sorted(indices)}
    assert content["pictures"] == {
        "of": [AFTER],
        "files": sorted(path.name for path in paths.DATA_PICTURES.iterdir()),
    }


@pytest.mark.usefixtures("here")
def test_two_revisions_are_compared() -> None:
    spoil("plain", 3)
    content = gather("HEAD", None)
    before, after = content["sides"]
    assert (before["name"], after["name"]) == (BEFORE, AFTER)
    assert len(after["mistakes"]["plain"]) == len(before["mistakes"]["plain"]) + 3
    plain, weak = content["comparison"]["rows"]
    assert plain["points"] == pytest.approx(-3)
    assert plain["paired"] == {"gained": 3, "lost": 0, "p_value": 0.25, "p_corrected": 0.5}
    assert weak["paired"] == {"gained": 0, "lost": 0, "p_value": 1.0, "p_corrected": 1.0}
    assert {row["side"] for row in content["curves"]} == {BEFORE, AFTER}


@pytest.mark.usefixtures("here")
def test_of_other_data_no_image_is_shown() -> None:
    data = read_json(paths.DATA_METRICS)
    data["files"]["test_images"]["idx_sha256"] = "0" * 64
    write_json(paths.DATA_METRICS, data)
    spoil("plain", 3)
    content = gather("HEAD", None)
    before, after = content["sides"]
    assert before["no_images"] is None
    assert "other images" in after["no_images"]
    assert content["sprite"]["indices"] == sorted({row[0] for rows in before["mistakes"].values() for row in rows})
    assert content["comparison"]["rows"][0]["refusal"].startswith("other test data")


@pytest.mark.usefixtures("here")
def test_data_without_the_digest_of_its_images_is_refused_in_a_line() -> None:
    write_json(paths.DATA_METRICS, {"files": {"test_images": {}}})
    with pytest.raises(PipelineError, match=r"working tree: metrics/data\.json: expected `idx_sha256`"):
        gather()


@pytest.mark.usefixtures("here")
def test_without_data_and_pictures_the_rest_is_there(project: Repository, tmp_path: Path) -> None:
    clone = project.clone(tmp_path / "clone")
    clone.run("mnist", "report")
    page = (clone.path / "report/index.html").read_text(encoding="utf-8")
    assert "Run make repro" in page
    assert '"pictures":{"of":[],"files":[]}' in page
    assert not (clone.path / "report/mistakes.png").exists()


def test_the_origin_says_what_differs(here: Path) -> None:
    (here / "new.txt").write_text("", encoding="utf-8")
    paths.LEADERBOARD.write_text("edited", encoding="utf-8")
    paths.BEST.unlink()
    origin = provenance.of(revision.at(None))
    assert origin["commit"] == subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()
    assert origin["subject"] == "Results"
    assert [change.split()[-1] for change in origin["changes"]] == [str(paths.BEST), str(paths.LEADERBOARD), "new.txt"]
    state = {row["path"]: row["here"] for row in provenance.outputs(revision.at(None))}
    assert state.pop(str(paths.BEST)) == "not here"
    assert state.pop(str(paths.LEADERBOARD)) == "differs"
    assert state.pop(str(paths.RECEIPT)) == "not here"  # the copy of the repository has no store
    assert set(state.values()) == {"as in dvc.lock"}


@pytest.mark.usefixtures("here")
def test_a_commit_has_no_changes() -> None:
    assert provenance.of(revision.at("HEAD"))["changes"] is None
    assert "here" not in provenance.outputs(revision.at("HEAD"))[0]


def test_no_name_ends_the_script_that_it_stands_in() -> None:
    content = {"name": "</script><script>alert(1)</script>", "other": "<!-- & \u2028 é"}
    text = page_data.embedded(content)
    assert not set("<>&") & set(text)
    assert json.loads(text) == content


@pytest.mark.usefixtures("here")
def test_what_can_not_be_shown_is_refused() -> None:
    with pytest.raises(PipelineError, match="HEAD: there is nothing to see side by side"):
        gather("HEAD", "HEAD")
    for model in ("plain", "weak"):
        paths.metrics(model).unlink()
    with pytest.raises(PipelineError, match=r"working tree: no model of its params\.yaml has results .*make repro"):
        gather()


def test_what_json_has_no_number_for_is_null() -> None:
    assert page_data.embedded({"a": [1.5, float("inf")], "b": float("nan")}) == '{"a":[1.5,null],"b":null}'


@pytest.mark.usefixtures("here")
def test_a_history_with_an_infinite_loss_is_shown(tmp_path: Path) -> None:
    path = paths.history("plain")
    table = pd.read_csv(path)
    table.loc[0, "batch_loss"] = float("inf")
    path.unlink()
    write_csv(path, table)
    page = page_data.write([revision.at(None)], tmp_path / "report").read_text(encoding="utf-8")
    assert page.count('"batch_loss":null') == 1


@pytest.mark.usefixtures("here")
def test_a_model_without_predictions_is_named_and_the_others_are_shown() -> None:
    (paths.test("plain") / "predictions.csv").unlink()
    [side] = gather()["sides"]
    assert list(side["metrics"]) == ["plain", "weak"]
    assert list(side["confusion"]) == list(side["mistakes"]) == ["weak"]
    assert side["refusals"]["plain"].startswith("working tree: has no results/test/plain/predictions.csv")
    assert gather("HEAD", None)["comparison"]["rows"][0]["refusal"] == side["refusals"]["plain"]


@pytest.mark.usefixtures("here")
def test_an_earlier_report_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "pages" / "report"
    page_data.write([revision.at(None)], folder)
    (folder / "left.txt").touch()
    page_data.write([revision.at(None)], folder)
    assert not (folder / "left.txt").exists()
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("kind", ["folder", "page", "file", "link"])
def test_what_is_no_report_is_not_deleted(kind: str, tmp_path: Path) -> None:
    folder, own = tmp_path / "report", tmp_path / "own"
    own.mkdir()
    (own / "index.html" if kind == "page" else own / "thesis.txt").write_text("mine", encoding="utf-8")
    if kind == "link":
        folder.symlink_to(own)
    else:
        (own / "thesis.txt" if kind == "file" else own).rename(folder)
    with pytest.raises(PipelineError, match="report: expected a folder that `mnist report` wrote"):
        page_data.write([revision.at(None)], folder)
    assert b"mine" in [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
