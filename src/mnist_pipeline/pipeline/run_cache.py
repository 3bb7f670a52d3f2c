"""DVC's run cache and cache: what is taken from there is looked at first, and what is put there is on the disk."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.stage.cache import StageCache, _can_hash, _get_cache_hash, _get_stage_hash
from dvc.stage.serialize import to_single_stage_lockfile
from dvc_data.hashfile.hash import file_md5

from mnist_pipeline.core import files
from mnist_pipeline.core.errors import FULL, PROTECTED

ENTRY = "[0-9a-f]" * 64  # as DVC calls an entry of the run cache


class RunCache(StageCache):  # type: ignore[misc]
    """DVC's own believes each file that is read-only, takes the newest one for an entry, and never syncs."""

    def __init__(self, repo: Any, say: Callable[[str], None]) -> None:
        super().__init__(repo)
        self.say = say

    def _load_cache(self, key: str, value: str) -> Any:
        """An entry, or nothing if it is not the one that its name promises; what has such a name is then deleted."""
        path = Path(self._get_cache_path(key, value))
        if not path.exists():
            return None
        with suppress(DvcException, RecursionError, TypeError, ValueError):  # of YAML that DVC did not write
            entry = super()._load_cache(key, value)
            if entry and _get_cache_hash(entry) == value:
                return entry
        path.unlink(missing_ok=True)
        self.say(f"{path}: damaged, so it was deleted from DVC's run cache")
        return None

    def _create_stage(self, cache: Any, wdir: str | None = None) -> Any:
        """The stage of an entry, with outputs that are whole in DVC's cache or missing there."""
        stage = super()._create_stage(cache, wdir)
        self.drop_damaged(stage)
        return stage

    def bring_back(self, stage: Any, is_usable: Callable[[], bool]) -> bool:
        """Put outputs that `is_usable` accepts in the place of a stage's own, or remove these; says whether it did."""
        stage.remove_outs()
        for entry in self._runs(stage):
            run = self._create_stage(entry, stage.wdir)
            if run.outs_cached():
                run.checkout()
                if is_usable():
                    return True
                stage.remove_outs()
        return False

    def _runs(self, stage: Any) -> Iterator[Any]:
        """First what dvc.lock names, if it has the inputs as they are, then each run of them, the newest first."""
        booked = all(out.hash_info for out in stage.outs)
        if booked and _can_hash(stage) and not stage.changed_stage() and stage.deps_cached():
            yield to_single_stage_lockfile(stage)  # DVC stops here, but one from Git may be of another arithmetic
        stage.save_deps()
        yield from filter(None, (self._load_cache(path.parent.name, path.name) for path in self._entries(stage)))

    def keep(self, stage: Any) -> None:
        """As DVC does after a command, and on the disk; what did not get into its cache, DVC would only log."""
        uncached = any(not out.use_cache and not out.is_metric and not out.is_plot for out in stage.outs)
        stage.save(run_cache=not uncached)
        self.drop_damaged(stage)
        stage.commit()
        missing = [str(out) for out in stage.outs if out.use_cache and out.changed_cache()]
        if missing:
            where = f"{', '.join(missing)}: not whole in DVC's cache {self.repo.cache.local.path}"
            raise DvcException(f"{where} (DVC says why); {FULL}, or {PROTECTED}, then run this again")
        self._sync(stage)

    def drop_damaged(self, stage: Any, suffix: str = "") -> None:
        """Hash what DVC's cache holds of the outputs, or those with a suffix; delete what is not what its name says."""
        for path in (path for path in _objects(stage) if path.name.endswith(suffix)):
            if not path.exists() or file_md5(str(path)) != path.parent.name + path.stem:
                path.unlink()
                self.say(f"{path}: damaged, so it was deleted from DVC's cache")

    def _sync(self, stage: Any) -> None:
        """All that dvc.lock and the run cache name of the outputs is on the disk when this returns."""
        cached = {*_objects(stage), *self._entries(stage)}
        outputs = {path for out in stage.outs for path in (Path(out.fs_path), *Path(out.fs_path).rglob("*"))}
        root = Path(self.repo.root_dir)
        folders = {folder for path in cached for folder in path.parents[:3]}  # the cache may lie elsewhere
        folders |= {one for path in cached | outputs for one in path.parents if one.is_relative_to(root)}
        for path in filter(Path.exists, cached | outputs | folders):
            files.sync(path)

    def _entries(self, stage: Any) -> list[Path]:
        """What the run cache has for a stage's inputs, the newest first; other files may lie there, as .DS_Store."""
        entries = Path(self._get_cache_dir(_get_stage_hash(stage))).glob(ENTRY) if _can_hash(stage) else []
        return sorted(entries, key=lambda entry: entry.stat().st_mtime, reverse=True)


def _objects(stage: Any) -> Iterator[Path]:
    """What of the outputs is in DVC's cache, also as a dangling link; of a folder the list comes first."""
    for out in (out for out in stage.outs if out.hash_info and out.is_in_repo):
        path = Path(out.cache.oid_to_path(out.hash_info.value))
        if os.path.lexists(path):
            yield path
        if out.hash_info.isdir and (tree := out.get_obj()):
            inside = [Path(out.cache.oid_to_path(info.value)) for _, _, info in tree]
            yield from filter(os.path.lexists, inside)
