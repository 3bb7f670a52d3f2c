"""Programs for tests that start at once: forks of a server that has torch, DVC and MLflow loaded, but nothing of ours.

Each call is still a process of its own, with its own arguments, folder, environment, streams and exit code. What has to
start as a user starts it (in other surroundings, to be killed, or to prove the start itself) takes the real programs.
"""

import atexit
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.core.params import Runtime

SERVER = Path(__file__).with_name("server.py")
SHARED = "MNIST_TESTS_FORKSERVER"


def start(environment: Mapping[str, str]) -> str:
    """Start a server that ends with this process; returns the folder of its programs, for the head of a PATH.

    Processes that this one starts later take the same server: the workers of pytest-xdist.
    That is the folder of the real ones where portable arithmetic can't be had: it sets the libraries to one thread, and
    a fork has only one of its parent's.
    """
    if portable.obstacle(Runtime(device="cpu", threads=1)) is not None:
        return str(Path(sys.executable).parent)
    if SHARED in os.environ:
        return os.environ[SHARED]
    kept = {name: value for name, value in environment.items() if name != "PYTHONPATH"}  # each client brings its own
    command = [sys.executable, str(SERVER)]
    server = subprocess.Popen(
        command, env=kept, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert server.stdout is not None
    folder = server.stdout.readline().strip()
    assert folder, f"{SERVER}: did not start; its own words are on standard error"
    atexit.register(server.communicate)  # closes its standard input, which ends it
    os.environ[SHARED] = folder
    return folder
