"""Run the tasks of a graph side by side: each as soon as what it needs is done, the longest way to the end first.

This module knows neither DVC nor where a task runs: it is handed what to do before, during and after.
"""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Work(Protocol[Result]):
    """What the scheduler asks for; `begin` and `finish` are called one at a time, what `begin` returns in parallel."""

    def begin(self, task: str) -> Callable[[], Result] | None:
        """Prepare a task; None when there is nothing to run."""

    def finish(self, task: str, result: Result) -> bool:
        """Book a result; False when the task failed, which keeps all further tasks from starting."""


class Scheduler:
    """Tasks by name: what each needs, and its seconds; one that was never measured counts as long as the longest."""

    def __init__(self, needs: dict[str, set[str]], seconds: dict[str, float]) -> None:
        self.needs = needs
        unknown = max(seconds.values(), default=1.0)
        self.seconds = {task: seconds.get(task, unknown) for task in needs}
        self.rank = {task: self._way_to_the_end(task) for task in needs}

    def _way_to_the_end(self, task: str) -> float:
        after = [self._way_to_the_end(other) for other, needs in self.needs.items() if task in needs]
        return self.seconds[task] + max(after, default=0.0)

    def run(self, work: Work[Result], jobs: int) -> list[str]:
        """Run all tasks, at most `jobs` at once; returns those that were not done, after what was running ended."""
        waiting = sorted(self.needs, key=lambda task: -self.rank[task])
        done: set[str] = set()
        running: dict[Future[Result], str] = {}
        healthy = True
        with ThreadPoolExecutor(jobs) as pool:
            while True:
                while healthy and len(running) < jobs and (task := self._next(waiting, done)) is not None:
                    waiting.remove(task)
                    action = work.begin(task)
                    if action is None:
                        done.add(task)
                    else:
                        running[pool.submit(action)] = task
                if not running:
                    return [task for task in self.needs if task not in done]
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    task = running.pop(future)
                    if work.finish(task, future.result()):
                        done.add(task)
                    else:
                        healthy = False

    def _next(self, waiting: list[str], done: set[str]) -> str | None:
        return next((task for task in waiting if self.needs[task] <= done), None)
