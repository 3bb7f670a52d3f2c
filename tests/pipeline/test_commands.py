"""Commands: output and processor time are kept, and SIGTERM ends what runs."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from mnist_pipeline.pipeline.commands import Commands

PRINT = "import sys; print('out'); print('oh', file=sys.stderr); sys.exit(3)"


def test_output_exit_code_and_processor_time_are_kept(tmp_path: Path) -> None:
    ran = Commands(tmp_path / "logs").run("stage@model", [sys.executable, "-u", "-c", PRINT])
    assert (ran.code, ran.output) == (3, "out\noh")
    assert ran.core_seconds > 0
    assert ran.seconds > 0
    assert (tmp_path / "logs" / "stage@model.log").read_text(encoding="utf-8") == "out\noh\n"


def test_sigterm_ends_the_running_command_and_the_caller(tmp_path: Path) -> None:
    commands, codes = Commands(tmp_path), []
    ready = tmp_path / "ready"
    code = f"import pathlib, signal; pathlib.Path({str(ready)!r}).touch(); signal.pause()"
    thread = threading.Thread(target=lambda: codes.append(commands.run("endless", [sys.executable, "-c", code]).code))
    with pytest.raises(KeyboardInterrupt), commands.stopping():
        _start_and_end_myself(thread, ready)
    thread.join()
    assert codes == [-signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def _start_and_end_myself(thread: threading.Thread, ready: Path) -> None:
    thread.start()
    while not ready.exists():
        thread.join(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
    thread.join()
