"""Which task of a graph comes next: each once all that it needs is done, the longest way to the end first."""

from graphlib import TopologicalSorter


class Schedule:
    """Tasks by name: what each needs, and its seconds; one that was never measured counts as long as the longest."""

    def __init__(self, needs: dict[str, set[str]], seconds: dict[str, float]) -> None:
        self.sorter, self.ready = TopologicalSorter(needs), list[str]()
        unknown = max(seconds.values(), default=1.0)
        self.to_the_end: dict[str, float] = {}
        for task in [*TopologicalSorter(needs).static_order()][::-1]:
            after = [self.to_the_end[other] for other, needed in needs.items() if task in needed]
            self.to_the_end[task] = seconds.get(task, unknown) + max(after, default=0.0)
        self.sorter.prepare()

    def next(self) -> str | None:
        """Take the next task; None if each that is left needs one that is not done yet."""
        self.ready = sorted([*self.ready, *self.sorter.get_ready()], key=self.to_the_end.__getitem__, reverse=True)
        return self.ready.pop(0) if self.ready else None

    def done(self, task: str) -> None:
        """Note that a task that was taken is done."""
        self.sorter.done(task)
