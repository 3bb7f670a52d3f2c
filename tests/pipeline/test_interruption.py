"""Requests to end: heeded once, not if they are ignored, and `mnist repro` leaves nothing running after one."""

import os
import signal
import subprocess
import sys

import pytest

from mnist_pipeline.pipeline.commands import interruptible
from tests.faults.killed import seconds_until_all_ended
from tests.repository import Repository, environment

ABOUT_TO_START = """
import os, signal, sys, time

def interrupt(event, arguments):
    if event == "{event}" and "{argument}" in str(arguments):
        os.kill(os.getpid(), signal.{number})
        time.sleep(1)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it in the background
sys.addaudithook(interrupt)
from mnist_pipeline.cli import main
main()
"""


def test_the_first_request_is_an_exception_and_the_handlers_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    caught = 0
    with interruptible():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            caught += 1
            os.kill(os.getpid(), signal.SIGINT)
    assert caught == 1
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    ("arithmetic", "event", "argument"),
    [
        ("native", "subprocess.Popen", "stages/download.py"),
        ("portable", "subprocess.Popen", "forks.py"),  # which is to load libraries first
        ("portable", "socket.sendmsg", ""),  # which asks it to fork
    ],
)
def test_a_command_that_is_about_to_start_is_ended_too(
    project: Repository, arithmetic: str, event: str, argument: str, number: str
) -> None:
    content = project.params()
    content["runtime"]["arithmetic"] = arithmetic
    project.write_params(content)
    (project.path / "stages" / "download.py").write_text("import time; time.sleep(1000)\n", encoding="utf-8")
    program = ABOUT_TO_START.replace("{number}", number).replace("{event}", event).replace("{argument}", argument)
    command = [sys.executable, "-c", program, "repro"]
    with subprocess.Popen(command, cwd=project.path, env=environment(), start_new_session=True) as running:
        try:
            assert running.wait(timeout=120) == 130  # as shells know Ctrl-C
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
    seconds_until_all_ended(project.path)
