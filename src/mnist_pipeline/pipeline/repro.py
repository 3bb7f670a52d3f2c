"""DVC's pipeline, run side by side: what `dvc repro` would do, with the same dvc.lock, byte for byte.

DVC decides what has to run, restores, hashes and books; only the commands of independent stages run at the same time.
This module alone imports dvc. It leans on parts of DVC that are not its public interface, so the version is pinned and
a test holds the lock file of both ways against each other.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.lock import LockError, make_lock
from dvc.repo import Repo
from dvc.repo.reproduce import plan_repro
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK, rwlock
from dvc.stage.cache import RunCacheNotFoundError
from dvc.stage.run import _make_cmd, get_executable, prepare_kwargs

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import FULL, PROTECTED, PipelineError, refusal
from mnist_pipeline.pipeline import leftovers
from mnist_pipeline.pipeline.booking import Booking
from mnist_pipeline.pipeline.commands import Commands, Ran
from mnist_pipeline.pipeline.scheduler import Scheduler, Work

NOTE = "note: "  # begins what a stage wants to be read, though it went well


def repro(jobs: int, expected_seconds: dict[str, float], usable: Callable[[str], bool]) -> dict[str, float]:
    """Bring the pipeline of this folder up to date; returns the core-seconds of each stage that ran.

    `usable` says of a stage that was restored from the run cache whether its outputs are good here. Prints one line a
    stage, its notes, and the output of a stage that failed. Raises PipelineError when one did.
    """
    logging.getLogger("dvc").setLevel(logging.WARNING)
    try:
        with Repo() as repo:
            pipeline = Pipeline(repo, usable)
            with pipeline.commands.stopping(), pipeline.unlocking():
                undone = Scheduler(pipeline.needs, expected_seconds).run(pipeline, jobs)
    except DvcException as error:
        raise PipelineError(f"DVC: {_one_line(error)}") from error
    if undone:
        skipped = [name for name in undone if name not in pipeline.failed]
        after = f"; not run: {', '.join(skipped)}" if skipped else ""
        raise PipelineError(f"{', '.join(pipeline.failed)} failed (see above){after}")
    return pipeline.core_seconds


class Pipeline(Work[Ran]):
    """The stages of one repository, for the scheduler."""

    def __init__(self, repo: Repo, usable: Callable[[str], bool]) -> None:
        self.repo, self.usable = repo, usable
        temporary = Path(repo.tmp_dir)
        with make_lock(str(temporary / RWLOCK_LOCK), repo.tmp_dir):
            leftovers.mend_rwlock(temporary / RWLOCK_FILE)
        with repo.lock:
            leftovers.remove_empty_runs(Path(repo.stage_cache.cache_dir))
            graph = repo.index.graph
            stages = [stage for stage in plan_repro(graph) if stage.relpath == "dvc.yaml"]
            self.needs = {
                stage.addressing: {other.addressing for other in graph.successors(stage) if other in stages}
                for stage in stages
            }
        self.stages = {stage.addressing: stage for stage in stages}
        self.locks: dict[str, ExitStack] = {}
        self.commands = Commands(paths.LOGS)
        self.inputs: dict[str, list[Any]] = {}
        self.failed: list[str] = []
        self.booking = Booking(Path("dvc.lock"), self.stages, temporary, self._write_entry)
        self.core_seconds: dict[str, float] = {}

    def begin(self, name: str) -> Callable[[], Ran] | None:
        """Skip what is up to date, restore what was run before with the same inputs, else hand over the command."""
        try:
            return self._begin(name)
        except (DvcException, OSError) as error:
            ended = Ran(1, f"DVC: {_one_line(error)}", 0.0, 0.0)
            return lambda: ended

    def _begin(self, name: str) -> Callable[[], Ran] | None:
        stage = self.stages[name]
        with self._locking():
            if not stage.changed():
                self._say(f"{name:24} unchanged")
                self.booking.settle(name, changed=False)
                return None
            missing = [str(dep) for dep in stage.deps if not dep.exists]
            if missing:
                raise FileNotFoundError(f"{', '.join(missing)} is not there, but {name} depends on it")
            stage.remove_outs()
            if not self._is_restored(stage):
                self.inputs[name] = self._inputs(stage)
                self.locks[name] = self._lock_outputs(stage)
                self._say()
                command = _make_cmd(get_executable(), stage.cmd)
                return lambda: self.commands.run(name, command, **prepare_kwargs(stage))
            self._save(stage)
        self._say(f"{name:24} restored from the run cache")
        return None

    def _is_restored(self, stage: Any) -> bool:
        try:
            self.repo.stage_cache.restore(stage)
        except RunCacheNotFoundError:
            return False
        if self.usable(stage.addressing):
            return True
        stage.remove_outs()
        return False

    def finish(self, name: str, ran: Ran) -> bool:
        """Hash and book what a command left, or show what it printed."""
        self.locks.pop(name, ExitStack()).close()
        if ran.code != 0:
            return self._fail(name, f"with exit code {ran.code} after {ran.seconds:.1f} s:\n{ran.output}")
        try:
            with self._locking():
                if self._inputs(self.stages[name]) != self.inputs[name]:
                    return self._fail(name, "since its inputs changed while it ran; run it again")
                self._save(self.stages[name])
        except (DvcException, OSError) as error:
            return self._fail(name, f"after it ran: {_one_line(error)}")
        self.core_seconds[name] = round(ran.core_seconds, 1)
        self._say(f"{name:24} ran {ran.seconds:7.1f} s {ran.core_seconds:7.1f} core-seconds")
        for line in ran.output.splitlines():
            if line.startswith(NOTE):
                self._say(line)
        return True

    def _fail(self, name: str, how: str) -> bool:
        self.failed.append(name)
        self._say(f"{name:24} failed {how}")
        return False

    def _say(self, line: str = "") -> None:
        """One line a stage; below them, on a terminal, what is running now."""
        terminal = sys.stdout.isatty()
        print(("\r\033[K" if terminal else "") + line, end="\n" if line else "", flush=True)
        if terminal and self.locks:
            print(f"running: {', '.join(self.locks)}", end="", flush=True)

    @contextmanager
    def _locking(self) -> Iterator[None]:
        """DVC's lock, held only between commands, as DVC itself does; another process may hold it for a moment."""
        with ExitStack() as stack:
            for attempt in range(10):
                try:
                    stack.enter_context(self.repo.lock)
                    break
                except LockError:
                    if attempt == 9:
                        raise
            stack.enter_context(self.repo.scm_context(autostage=False, quiet=True))
            yield

    def _lock_outputs(self, stage: Any) -> ExitStack:
        stack = ExitStack()
        outputs = [out.fs_path for out in stage.outs]
        stack.enter_context(rwlock(self.repo.tmp_dir, self.repo.fs, " ".join(sys.argv), [], outputs, False))
        return stack

    def _inputs(self, stage: Any) -> list[Any]:
        """Digests of all that a stage depends on, as they are now."""
        stage.save_deps()
        return [dep.hash_info for dep in stage.deps]

    def _save(self, stage: Any) -> None:
        uncached = any(not out.use_cache and not out.is_metric and not out.is_plot for out in stage.outs)
        stage.save(run_cache=not uncached)
        stage.commit()
        self._check_cache(stage)
        self.booking.settle(stage.addressing, changed=True)

    def _check_cache(self, stage: Any) -> None:
        """Of what did not get into its cache, DVC only logs the reason, and would book it all the same."""
        missing = [str(out) for out in stage.outs if out.use_cache and out.changed_cache()]
        if missing:
            raise DvcException(
                f"{', '.join(missing)}: not whole in DVC's cache {self.repo.cache.local.path} (DVC says "
                f"why); {FULL}, or {PROTECTED}, then run this again"
            )

    def _write_entry(self, name: str, path: Path) -> None:
        """Let DVC write the entry of a stage into this file instead of dvc.lock."""
        lockfile = self.stages[name].dvcfile._lockfile
        lockfile.path = str(path)
        lockfile.dump(self.stages[name])

    @contextmanager
    def unlocking(self) -> Iterator[None]:
        """Whatever happens, no output stays locked."""
        try:
            yield
        finally:
            for lock in self.locks.values():
                lock.close()


def _one_line(error: BaseException) -> str:
    return refusal(error) or " ".join(str(error).split())
