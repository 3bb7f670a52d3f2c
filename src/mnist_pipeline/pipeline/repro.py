"""`dvc repro` with independent stages side by side; it leaves the same dvc.lock, byte for byte.

DVC decides what has to run, restores, hashes and caches; only the commands of independent stages run at the same time.
Much of it is not DVC's public interface: its version is pinned, and tests hold signatures and what both ways write.
"""

import logging
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from dvc.dirs import site_cache_dir
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.index import Index
from dvc.repo.reproduce import plan_repro
from dvc.stage.run import _make_cmd, get_executable, prepare_kwargs

from mnist_pipeline.core import locks, paths
from mnist_pipeline.core.errors import PipelineError, refusal
from mnist_pipeline.pipeline import dvc_locks, parsed_yaml, selection
from mnist_pipeline.pipeline.booking import Booking
from mnist_pipeline.pipeline.commands import Commands, Ran, Work, interruptible
from mnist_pipeline.pipeline.run_cache import RunCache
from mnist_pipeline.pipeline.schedule import Schedule
from mnist_pipeline.pipeline.warm import Warm

SECONDS = 1.0  # between two looks for what a stage wants to be read


def repro(
    jobs: int,
    expected_seconds: dict[str, float],
    usable: Callable[[str], bool],
    targets: Sequence[str] = (),
    commands: Commands | None = None,
) -> dict[str, float]:
    """Bring the pipeline of this folder up to date, or `targets` and their needs; core-seconds of what ran, by stage.

    A target is a stage's name, or a pattern such as `evaluate@*`. `usable` says of a stage that was restored from the
    run cache whether its outputs are good here. `commands` runs the stages' commands, by default on this machine.
    Prints one line a stage, its notes as they come, and the output of a stage that failed. Raises PipelineError when
    one did, or for a target that there is not.
    """
    logging.getLogger("dvc").setLevel(logging.WARNING)
    try:
        with (
            interruptible(),
            locks.locked(paths.LOGS / "lock"),
            parsed_yaml.kept(),
            Repo() as repo,
            Warm(paths.LOGS / "forks.log") as warm,
        ):
            pipeline = Pipeline(repo, usable, targets, commands or Commands(paths.LOGS, warm))
            try:
                pipeline.run(jobs, expected_seconds)
            finally:
                for name in pipeline.running:
                    dvc_locks.release(repo, pipeline.stages[name])
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be gone
            print("\ninterrupted: the same command goes on, a training after its last whole epoch", file=sys.stderr)
        raise
    except DvcException as error:
        raise PipelineError(_one_line(error)) from error
    except sqlite3.DatabaseError as error:
        where = f"{site_cache_dir()}/repo, or the folder that DVC's core.site_cache_dir names"
        advice = f"make space there, or delete {where}: DVC makes them anew; then run this again"
        raise PipelineError(f"DVC's notes on digests of files: {error}; {advice}") from error
    if pipeline.failed:
        skipped = [name for name in pipeline.stages if name not in {*pipeline.booking.done, *pipeline.failed}]
        after = f"; not run: {', '.join(skipped)}" if skipped else ""
        raise PipelineError(f"{', '.join(pipeline.failed)} failed (see above){after}")
    return pipeline.core_seconds


class Pipeline:
    """The stages of one pipeline, in the order in which `dvc repro` goes through them."""

    def __init__(
        self, repo: Repo, usable: Callable[[str], bool], targets: Sequence[str] = (), commands: Commands | None = None
    ) -> None:
        self.repo, self.usable = repo, usable
        repo.stage_cache = RunCache(repo, self.say)
        self.running: list[str] = []  # the stages whose outputs are locked
        graph = dvc_locks.patiently(self, self._graph)
        own = {stage.addressing: stage for stage in plan_repro(graph)}
        wanted = [own[name] for name in selection.chosen([*own], targets)]
        self.stages = {stage.addressing: stage for stage in plan_repro(graph, wanted)}
        self.needs = {
            name: {other.addressing for other in graph.successors(stage)} & self.stages.keys()
            for name, stage in self.stages.items()
        }
        self.commands = commands or Commands(paths.LOGS)
        self.inputs: dict[str, list[Any]] = {}
        self.failed: list[str] = []
        self.booking = Booking(repo, self.stages)
        self.core_seconds: dict[str, float] = {}

    def run(self, jobs: int, expected_seconds: dict[str, float]) -> None:
        """Run all stages, at most `jobs` at once; after a failure those that run finish and none is started."""
        schedule = Schedule(self.needs, expected_seconds)
        futures: dict[Future[Ran], str] = {}
        with ThreadPoolExecutor(jobs) as pool:
            try:
                while True:
                    while not self.failed and len(futures) < jobs and (name := schedule.next()) is not None:
                        with self._noting_failure(name):
                            if (command := dvc_locks.patiently(self, self._begin, name)) is None:
                                schedule.done(name)
                            else:
                                futures[pool.submit(command)] = name
                    if not futures:
                        return
                    for future in wait(futures, SECONDS, FIRST_COMPLETED).done:
                        name = futures.pop(future)
                        with self._noting_failure(name):
                            dvc_locks.patiently(self, self._finish, name, future.result())
                            schedule.done(name)
                    for note in [note for name in futures.values() for note in self.commands.notes(name)]:
                        self.say(note)
            except BaseException:
                self.commands.end()
                raise

    def _graph(self) -> Any:
        """DVC's graph, once nothing is left of a killed DVC that would block."""
        dvc_locks.remove(self.repo)
        with self.repo.lock:
            return Index.from_file(self.repo, "dvc.yaml").graph  # not of every pipeline in this repository

    def _begin(self, name: str) -> Callable[[], Ran] | None:
        """Skip what is up to date, restore what was run before with the same inputs, else hand over the command."""
        stage = self.stages[name]
        with self.repo.lock:
            dvc_locks.check_hosts(self.repo, stage)
            self.repo.stage_cache.drop_damaged(stage, ".dir")  # DVC parses a list of files before it hashes it
            if not stage.changed():
                self.booking.book(name)
                self.say(f"{name:24} unchanged")
                return None
            missing = [str(dep) for dep in stage.deps if not dep.exists]
            if missing:
                raise FileNotFoundError(f"{', '.join(missing)} is not there, but {name} depends on it")
            if self.repo.stage_cache.bring_back(stage, partial(self.usable, name)):
                self.repo.stage_cache.keep(stage)
                self.booking.book(name, stage)
                self.say(f"{name:24} restored from the run cache")
                return None
            self.inputs[name] = self._inputs(stage)
            dvc_locks.acquire(self.repo, stage)
            self.running.append(name)
        self.say()
        return partial(self.commands.run, self._work(stage))

    def _work(self, stage: Any) -> Work:
        """The command of a stage; of a folder that it depends on, it reads the files that DVC does not ignore."""
        name = stage.addressing
        settings = prepare_kwargs(stage, {"MNIST_REPRO": self.booking.label(name)})
        folders = [dep for dep in stage.deps if dep.fs.isdir(dep.fs_path)]
        inputs = {Path(dep.fs_path): dep.obj.oid if dep.obj else "" for dep in stage.deps if dep not in folders}
        inputs |= {Path(dep.fs_path, *parts): info.value for dep in folders for parts, _, info in dep.obj}
        outputs = [Path(out.fs_path) for out in stage.outs]
        command = _make_cmd(get_executable(), stage.cmd)
        return Work(name, command, Path(settings["cwd"]), settings["env"], inputs, outputs)

    def _finish(self, name: str, ran: Ran) -> None:
        """Hash what a command left and enter it into dvc.lock. Raises PipelineError when it failed."""
        if ran.code != 0:
            raise PipelineError(f"with exit code {ran.code} after {ran.seconds:.1f} s:\n{ran.output}")
        stage = self.stages[name]
        with self.repo.lock:
            dvc_locks.check_hosts(self.repo, stage)
            if self._inputs(stage) != self.inputs[name]:
                raise PipelineError("since its inputs changed while it ran; run it again")
            self.repo.stage_cache.keep(stage)
            self.booking.book(name, stage)
        self._release(name)
        self.core_seconds[name] = round(ran.core_seconds, 1)
        where = f" on {ran.node}" if ran.node else ""
        self.say(f"{name:24} ran {ran.seconds:7.1f} s {ran.core_seconds:7.1f} core-seconds{where}")
        for note in self.commands.notes(name, ran.output):
            self.say(note)

    def _release(self, name: str) -> None:
        if name in self.running:
            dvc_locks.patiently(self, dvc_locks.release, self.repo, self.stages[name])
            self.running.remove(name)

    @contextmanager
    def _noting_failure(self, name: str) -> Iterator[None]:
        try:
            yield
        except (DvcException, OSError, PipelineError) as error:
            self.failed.append(name)
            self._release(name)
            self.say(f"{name:24} failed {error if isinstance(error, PipelineError) else _one_line(error)}")

    def say(self, line: str = "") -> None:
        """One line a stage; below them, on a terminal, what is running now."""
        terminal = sys.stdout.isatty()
        print(("\r\033[K" if terminal else "") + line, end="\n" if line else "", flush=True)
        if terminal and self.running:
            print(f"running: {', '.join(self.running)}", end="", flush=True)

    def _inputs(self, stage: Any) -> list[Any]:
        """Digests of all that a stage depends on, as they are now."""
        stage.save_deps()
        return [dep.hash_info for dep in stage.deps]


def _one_line(error: BaseException) -> str:
    return f"DVC: {refusal(error) or ' '.join(str(error).split())}"
