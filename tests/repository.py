"""A small repository of this project, for tests that run the real DVC and the real MLflow in it."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mnist_pipeline.commits import lockfile
from mnist_pipeline.core import files
from tests import forkserver

ROOT = Path(__file__).resolve().parents[1]
PARTS = (
    "src",
    "stages",
    "dvc.yaml",
    "versions.json",
    ".dvc/config",
    ".dvc/plots",
    ".dvcignore",
    ".gitignore",
    *(str(path.relative_to(ROOT)) for path in ROOT.glob("data/archive/*/README.md")),
)
STUDY = (
    "studies/measure.py",
    "studies/table.py",
    "studies/train.py",
    "studies/published/dvc.yaml",
    "studies/published/.gitignore",
)
ALIEN = ("MLFLOW_", "RAY_", "DVC_", "GIT_", "PYTHONPATH", "PYTEST_", "MAKE", "MFLAGS", forkserver.SHARED)


def environment(**changes: str) -> dict[str, str]:
    """This process's environment with the packages on the PATH and without what would lead a run astray."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ALIEN)}
    identity = {
        f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    here = {"PATH": path, "PYTHONPATH": str(ROOT / "src"), "GIT_CONFIG_GLOBAL": os.devnull}
    return kept | identity | here | changes


AT_FIRST = environment()


@cache
def _forks() -> str:
    return forkserver.start(AT_FIRST)


def quick_environment(**changes: str) -> dict[str, str]:
    """The same with `mnist`, `dvc` and `python3` that start at once, as forks of a server; see tests.forkserver."""
    variables = environment(**changes)
    return variables | {"PATH": f"{_forks()}{os.pathsep}{variables['PATH']}"}


@dataclass(frozen=True)
class Repository:
    """A folder with the project's code, its own params.yaml, and a git history.

    `real`: it runs the programs that users run; else `mnist`, `dvc` and the stages are forks, which start at once.
    """

    path: Path
    real: bool = False

    def run(self, *command: str, code: int = 0, **changes: str) -> str:
        """Run a command in the repository; returns what it printed. The exit code has to be as given."""
        variables = environment(**changes) if self.real else quick_environment(**changes)
        done = subprocess.run(
            command, cwd=self.path, env=variables, capture_output=True, text=True, check=False, timeout=300
        )
        output = done.stdout + done.stderr
        assert done.returncode == code, f"{command} ended with {done.returncode}:\n{output}"
        return output

    def repro(self, code: int = 0, **changes: str) -> dict[str, str]:
        """`mnist repro`; returns how each stage went: ran, unchanged, restored or failed."""
        output = self.run("mnist", "repro", code=code, **changes)
        return outcomes(output)

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def clone(self, target: Path) -> "Repository":
        self.run("git", "clone", "--quiet", str(self.path), str(target))
        return Repository(target)

    def params(self) -> Any:
        return YAML(typ="safe").load(self.path / "params.yaml")

    def write_params(self, content: Any) -> None:
        YAML().dump(content, self.path / "params.yaml")

    def lock(self) -> bytes:
        return (self.path / "dvc.lock").read_bytes()

    def status(self) -> str:
        """Tracked and untracked changes, as git sees them."""
        return self.run("git", "status", "--porcelain")

    def edit(self, name: str, **changes: Any) -> None:
        """Change a JSON file, and dvc.lock so that it describes the changed file."""
        path = self.path / name
        output = path.parent if name.startswith("models/") else path
        before = lockfile.md5(output)
        path.chmod(0o644)
        files.write_json(path, files.read_json(path) | changes)
        lock = self.path / "dvc.lock"
        lock.write_text(lock.read_text(encoding="utf-8").replace(before, lockfile.md5(output)), encoding="utf-8")

    def query(self, question: str) -> list[Any]:
        """Ask the repository's own MLflow store."""
        with closing(sqlite3.connect(self.path / ".mlflow" / "mlflow.db")) as store, store:
            return store.execute(question).fetchall()

    def published(self) -> dict[str, int]:
        """How many finished runs, ready logged models and registered versions there are."""
        return {
            "runs": self._count("runs WHERE status = 'FINISHED' AND lifecycle_stage = 'active'"),
            "unfinished": self._count("runs WHERE status != 'FINISHED' AND lifecycle_stage = 'active'"),
            "models": self._count("logged_models WHERE status = 2 AND lifecycle_stage = 'active'"),
            "versions": self._count("model_versions WHERE current_stage != 'Deleted_Internal'"),
        }

    def _count(self, what: str) -> int:
        return int(self.query(f"SELECT count(*) FROM {what}")[0][0])  # noqa: S608

    def champion(self) -> str:
        """The architecture of the version that bears the alias."""
        tag = "SELECT t.value FROM model_version_tags t JOIN registered_model_aliases a ON t.version = a.version"
        return str(self.query(f"{tag} WHERE a.alias = 'champion' AND t.key = 'model'")[0][0])


def outcomes(output: str) -> dict[str, str]:
    """What `mnist repro` printed of each stage: its name, and how it went."""
    return dict(re.findall(r"^(\S+) +(ran|unchanged|restored|failed)\b", output, flags=re.MULTILINE))


def create(path: Path, params: Any, parts: tuple[str, ...] = PARTS) -> Repository:
    """A repository with these parts of the working tree's code and these params, committed."""
    for part in parts:
        source, target = ROOT / part, path / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    (path / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n", encoding="utf-8")
    repository = Repository(path)
    repository.write_params(params)
    repository.run("git", "init", "--quiet", "--initial-branch", "main")
    repository.commit("Code and params")
    return repository
