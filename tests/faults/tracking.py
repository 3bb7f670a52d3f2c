"""An MLflow server over SQLite that can be killed, with its workers, and started again at the same address."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import requests

from tests.repository import environment
from tests.server.serving import free_port

PATIENCE = 180.0
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


class Server:
    """A server whose store is in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.port, self.log = free_port(), folder / "server.log"
        self.address = f"http://127.0.0.1:{self.port}"
        self.command = ["setpriv", "--pdeathsig", "TERM"]  # it ends with this process, however that ends
        self.command += ["mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "2"]
        self.command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
        self.command += ["--artifacts-destination", str(folder / "artifacts")]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, env=environment(**QUIET), stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.command} does not answer:\n{self.log.read_text(errors='replace')}")
            time.sleep(0.1)

    def kill(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.address}/health", timeout=5).ok
        except requests.RequestException:
            return False
