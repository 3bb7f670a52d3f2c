"""Stages at once: never more than asked for, and those that run when another one fails come to their end."""

from itertools import accumulate
from pathlib import Path

import pytest

from mnist_pipeline.core.errors import PipelineError
from tests.pipeline.conftest import Project

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep")  # of a package of DVC's
BUSY = "echo + >>log; sleep 0.3; echo - >>log; touch"


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_never_more_stages_run_than_jobs(shell: Project, jobs: int) -> None:
    names = ["a", "b", "c", "d", "e"]
    shell.write(**{name: {"cmd": f"{BUSY} {name}", "deps": ["source"], "outs": [name]} for name in names})
    assert sorted(shell.run(jobs)) == names
    running = list(accumulate(1 if sign == "+" else -1 for sign in shell.logged()))
    assert max(running) == jobs
    assert running[-1] == 0


def test_after_a_failure_what_runs_is_finished_and_nothing_else_begins(
    shell: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.write(
        fails={"cmd": "sleep 0.2; exit 3", "deps": ["source"], "outs": ["fails"]},
        runs={"cmd": "sleep 1; touch runs", "deps": ["source"], "outs": ["runs"]},
        waits={"cmd": "touch waits", "deps": ["source"], "outs": ["waits"]},
    )
    with pytest.raises(PipelineError, match=r"fails failed \(see above\); not run: waits"):
        shell.run(2, fails=9.0, runs=8.0, waits=1.0)
    assert "runs                     ran" in capsys.readouterr().out
    assert Path("runs").exists()
    assert not Path("waits").exists()
