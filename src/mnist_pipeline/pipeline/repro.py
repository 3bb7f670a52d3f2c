"""`dvc repro` with independent stages side by side; it leaves the same dvc.lock, byte for byte.

DVC decides what has to run, restores, hashes and caches; only the commands of independent stages run at the same time.
Much of what is called here and in `leftovers` is not DVC's public interface. So its version is pinned, one test holds
the signatures, and another one compares what both ways write.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.reproduce import plan_repro
from dvc.rwlock import rwlock
from dvc.stage.cache import RunCacheNotFoundError
from dvc.stage.run import _make_cmd, get_executable, prepare_kwargs

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import FULL, PROTECTED, PipelineError, refusal
from mnist_pipeline.core.files import whole
from mnist_pipeline.pipeline import leftovers
from mnist_pipeline.pipeline.commands import Commands, Ran
from mnist_pipeline.pipeline.interruption import interruptible
from mnist_pipeline.pipeline.schedule import Schedule

LOCK = Path("dvc.lock")
NOTE = "note: "  # begins what a stage wants to be read, though it went well


def repro(jobs: int, expected_seconds: dict[str, float], usable: Callable[[str], bool]) -> dict[str, float]:
    """Bring the pipeline of this folder up to date; returns the core-seconds of each stage that ran.

    `usable` says of a stage that was restored from the run cache whether its outputs are good here. Prints one line a
    stage, its notes, and the output of a stage that failed. Raises PipelineError when one did.
    """
    logging.getLogger("dvc").setLevel(logging.WARNING)
    try:
        with interruptible(), Repo(_wait_for_lock=True) as repo:
            pipeline = Pipeline(repo, usable)
            pipeline.run(jobs, expected_seconds)
    except DvcException as error:
        raise PipelineError(_one_line(error)) from error
    if pipeline.failed:
        skipped = [name for name in pipeline.stages if name not in {*pipeline.done, *pipeline.failed}]
        after = f"; not run: {', '.join(skipped)}" if skipped else ""
        raise PipelineError(f"{', '.join(pipeline.failed)} failed (see above){after}")
    return pipeline.core_seconds


class Pipeline:
    """The stages of one repository, in the order in which `dvc repro` goes through them."""

    def __init__(self, repo: Repo, usable: Callable[[str], bool]) -> None:
        self.repo, self.usable = repo, usable
        leftovers.remove(repo)
        with repo.lock:
            graph = repo.index.graph
        self.stages = {stage.addressing: stage for stage in plan_repro(graph) if stage.relpath == "dvc.yaml"}
        self.needs = {
            name: {other.addressing for other in graph.successors(stage)} & self.stages.keys()
            for name, stage in self.stages.items()
        }
        self.commands = Commands(paths.LOGS)
        self.locks = ExitStack()  # whatever happens, no output stays locked once all commands have ended
        self.running: dict[str, ExitStack] = {}  # of these locks, those on the outputs of each stage
        self.inputs: dict[str, list[Any]] = {}
        self.failed: list[str] = []
        self.done: dict[str, Any] = {}  # by name, a stage whose entry is still to be written into dvc.lock; else None
        self.core_seconds: dict[str, float] = {}

    def run(self, jobs: int, expected_seconds: dict[str, float]) -> None:
        """Run all stages, at most `jobs` at once; after a failure those that run finish and none is started."""
        schedule = Schedule(self.needs, expected_seconds)
        futures: dict[Future[Ran], str] = {}
        with self.locks, ThreadPoolExecutor(jobs) as pool:
            try:
                while True:
                    while not self.failed and len(futures) < jobs and (name := schedule.next()) is not None:
                        with self._noting_failure(name):
                            if (command := self._begin(name)) is None:
                                schedule.done(name)
                            else:
                                futures[pool.submit(command)] = name
                    if not futures:
                        return
                    for future in wait(futures, return_when=FIRST_COMPLETED).done:
                        name = futures.pop(future)
                        with self._noting_failure(name):
                            self._finish(name, future.result())
                            schedule.done(name)
            except BaseException:
                self.commands.end()
                raise

    def _begin(self, name: str) -> Callable[[], Ran] | None:
        """Skip what is up to date, restore what was run before with the same inputs, else hand over the command."""
        stage = self.stages[name]
        with self.repo.lock:
            if not stage.changed():
                self._book(name)
                self._say(f"{name:24} unchanged")
                return None
            missing = [str(dep) for dep in stage.deps if not dep.exists]
            if missing:
                raise FileNotFoundError(f"{', '.join(missing)} is not there, but {name} depends on it")
            stage.remove_outs()
            with suppress(RunCacheNotFoundError):
                self.repo.stage_cache.restore(stage)
                if self.usable(name):
                    self._save(stage)
                    self._say(f"{name:24} restored from the run cache")
                    return None
                stage.remove_outs()
            self.inputs[name] = self._inputs(stage)
            outputs = [out.fs_path for out in stage.outs]
            self.running[name] = self.locks.enter_context(ExitStack())
            self.running[name].enter_context(
                rwlock(self.repo.tmp_dir, self.repo.fs, " ".join(sys.argv), [], outputs, False)
            )
        self._say()
        return partial(self.commands.run, name, _make_cmd(get_executable(), stage.cmd), **prepare_kwargs(stage))

    def _finish(self, name: str, ran: Ran) -> None:
        """Hash what a command left and enter it into dvc.lock. Raises PipelineError when it failed."""
        if ran.code != 0:
            raise PipelineError(f"with exit code {ran.code} after {ran.seconds:.1f} s:\n{ran.output}")
        stage = self.stages[name]
        with self.repo.lock:
            if self._inputs(stage) != self.inputs[name]:
                raise PipelineError("since its inputs changed while it ran; run it again")
            self._save(stage)
        self.running.pop(name).close()
        self.core_seconds[name] = round(ran.core_seconds, 1)
        self._say(f"{name:24} ran {ran.seconds:7.1f} s {ran.core_seconds:7.1f} core-seconds")
        for line in ran.output.splitlines():
            if line.startswith(NOTE):
                self._say(line)

    @contextmanager
    def _noting_failure(self, name: str) -> Iterator[None]:
        try:
            yield
        except (DvcException, OSError, PipelineError) as error:
            self.failed.append(name)
            self.running.pop(name, ExitStack()).close()
            self._say(f"{name:24} failed {error if isinstance(error, PipelineError) else _one_line(error)}")

    def _say(self, line: str = "") -> None:
        """One line a stage; below them, on a terminal, what is running now."""
        terminal = sys.stdout.isatty()
        print(("\r\033[K" if terminal else "") + line, end="\n" if line else "", flush=True)
        if terminal and self.running:
            print(f"running: {', '.join(self.running)}", end="", flush=True)

    def _inputs(self, stage: Any) -> list[Any]:
        """Digests of all that a stage depends on, as they are now."""
        stage.save_deps()
        return [dep.hash_info for dep in stage.deps]

    def _save(self, stage: Any) -> None:
        """As DVC does after a command. Of what did not get into its cache, it would only log the reason."""
        uncached = any(not out.use_cache and not out.is_metric and not out.is_plot for out in stage.outs)
        stage.save(run_cache=not uncached)
        stage.commit()
        missing = [str(out) for out in stage.outs if out.use_cache and out.changed_cache()]
        if missing:
            raise DvcException(
                f"{', '.join(missing)}: not whole in DVC's cache {self.repo.cache.local.path} (DVC says "
                f"why); {FULL}, or {PROTECTED}, then run this again"
            )
        self._book(stage.addressing, stage)

    def _book(self, name: str, stage: Any = None) -> None:
        """Note that a stage is done, and write into dvc.lock the entries that are due.

        An entry is due when all are written that `dvc repro` writes before it; the others wait, and are restored from
        the run cache after a failure or a kill. DVC writes in place, which may leave half a file, so it gets a copy.
        """
        self.done[name] = stage
        due = [name for name in takewhile(self.done.__contains__, self.stages) if self.done[name] is not None]
        if due:
            with whole(LOCK, Path(self.repo.tmp_dir) / f"{LOCK}.part") as copy:
                copy.write_bytes(LOCK.read_bytes() if LOCK.exists() else b"")
                Lockfile(self.repo, str(copy)).dump_stages([self.done[name] for name in due])
            self.done.update(dict.fromkeys(due))


def _one_line(error: BaseException) -> str:
    return f"DVC: {refusal(error) or ' '.join(str(error).split())}"
