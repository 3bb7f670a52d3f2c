"""benchmarks/results.md: a section a part, with its command, and the machine and commit that it was measured at."""

import os
from pathlib import Path

from mnist_pipeline.arithmetic import machine
from mnist_pipeline.commits import git

RESULTS = Path("benchmarks/results.md")
INTRODUCTION = """# Speed, as ratios

Written by `make bench`, which is meant to run alone on the machine; where something ran beside it, the section says so.
Both sides of a ratio of trainings or test passes run in turns, in one process, on one thread.
"""


def verdict(name: str, value: float, *, at_least: float | None = None, at_most: float | None = None) -> str:
    """A line that says whether a figure meets its target."""
    met = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    target = f"at least {at_least:g}" if at_least is not None else f"at most {at_most:g}"
    return f"- {'met' if met else '**NOT met**'}: {name} {value:.4g} (target: {target})"


def write(titles: dict[str, str], part: str, text: str, seconds: float) -> None:
    """Put a part's section into the file, in the order of `titles`; the others stay, and notes below its last line."""
    found = RESULTS.read_text(encoding="utf-8").split("\n## ")[1:] if RESULTS.exists() else []
    sections = dict(section.split("\n", 1) for section in found)
    notes = sections.get(titles[part], "").partition("\nMeasured by ")[2].partition("\n\n")[2]
    sections[titles[part]] = f"{text}\n\n{_origin(part, seconds)}\n\n{notes}"
    body = "".join(f"\n## {name}\n\n{sections[name].strip()}\n" for name in titles.values() if name in sections)
    RESULTS.write_text(f"{INTRODUCTION}{body}", encoding="utf-8")


def _origin(part: str, seconds: float) -> str:
    here = ", ".join(f"{name} {value}" for name, value in machine.describe().items())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    changed = git.ask("status", "--porcelain", "--", "src", "stages", "benchmarks/*.py", "params.yaml")
    commit = git.ask("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")
    return (
        f"Measured by `make bench-{part}` in {seconds / 60:.1f} min at commit {commit}, on {os.cpu_count()} cores, "
        f"{memory:.0f} GiB: {here}."
    )
