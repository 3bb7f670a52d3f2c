"""The scheduler: needs before tasks, the longest way first, never more than `jobs` at once, and orderly failure."""

import threading
from collections.abc import Callable

import pytest

from mnist_pipeline.pipeline.scheduler import Scheduler

SECONDS = 10.0


class Log:
    """Work that notes what began and what ended, and how many tasks were between the two."""

    def __init__(self, fails: str = "", nothing: str = "", action: Callable[[str], object] | None = None) -> None:
        self.fails, self.nothing = fails, nothing
        self.action = action or (lambda _: None)
        self.events: list[str] = []
        self.running = self.most = 0
        self.failure = threading.Event()

    def begin(self, task: str) -> Callable[[], str] | None:
        if task in self.nothing:
            self.events.append(f"={task}")
            return None
        self.events.append(f"+{task}")
        self.running += 1
        self.most = max(self.most, self.running)
        return lambda: self._run(task)

    def _run(self, task: str) -> str:
        self.action(task)
        return task.upper()

    def finish(self, task: str, result: str) -> bool:
        assert result == task.upper()
        self.events.append(f"-{task}")
        self.running -= 1
        if task in self.fails:
            self.failure.set()
        return task not in self.fails


def scheduler(needs: dict[str, str], seconds: dict[str, float] | None = None) -> Scheduler:
    """Tasks with one letter each; what each needs as a word of letters."""
    return Scheduler({task: set(others) for task, others in needs.items()}, seconds or {})


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_a_task_begins_when_all_it_needs_is_done(jobs: int) -> None:
    needs = {"d": "bc", "c": "a", "b": "a", "a": "", "e": "d"}
    log = Log()
    assert scheduler(needs).run(log, jobs) == []
    assert sorted(log.events) == sorted(f"{sign}{task}" for sign in "+-" for task in needs)
    for task, others in needs.items():
        for other in others:
            assert log.events.index(f"-{other}") < log.events.index(f"+{task}")


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_as_many_as_jobs_run_at_once_and_never_more(jobs: int) -> None:
    together = threading.Barrier(jobs)
    log = Log(action=lambda _: together.wait(SECONDS))
    assert scheduler(dict.fromkeys("abcdefgh", "")).run(log, jobs) == []
    assert log.most == jobs


def test_the_longest_way_to_the_end_goes_first() -> None:
    log = Log()
    seconds = {"a": 1.0, "b": 5.0, "c": 2.0, "x": 9.0}
    assert scheduler({"a": "", "b": "", "c": "", "x": "a"}, seconds).run(log, jobs=1) == []
    assert log.events == ["+a", "-a", "+x", "-x", "+b", "-b", "+c", "-c"]


def test_of_several_ways_to_the_end_the_longest_counts() -> None:
    log = Log()
    scheduler({"a": "", "b": "", "x": "a", "y": "a"}, {"a": 1.0, "b": 5.0, "x": 3.0, "y": 3.0}).run(log, jobs=1)
    assert log.events[0] == "+b"


def test_a_task_that_was_never_measured_counts_as_long_as_the_longest() -> None:
    log = Log()
    scheduler({"a": "", "b": "", "c": ""}, {"a": 1.0, "b": 5.0, "gone": 7.0}).run(log, jobs=1)
    assert log.events[0] == "+c"


def test_without_any_measure_the_order_is_that_of_the_graph() -> None:
    log = Log()
    scheduler({"a": "", "b": "", "c": "b"}).run(log, jobs=1)
    assert [event for event in log.events if event[0] == "+"] == ["+b", "+a", "+c"]


def test_a_failure_starts_nothing_new_but_waits_for_what_runs() -> None:
    def last_until_a_failed(task: str) -> None:
        if task == "b":
            assert log.failure.wait(SECONDS)

    log = Log(fails="a", action=last_until_a_failed)
    undone = scheduler({"a": "", "b": "", "c": "", "d": "a", "e": "b"}, {"a": 3.0, "b": 3.0, "c": 1.0}).run(log, jobs=2)
    assert log.events == ["+a", "+b", "-a", "-b"]
    assert undone == ["a", "c", "d", "e"]


def test_a_task_with_nothing_to_run_is_done_at_once() -> None:
    log = Log(nothing="ab")
    assert scheduler({"a": "", "b": "a", "c": "b"}).run(log, jobs=1) == []
    assert log.events == ["=a", "=b", "+c", "-c"]
    nothing = Log(nothing="abc")
    assert scheduler({"a": "", "b": "a", "c": "b"}).run(nothing, jobs=2) == []
    assert nothing.most == 0


def test_an_exception_in_a_task_comes_out() -> None:
    def burst(_: str) -> None:
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        scheduler({"a": "", "b": ""}).run(Log(action=burst), jobs=2)


def test_no_tasks_are_done_at_once() -> None:
    assert scheduler({}).run(Log(), jobs=2) == []
