"""Hold a fresh run against what is committed: every hash on a machine like the recorded one, else the metrics.

Changes nothing. Run: make verify-lock
"""

import json
import subprocess
import sys
from pathlib import Path

from mnist_pipeline import machine, recording
from mnist_pipeline.files import read_json

TOLERANCE = 0.005  # of test and validation accuracy, as the README promises it
RESULTS = ["dvc.lock", "metrics", "results"]


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def compare_hashes() -> list[str]:
    changed = git("status", "--porcelain", "--untracked-files=no", "--", *RESULTS).splitlines()
    return [f"{line}: differs from what is committed" for line in changed]


def compare_metrics() -> list[str]:
    complaints = []
    for path in sorted(Path("metrics/models").glob("*.json")):
        if not git("ls-tree", "HEAD", str(path)):
            complaints.append(f"{path}: not committed yet")
            continue
        committed, found = json.loads(git("show", f"HEAD:{path}")), read_json(path)
        for key in ("test_accuracy", "validation_accuracy"):
            print(f"{path.stem:16} {key:20} committed {committed[key]:.4f}, here {found[key]:.4f}")
            if abs(committed[key] - found[key]) > TOLERANCE:
                complaints.append(f"{path}: {key}: {found[key]} is not within {TOLERANCE} of {committed[key]}")
    return complaints


def main() -> None:
    alike = recording.is_this_machine()
    print(f"this machine: {machine.describe()}")
    print("like the recorded one: every hash has to agree" if alike else "not the recorded one: metrics are compared")
    complaints = compare_hashes() if alike else compare_metrics()
    sys.exit("\n".join(complaints) or None)


if __name__ == "__main__":
    main()
