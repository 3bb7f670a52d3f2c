"""benchmarks/results.md: a part that runs again replaces its own section and no other; a verdict says what it means."""

import re
from pathlib import Path

import pytest
from benchmarks import report

from mnist_pipeline.exact import products
from tests.repository import ROOT, Repository

TITLES = {"one": "First", "two": "Second"}


def test_a_part_replaces_its_own_section_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Repository(tmp_path).run("git", "init", "--quiet")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "benchmarks").mkdir()
    Repository(tmp_path).run("git", "commit", "--quiet", "--allow-empty", "--message", "Nothing yet")
    for part, text in (("two", "2"), ("one", "old"), ("one", "new")):
        report.write(TITLES, part, text, seconds=90)
    written = report.RESULTS.read_text(encoding="utf-8")
    assert [line for line in written.splitlines() if line.startswith("#")] == [
        "# Speed, as ratios",
        "## First",
        "## Second",
    ]
    assert "new" in written
    assert "old" not in written
    assert re.findall("Measured by `(.*)` in 1.5 min at commit ", written) == ["make bench-one", "make bench-two"]


@pytest.mark.parametrize(
    ("value", "limits", "start"),
    [
        (1.5, {"at_least": 1.5}, "- met: x 1.5 (target: at least 1.5)"),
        (1.49, {"at_least": 1.5}, "- **NOT met**: x 1.49 (target: at least 1.5)"),
        (1.1, {"at_most": 1.1}, "- met: x 1.1 (target: at most 1.1)"),
        (1.2, {"at_most": 1.1}, "- **NOT met**: x 1.2 (target: at most 1.1)"),
    ],
)
def test_a_verdict_says_whether_the_figure_meets_its_target(value: float, limits: dict[str, float], start: str) -> None:
    assert report.verdict("x", value, **limits) == start


def test_the_readme_shows_what_portable_arithmetic_costs() -> None:
    written = (ROOT / report.RESULTS).read_text(encoding="utf-8")
    section = written.partition("\n## Portable arithmetic\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    assert len(rows) > 2
    assert "\n".join(rows) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_page_on_exact_arithmetic_adds_up() -> None:
    page = (ROOT / "docs" / "exact.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.partition("| layer | sum |")[2].partition("\n\n")[0].splitlines()[2:]]
    assert len(rows) == 11
    for _, _, what, terms, _, operands, bits, _ in rows:
        longest = sum(map(int, re.findall(r"\d+", operands))) + products.digits(int(terms.replace(",", "")))
        assert longest == int(bits) <= products.DOUBLE, what
