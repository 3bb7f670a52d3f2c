"""The commands of stages, run by the nodes of a Ray cluster; what comes back is checked and written here.

The machine with the clone is the only one with Git, DVC's cache and MLflow. So what reads the network, Git or MLflow
stays there.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mnist_pipeline.cluster import execution, messages, nodes
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import write_durably
from mnist_pipeline.core.params import Runtime
from mnist_pipeline.pipeline import remote
from mnist_pipeline.pipeline.commands import NOTE, Commands, Ran, Work

STAY = ("download", "report", "publish")
SENT = ("DVC_STAGE", "MNIST_REPRO")  # variables of a stage
TRIES = 3  # nodes that may fail under one stage
BIG = 256 << 20  # bytes from which an input comes from DVC's remote, if there is one: docs/cluster.md
SECONDS = 2.0  # between two looks whether a node is left


class Cluster(Commands):
    """The accepted nodes of the cluster at an address; `say` prints what a user should know.

    `jobs` stages fit on them at once. `travelled`: bytes of files that were sent, each content once, or came back.
    """

    def __init__(self, logs: Path, address: str, runtime: Runtime, say: Callable[[str], None]) -> None:
        super().__init__(logs)
        self.say, self.travelled = say, 0
        self.accepted = nodes.connect(address, runtime, say)
        needs = {"num_cpus": runtime.threads, "num_gpus": 1 if runtime.device == "cuda" else 0}
        self.fitting = nodes.capacity(self.accepted, needs)  # stages, by node
        self.jobs, self.busy = sum(self.fitting.values()), Counter[str]()
        self.execute = ray.remote(max_retries=0, num_returns="streaming", **needs)(execution.execute)
        self.stored: dict[str, Any] = {}  # Ray's reference to each content that was sent, by digest
        self.tasks: set[Any] = set()
        self.lacking: set[str] = set()  # the md5 of each content that the remote did not give
        try:
            self.place = remote.places()
        except PipelineError as error:
            self.place = None
            say(f"{NOTE}nodes get nothing from DVC's remote: {error}")

    def run(self, work: Work) -> Ran:
        """Run a command on a node, or here if it stays. Raises PipelineError when one node after the other fails."""
        if work.name.partition("@")[0] in STAY:
            return super().run(work)
        failed: dict[str, str] = {}  # why, by node
        while len(failed) < TRIES and (left := nodes.alive(self.accepted) & self.fitting.keys() - failed.keys()):
            node = self._least_busy(left)
            try:
                if ran := self._run(work, node):
                    return ran
            except (RayError, ValueError) as error:
                if self.ended:
                    raise KeyboardInterrupt from None
                failed[node] = f"{type(error).__name__}: {' '.join(str(error).split())[-300:]}"
                self.say(f"{work.name:24} failed on {self.accepted[node]}, not by its own error: {failed[node]}")
            finally:
                with self.lock:
                    self.busy[node] -= 1
        reasons = "; ".join(failed.values()) or "none is alive"
        raise PipelineError(f"since no node of the cluster is left for it: {reasons}; run it again when they are well")

    def _least_busy(self, left: set[str]) -> str:
        """The node for the next stage; by name, since Ray would rather take one that has the inputs, though refused."""
        with self.lock:
            node = min(sorted(left), key=lambda one: self.busy[one] / self.fitting[one])
            self.busy[node] += 1
        return node

    def _run(self, work: Work, node: str) -> Ran | None:
        """Send a stage to a node and receive what it gives.

        None when the node could not get from DVC's remote what is now known to be lacking there.
        """
        environment = work.environment or {}
        root = Path(environment["DVC_ROOT"])
        remote = self._remote(work)
        inputs = {_name(path, root): path.read_bytes() for path in _inputs(work, root) if path not in remote}
        order = {
            "name": work.name,
            "command": work.command[-1],
            "cwd": _name(work.folder, root),
            "environment": {name: environment[name] for name in SENT},
            "inputs": list(inputs),
            "remote": [[_name(path, root), *content] for path, content in remote.items()],
            "outputs": [_name(path, root) for path in work.outputs],
        }
        place = NodeAffinitySchedulingStrategy(node, soft=False)
        with self.lock:
            if self.ended:
                raise KeyboardInterrupt
            sent = [self._store(content) for content in inputs.values()]
            task = self.execute.options(scheduling_strategy=place).remote(json.dumps(order), *sent)
            self.tasks.add(task)
        try:
            return self._received(work, root, self._messages(task, node), node)
        except BaseException:
            ray.cancel(task, force=True)
            raise
        finally:
            self.tasks.discard(task)

    def _remote(self, work: Work) -> dict[Path, tuple[str, str]]:
        """The inputs that a node gets from DVC's remote: md5 and place there."""
        if (place := self.place) is None:
            return {}
        big = {path: md5 for path, md5 in work.inputs.items() if path.stat().st_size >= BIG}
        return {path: (md5, place(md5)) for path, md5 in big.items() if md5 and md5 not in self.lacking}

    def _store(self, content: bytes) -> Any:
        """A reference to this content, which travels to each node once."""
        name = messages.digest(content)
        if name not in self.stored:
            self.stored[name] = ray.put(content)
            self.travelled += len(content)
        return self.stored[name]

    def _messages(self, task: Any, node: str) -> Iterator[bytes]:
        while True:
            while not ray.wait([task], timeout=SECONDS)[0]:
                if node not in nodes.alive(self.accepted):
                    raise ValueError("Ray's health check takes it for dead")  # and would itself wait on
            try:
                yield ray.get(next(task))
            except StopIteration:
                return

    def _received(self, work: Work, root: Path, arriving: Iterator[bytes], node: str) -> Ran | None:
        """Write what a stage sends; how it ended, or None. Raises ValueError for what it should not send."""
        places = {"output": work.outputs, "kept": [root / paths.RESUME, work.folder / paths.TIMINGS]}
        for message in arriving:
            header, content = messages.unpack(message)
            self.travelled += len(content)
            if header["kind"] == "lacking":
                for path, md5, why in header["files"]:
                    if md5 not in self.lacking:
                        self.say(f"{NOTE}the driver sends {path}, since DVC's remote does not: {why}")
                        self.lacking.add(md5)
                return None
            if header["kind"] == "ended":
                self.logs.mkdir(exist_ok=True)
                (self.logs / f"{work.name}.log").write_bytes(content)
                took = (header["seconds"], header["core_seconds"])
                return Ran(header["code"], content.decode(), *took, self.accepted[node])
            path = (root / header["path"]).resolve()
            if not any(path.is_relative_to(place.resolve()) for place in places[header["kind"]]):
                raise ValueError(f"a node sent {header['path']}, which is no output of {work.name}")
            write_durably(path, content)
        raise ValueError("the stage ended without a word")

    def end(self) -> None:
        """End what runs, here and on the nodes."""
        super().end()
        for task in [*self.tasks]:
            ray.cancel(task, force=True)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _inputs(work: Work, root: Path) -> list[Path]:
    """What a stage declares, each `__init__.py` above that makes it a package, and what a killed training reached."""
    above = {folder for path in work.inputs for folder in path.parents if folder.is_relative_to(root)}
    stage, _, model = work.name.partition("@")
    states = (root / paths.RESUME).glob(f"{model}-*/**/*") if stage.startswith("train") and model else ()
    found = {*work.inputs, *(folder / "__init__.py" for folder in above), *states}
    return sorted(path for path in found if path.is_file() and path.suffix != ".part")
