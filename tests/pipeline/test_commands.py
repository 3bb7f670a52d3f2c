"""Commands: output and processor time are kept, and all end together, also one that was about to start."""

import signal
import sys
import threading
from pathlib import Path

import pytest

from mnist_pipeline.pipeline.commands import Commands, Work

PRINT = "import sys; print('out'); print('oh', file=sys.stderr); sys.exit(3)"


def test_output_exit_code_and_processor_time_are_kept(tmp_path: Path) -> None:
    ran = Commands(tmp_path / "logs").run(Work("stage@model", [sys.executable, "-u", "-c", PRINT]))
    assert (ran.code, ran.output) == (3, "out\noh")
    assert ran.core_seconds > 0
    assert ran.seconds > 0
    assert (tmp_path / "logs" / "stage@model.log").read_text(encoding="utf-8") == "out\noh\n"


def test_the_end_comes_for_what_runs_and_what_would_have_started(tmp_path: Path) -> None:
    commands, codes = Commands(tmp_path), []
    ready = tmp_path / "ready"
    code = f"import pathlib, signal; pathlib.Path({str(ready)!r}).touch(); signal.pause()"
    endless = Work("endless", [sys.executable, "-c", code])
    thread = threading.Thread(target=lambda: codes.append(commands.run(endless).code))
    thread.start()
    while not ready.exists():
        thread.join(0.01)
    commands.end()
    thread.join()
    assert codes == [-signal.SIGTERM]
    with pytest.raises(KeyboardInterrupt):
        commands.run(Work("late", [sys.executable, "-c", PRINT]))
    assert (tmp_path / "late.log").read_text(encoding="utf-8") == ""
