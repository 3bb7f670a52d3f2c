"""The schedule: needs before tasks, and the longest way to the end first."""

import pytest

from mnist_pipeline.pipeline.schedule import Schedule


def schedule(needs: dict[str, str], seconds: dict[str, float] | None = None) -> Schedule:
    """Tasks with one letter each; what each needs as a word of letters."""
    return Schedule({task: set(others) for task, others in needs.items()}, seconds or {})


def one_at_a_time(schedule: Schedule) -> str:
    """The tasks in the order in which they come when each is done before the next one is taken."""
    order = ""
    while (task := schedule.next()) is not None:
        schedule.done(task)
        order += task
    return order


def test_a_task_comes_when_all_it_needs_is_done() -> None:
    found = schedule({"d": "bc", "c": "a", "b": "a", "a": "", "e": "d"})
    assert [found.next(), found.next()] == ["a", None]
    found.done("a")
    assert {found.next(), found.next()} == {"b", "c"}
    found.done("c")
    assert found.next() is None
    found.done("b")
    assert found.next() == "d"
    found.done("d")
    assert [found.next(), found.next()] == ["e", None]


def test_the_longest_way_to_the_end_goes_first() -> None:
    seconds = {"a": 1.0, "b": 5.0, "c": 2.0, "x": 9.0}
    assert one_at_a_time(schedule({"a": "", "b": "", "c": "", "x": "a"}, seconds)) == "axbc"


def test_of_several_ways_to_the_end_the_longest_counts() -> None:
    found = schedule({"a": "", "b": "", "x": "a", "y": "a"}, {"a": 1.0, "b": 5.0, "x": 3.0, "y": 3.0})
    assert found.next() == "b"


def test_a_task_that_was_never_measured_counts_as_long_as_the_longest() -> None:
    assert schedule({"a": "", "b": "", "c": ""}, {"a": 1.0, "b": 5.0, "gone": 7.0}).next() == "c"


def test_without_any_measure_the_order_is_that_of_the_graph() -> None:
    assert one_at_a_time(schedule({"a": "", "b": "", "c": "b"})) == "bac"


@pytest.mark.parametrize("needs", [{}, {"a": ""}])
def test_nothing_is_left_in_the_end(needs: dict[str, str]) -> None:
    found = schedule(needs)
    assert one_at_a_time(found) == "".join(needs)
    assert found.next() is None
