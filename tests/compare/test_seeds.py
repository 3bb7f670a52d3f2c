"""Means, deviations and the paired comparison, by hand; and the README's table against what was recorded."""

import math
from pathlib import Path

import pandas as pd
import pytest

from mnist_pipeline.compare import seeds
from mnist_pipeline.core import tables
from mnist_pipeline.core.files import read_json
from tests.repository import ROOT


def results(**models: list[tuple[float, float]]) -> pd.DataFrame:
    """Test and validation accuracy of each model under the seeds 1, 2, …"""
    rows = [
        {"seed": seed, "model": model, "test_accuracy": test, "validation_accuracy": validation}
        for model, found in models.items()
        for seed, (test, validation) in enumerate(found, start=1)
    ]
    return pd.DataFrame(rows)


THREE = results(chosen=[(0.90, 0.95), (0.92, 0.95), (0.94, 0.95)], other=[(0.93, 0.90), (0.93, 0.91), (0.96, 0.92)])


def test_means_and_deviations_are_those_by_hand() -> None:
    table = seeds.summary(THREE)
    assert list(table.index) == ["other", "chosen"]  # by accuracy on the test images
    assert list(table["best"]) == [False, True]  # by accuracy on the validation images
    assert table.loc["chosen", "test_accuracy_mean"] == pytest.approx(0.92)
    assert table.loc["chosen", "test_accuracy_sd"] == pytest.approx(0.02)
    assert table.loc["other", "test_accuracy_sd"] == pytest.approx(math.sqrt(0.0003))
    assert tuple(table.loc["other", ["validation_accuracy_low", "validation_accuracy_high"]]) == (0.90, 0.92)


def test_models_are_compared_seed_by_seed() -> None:
    """The differences are 3, 1 and 2 points: t is 2 √3, and with two degrees of freedom p is 1 - t / √(2 + t²)."""
    row = seeds.summary(THREE).loc["other"]
    assert row["difference"] == pytest.approx(0.02)
    assert row["difference_sd"] == pytest.approx(0.01)
    assert row["difference_se"] == pytest.approx(0.01 / math.sqrt(3))
    assert row["p"] == pytest.approx(1 - math.sqrt(12 / 14))
    assert (row["seeds"], row["wins"]) == (3, 3)


def test_p_is_corrected_for_how_many_models_are_held_against_the_best() -> None:
    """A third model is as far behind as the second is ahead, so both have the same p: each counts twice."""
    more = pd.concat([THREE, results(behind=[(0.87, 0.90), (0.91, 0.90), (0.92, 0.90)])])
    table = seeds.summary(more).loc[["other", "behind"]]
    assert list(table["p"]) == pytest.approx([1 - math.sqrt(12 / 14)] * 2)
    assert list(table["p_corrected"]) == pytest.approx(list(2 * table["p"]))
    shown = seeds.table(more, "1234567", tables.markdown)
    assert [row[5] for row in rows(shown)] == ["0.148", "–", "0.148"]
    assert "corrected for the number of models (Holm)" in shown


def test_the_same_seeds_are_paired_in_whatever_order_they_come() -> None:
    pd.testing.assert_frame_equal(
        seeds.summary(THREE.iloc[[3, 2, 1, 0, 5, 4]]).sort_index(), seeds.summary(THREE).sort_index()
    )


def test_one_seed_and_equal_models_have_no_p() -> None:
    alone = seeds.summary(results(chosen=[(0.9, 0.95)], other=[(0.8, 0.9)])).loc["other"]
    assert alone["difference"] == pytest.approx(-0.1)
    assert alone[["test_accuracy_sd", "difference_sd", "p"]].isna().all()
    same = seeds.summary(results(chosen=[(0.9, 0.95), (0.7, 0.95)], other=[(0.9, 0.9), (0.7, 0.9)])).loc["other"]
    assert (same["difference"], same["wins"]) == (0, 0)
    assert pd.isna(same["p"])


def rows(markdown: str) -> list[list[str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def test_the_table_is_in_percent() -> None:
    assert rows(seeds.table(THREE, "1234567", tables.markdown)) == [
        ["other", "94.00% ± 1.73", "93.00% – 96.00%", "91.00% ± 1.00", "+2.00 ± 0.58", "0.074", "3 of 3"],
        ["**chosen**", "92.00% ± 2.00", "90.00% – 94.00%", "95.00% ± 0.00", "–", "–", "–"],
    ]
    alone = seeds.table(results(chosen=[(0.9, 0.95)], other=[(0.8, 0.9)]), "1234567", tables.markdown)
    assert rows(alone)[1] == ["other", "80.00%", "80.00% – 80.00%", "90.00%", "−10.00", "–", "0 of 1"]
    assert "over the seeds 1 at commit 1234567" in alone


def test_a_record_holds_the_results_and_the_commit(tmp_path: Path) -> None:
    seeds.record(THREE, "1234567", tmp_path / "seeds.json")
    content = read_json(tmp_path / "seeds.json")
    pd.testing.assert_frame_equal(pd.DataFrame(content["results"]), THREE)
    assert content["commit"] == "1234567"


def test_the_readme_shows_what_was_recorded() -> None:
    board = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Leaderboard\n")[2].partition("\n## ")[0]
    content = read_json(ROOT / "docs/seeds.json")
    assert seeds.table(pd.DataFrame(content["results"]), content["commit"], tables.markdown) in board
