"""A shared MLflow server as a team would run it: PostgreSQL for the store, artifacts that only the server reaches."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.repository import environment
from tests.server.postgres import Postgres
from tests.server.serving import free_port, serving


@dataclass(frozen=True)
class TrackingServer:
    """A running server: its address for clients, and what is behind it for those who look after it."""

    address: str
    postgres: Postgres
    database: str
    artifacts: Path
    log: Path

    def query(self, question: str) -> list[tuple[str, ...]]:
        """Ask the database behind the server."""
        return self.postgres.query(self.database, question)

    def dump(self) -> str:
        """All that the database holds."""
        return self.postgres.run("pg_dump", self.database)

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.address}/health", timeout=5).ok
        except requests.ConnectionError:
            return False


@contextmanager
def running(postgres: Postgres, folder: Path, database: str) -> Iterator[TrackingServer]:
    """Serve a new, empty store until the block ends; two workers, so that requests do meet in the database."""
    port, artifacts = free_port(), folder / "artifacts"
    server = TrackingServer(f"http://127.0.0.1:{port}", postgres, database, artifacts, folder / "mlflow.log")
    command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "2"]
    command += ["--backend-store-uri", postgres.create(database), "--artifacts-destination", str(artifacts)]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    secret = {"PGPASSWORD": postgres.password}
    with serving(command, environment(**quiet, **secret), server.log, server.answers):
        yield server
