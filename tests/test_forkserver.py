"""What starts as a fork is a process like any other; what other surroundings could change starts afresh."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mnist_pipeline.arithmetic import runtime
from mnist_pipeline.core.params import Runtime
from tests.arithmetic.test_portable import needs_avx2
from tests.repository import Repository, quick_environment

pytestmark = needs_avx2  # else the real programs are run
SCRIPT = """
import json, os, sys, helper
import numpy
print(json.dumps({
    "argv": sys.argv, "folder": os.getcwd(), "set": os.environ["DVC_STAGE"], "umask": os.umask(0),
    "helper": helper.__file__, "stdin": sys.stdin.read(), "ours": [m for m in sys.modules if m.startswith("mnist_pip")],
}))
print(numpy.random.random(), file=sys.stderr)
"""
LOADED = "import sys; sys.exit('torch' in sys.modules)"
WAITING = "import os, time; print(os.getpid(), flush=True); time.sleep(1000)"


def _script(folder: Path, content: str) -> Path:
    path = folder / "script.py"
    path.write_text(content, encoding="utf-8")
    return path


def test_a_fork_has_what_a_fresh_process_has(tmp_path: Path) -> None:
    """And draws other random numbers than the fork before it."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "helper.py").touch()
    _script(tmp_path / "inner", SCRIPT)
    found = [
        subprocess.run(
            [program, "inner/script.py", "é", "-c"],
            cwd=tmp_path,
            env=quick_environment(DVC_STAGE="here"),
            input="to be read",
            capture_output=True,
            text=True,
            check=True,
            umask=0o027,
        )
        for program in ("python3", "python3", sys.executable)
    ]
    assert found[0].stdout == found[1].stdout == found[2].stdout
    assert '"to be read"' in found[0].stdout
    assert found[0].stderr != found[1].stderr


def test_code_on_the_command_line_is_run_by_a_fork_too(tmp_path: Path) -> None:
    (tmp_path / "helper.py").touch()
    shown = "import helper, sys; print(helper.__file__, sys.argv, __name__, '__file__' in globals(), flush=True); "
    ended = [
        subprocess.run(
            [program, "-c", shown + LOADED, "a", "é"], cwd=tmp_path, env=quick_environment(), capture_output=True
        )
        for program in ("python3", sys.executable)
    ]
    assert ended[0].stdout == ended[1].stdout
    assert [one.returncode for one in ended] == [1, 0]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("import sys; sys.exit(3)", 3),
        ("raise ValueError('told')", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    ],
)
def test_it_ends_as_the_fork_ends(tmp_path: Path, content: str, code: int) -> None:
    said = Repository(tmp_path).run("python3", str(_script(tmp_path, content)), code=code)
    assert ("ValueError: told" in said) == (code == 1)


@pytest.mark.parametrize("changes", [{}, {"TZ": "XXX-12:45"}, {"OMP_NUM_THREADS": "2"}, {"LC_ALL": "C"}])
def test_in_other_surroundings_it_starts_afresh(tmp_path: Path, changes: dict[str, str]) -> None:
    """What this process, too, sets when it trains is none."""
    runtime.configure(Runtime(device="cpu", threads=1))
    command = ["python3", str(_script(tmp_path, LOADED))]
    assert subprocess.run(command, env=quick_environment(**changes), check=False).returncode == (not changes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_reaches_the_fork(tmp_path: Path, number: signal.Signals) -> None:
    command = ["python3", str(_script(tmp_path, WAITING))]
    with subprocess.Popen(
        command,
        env=quick_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None
        fork = int(process.stdout.readline())
        assert fork != process.pid
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == -number
    deadline = time.monotonic() + 60
    while Path(f"/proc/{fork}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
