"""`mnist repro` killed with SIGKILL, again and again, at any moment: the next one ends as if nothing had happened."""

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.faults import killed, whole
from tests.faults.conftest import Write
from tests.repository import Repository

pytestmark = pytest.mark.faults
IN_A_ROW = 5
WAYS = ("with its group", "alone")
TEXT = """\
`mnist repro` of a small pipeline (two models, eight stages) ended by SIGKILL, up to five times in a row in one
repository, half of them from nothing and half where only `publish` was to do; then `mnist repro` once. Half of the
moments lie within 0.4 s behind the end of a stage's command, when DVC hashes, caches and writes dvc.lock. Seed 0.
Afterwards: no process of the repository runs on, dvc.lock and every output are as undisturbed, bytewise, every
file of DVC's cache what its name promises, in MLflow one run, one model and one version for each content with
all files, and the right champion."""


def test_killed_at_random_moments(built: Path, tmp_path: Path, full: bool, record: Write) -> None:
    wanted, chance = 50 if full else 2, random.Random(0)  # noqa: S311
    counts: Counter[str] = Counter()
    longest = 0.0
    while counts["killed"] < wanted:
        place = _start(built, tmp_path / f"round{counts['rounds']}", from_nothing=counts["rounds"] % 2 == 0)
        killed_now, seconds = _kill_in_a_row(place, min(IN_A_ROW, wanted - counts["killed"]), counts["killed"], chance)
        counts, longest = counts + killed_now, max(longest, seconds)
        place.run("mnist", "repro")
        whole.assert_built(place, Repository(built))
        whole.assert_published(place, Repository(built))
        counts["rounds"] += 1
        shutil.rmtree(place.path)
    row = {
        "killed": counts["killed"],
        **{name: counts[name] for name in WAYS},
        "then run and compared": counts["rounds"],
    }
    record("Killed: mnist repro", TEXT, [row | {"all ended after, at most": f"{longest:.1f} s"}])


def _start(built: Path, target: Path, from_nothing: bool) -> Repository:
    """A repository in which no stage ran yet, or all but `publish`."""
    if not from_nothing:
        ignored = shutil.ignore_patterns(".mlflow", "output.txt", "tmp")
        return Repository(Path(shutil.copytree(built, target, ignore=ignored)))
    fresh = Repository(built).clone(target)
    fresh.run("git", "checkout", "--quiet", "HEAD~1")
    return fresh


def _kill_in_a_row(place: Repository, most: int, before: int, chance: random.Random) -> tuple[Counter[str], float]:
    """Kill it as often; the whole group and the parent alone by turns. It may come to its end in between."""
    counts: Counter[str] = Counter()
    longest = 0.0
    for number in range(before, before + most):
        when = killed.moment(chance, group=number % 2 == 0)
        if not killed.run_and_kill(place, ["mnist", "repro"], when):
            break
        longest = max(longest, killed.seconds_until_all_ended(place.path))
        counts["killed"] += 1
        counts[WAYS[0] if when.group else WAYS[1]] += 1
    return counts, longest
