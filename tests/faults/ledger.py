"""results.md: what was broken, how often, and what came of it; a section a fault."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.md")
INTRODUCTION = """# What was broken, and what came of it

Written by `make test-faults`; `.ci/run` does the same with smaller counts.
"""
Rows = Sequence[dict[str, Any]]


def write(title: str, text: str) -> None:
    """Put one section into the file, by title; the others stay as they are."""
    sections = _sections() | {title: f"{text}\n\nRun at commit {_commit()}."}
    body = "".join(f"\n## {name}\n\n{sections[name].strip()}\n" for name in sorted(sections))
    RESULTS.write_text(f"{INTRODUCTION}{body}", encoding="utf-8")


def _sections() -> dict[str, str]:
    if not RESULTS.exists():
        return {}
    parts = RESULTS.read_text(encoding="utf-8").split("\n## ")[1:]
    return {title: text for title, _, text in (part.partition("\n") for part in parts)}


def _commit() -> str:
    asked = ("git", "describe", "--always", "--dirty= with changes", "--exclude=*")
    done = subprocess.run(asked, cwd=RESULTS.parent, capture_output=True, text=True, check=True)
    return done.stdout.strip()
