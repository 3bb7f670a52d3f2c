"""What is called of DVC beyond its public interface takes what it took when it was read."""

import ast
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from dvc.config import Config
from dvc.dirs import site_cache_dir
from dvc.dvcfile import Lockfile
from dvc.lock import make_lock
from dvc.output import Output
from dvc.repo import Repo
from dvc.repo.index import Index
from dvc.repo.reproduce import plan_repro
from dvc.rwlock import _acquire_write, _check_blockers, _edit_rwlock, _release_write
from dvc.stage import PipelineStage
from dvc.stage.cache import StageCache, _can_hash, _get_cache_hash, _get_stage_hash
from dvc.stage.run import _make_cmd, get_executable, prepare_kwargs
from dvc.stage.serialize import to_single_stage_lockfile
from dvc.utils.serialize import parse_yaml
from dvc.utils.serialize._yaml import _dump
from dvc_data.hashfile.db import HashFileDB
from dvc_objects.fs.base import FileSystem

from tests.repository import ROOT

TAKEN: dict[Callable[..., Any], str] = {
    Repo: "root_dir=None, fs=None, rev=None, subrepos=False, uninitialized=False, config=None, url=None, "
    "repo_factory=None, scm=None, remote=None, remote_config=None, _wait_for_lock=False",
    Config: "dvc_dir=None, local_dvc_dir=None, validate=True, fs=None, config=None, remote=None, remote_config=None",
    Index: "repo, stages=None, metrics=None, plots=None, params=None, artifacts=None, "
    "datasets=None, datasets_lock=None",
    Index.from_file: "repo, path",
    plan_repro: "graph, stages=None, pipeline=False, downstream=False",
    PipelineStage.changed: "self, allow_missing=False, upstream=None",
    PipelineStage.changed_stage: "self",
    PipelineStage.deps_cached: "self",
    PipelineStage.remove_outs: "self, ignore_remove=False, force=False",
    PipelineStage.save_deps: "self, allow_missing=False",
    PipelineStage.save: "self, allow_missing=False, run_cache=True",
    PipelineStage.commit: "self, allow_missing=False, filter_info=None, **kwargs",
    Output.changed_cache: "self, filter_info=None",
    Output.get_obj: "self, filter_info=None, **kwargs",
    HashFileDB.oid_to_path: "self, oid",
    PipelineStage.outs_cached: "self",
    PipelineStage.checkout: "self, allow_missing=False, **kwargs",
    StageCache: "repo",
    StageCache._load_cache: "self, key, value",
    StageCache._create_stage: "self, cache, wdir=None",
    StageCache._get_cache_dir: "self, key",
    StageCache._get_cache_path: "self, key, value",
    _can_hash: "stage",
    _get_cache_hash: "cache, key=False",
    _get_stage_hash: "stage",
    to_single_stage_lockfile: "stage, **kwargs",
    FileSystem.overlaps: "left, right",
    Lockfile: "repo, path, verify=True, **kwargs",
    Lockfile.dump_stages: "self, stages, **kwargs",
    make_lock: "lockfile, tmp_dir=None, friendly=False, hardlink_lock=False, wait=False",
    _edit_rwlock: "lock_dir, fs, hardlink",
    _check_blockers: "tmp_dir, lock, info, mode, waiters",
    _acquire_write: "lock, info, paths",
    _release_write: "lock, info, changes",
    _make_cmd: "executable, cmd",
    site_cache_dir: "config_site_cache_dir=None",
    get_executable: "",
    prepare_kwargs: "stage, run_env=None",
    parse_yaml: "text, path, typ='safe'",
    _dump: "data, stream",
}


@pytest.mark.parametrize("function", TAKEN, ids=lambda function: function.__qualname__)
def test_a_function_of_dvcs_takes_what_it_took(function: Callable[..., Any]) -> None:
    parameters = inspect.signature(function).parameters.values()
    bare = [str(parameter.replace(annotation=inspect.Parameter.empty)) for parameter in parameters]
    assert ", ".join(bare) == TAKEN[function]


def test_every_function_that_is_imported_from_dvc_is_among_them() -> None:
    """Classes too, save exceptions; their methods are listed by hand."""
    trees = [
        ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "src/mnist_pipeline/pipeline").glob("*.py")
    ]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported = {alias.name for node in nodes if str(node.module).startswith("dvc.") for alias in node.names}
    callables = {name for name in imported if not name.isupper() and not name.endswith(("Error", "Exception"))}
    assert callables <= {function.__qualname__ for function in TAKEN}
