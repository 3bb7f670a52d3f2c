"""Whether a repository that something was done to holds what an undisturbed one holds, and nothing half-written."""

import hashlib
import subprocess
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

from tests.repository import Repository

BUILT = ("data/raw", "data/idx", "metrics", "models", "results")
NAMES_THE_RUN = ("MLmodel", "SHA256SUMS")  # ids and times of its own, and sums over them


def assert_built(found: Repository, undisturbed: Repository) -> None:
    """The same dvc.lock and the same outputs, bytewise, no file more; DVC's cache holds what its names promise."""
    assert found.lock() == undisturbed.lock()
    ours, theirs = _outputs(found.path), _outputs(undisturbed.path)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []
    assert [str(path) for path in found.path.glob(".resume/*")] == []
    damaged = [path for path in found.path.glob(".dvc/cache/files/md5/??/[!.]*") if not _is_what_it_is_called(path)]
    assert damaged == []


def assert_published(found: Repository, undisturbed: Repository) -> None:
    """Each content has one finished run, one model and one version, with all its files; the champion is the best."""
    assert found.published() == undisturbed.published()
    assert found.champion() == undisturbed.champion()
    assert _contents(found) == _contents(undisturbed)
    assert _artifacts(found) == _artifacts(undisturbed)


def _outputs(root: Path) -> dict[str, bytes]:
    files = [path for part in BUILT for path in (root / part).rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def _is_what_it_is_called(cached: Path) -> bool:
    digest = hashlib.md5(cached.read_bytes(), usedforsecurity=False).hexdigest()
    return digest == cached.parent.name + cached.name.removesuffix(".dir")


def _contents(repository: Repository) -> list[tuple[str, ...]]:
    """The content of each run and of each version."""
    runs = "SELECT 'run', t.value FROM tags t JOIN runs r USING (run_uuid) WHERE r.lifecycle_stage = 'active'"
    versions = (
        "SELECT 'version', t.value FROM model_version_tags t JOIN model_versions v USING (name, version)"
        " WHERE v.current_stage != 'Deleted_Internal'"
    )
    return sorted(row for part in (runs, versions) for row in repository.query(f"{part} AND t.key = 'content'"))


def _artifacts(repository: Repository) -> list[tuple[str, str]]:
    """Every file of the runs and of the logged models that are not deleted: its name, and a digest."""
    places = repository.query(
        "SELECT artifact_uri FROM runs WHERE lifecycle_stage = 'active' UNION ALL "
        "SELECT artifact_location FROM logged_models WHERE lifecycle_stage = 'active'"
    )
    folders = [Path(urlsplit(place).path) for (place,) in places]
    for sums in (path for folder in folders for path in folder.glob("SHA256SUMS")):
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", sums.name], cwd=sums.parent, check=True)
    files = [(folder, path) for folder in folders for path in folder.rglob("*") if path.is_file()]
    return sorted(
        (str(path.relative_to(folder)), _digest(path)) for folder, path in files if path.name not in NAMES_THE_RUN
    )


def _digest(path: Path) -> str:
    """Of a model in pt2 the checksums of its weights alone: beside them it names where it was written."""
    if path.suffix != ".pt2":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with zipfile.ZipFile(path) as parts:
        assert parts.testzip() is None
        return str(sorted(part.CRC for part in parts.infolist() if "/weights/" in part.filename))
