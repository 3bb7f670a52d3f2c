"""A PostgreSQL server of the tests' own: in a temporary folder, on loopback, with a password made up for it."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.repository import environment
from tests.server.serving import as_user, free_port, serving

USER = "mlflow"
DEBIAN = "/usr/lib/postgresql"
CLUSTER = (f"--username={USER}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
OPTIONS = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=60")


@dataclass(frozen=True)
class Postgres:
    """A running server; its password is kept out of every traceback."""

    port: int
    log: Path
    password: str = field(repr=False)

    @property
    def variables(self) -> dict[str, str]:
        """What libpq, and so each of its programs and MLflow's driver, takes from the environment."""
        return {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": USER, "PGPASSWORD": self.password}

    def run(self, name: str, *arguments: str) -> str:
        """What one of PostgreSQL's own programs prints."""
        done = subprocess.run(
            [program(name), *arguments], env=environment(**self.variables), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{name} {arguments} ended with {done.returncode}:\n{done.stderr}"
        return done.stdout

    def create(self, database: str) -> str:
        """A new database; returns its address, without the password."""
        self.run("createdb", database)
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def query(self, database: str, question: str) -> list[tuple[str, ...]]:
        """The rows that answer a question, every value as text."""
        lines = self.run("psql", "--no-align", "--tuples-only", "--field-separator=\t", "-c", question, database)
        return [tuple(line.split("\t")) for line in lines.splitlines()]

    def answers(self) -> bool:
        ready = [program("pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={self.port}"]
        return subprocess.run(ready, check=False).returncode == 0


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs; Debian keeps the server's own outside of PATH, a folder a version."""
    versions = sorted(Path(DEBIAN).glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, versions), os.environ["PATH"]]))
    if found is None:
        raise RuntimeError(f"{name}: not found, neither in {DEBIAN}/*/bin nor in PATH; run `make test-server`")
    return found


@contextmanager
def running(logs: Path) -> Iterator[Postgres]:
    """Make a cluster and serve it until the block ends; it is in a short path of its own that its user can reach."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder, server = Path(name), Postgres(free_port(), logs / "postgres.log", secrets.token_urlsafe(24))
        _make_cluster(folder, server)
        settings = [part for option in (*OPTIONS, f"port={server.port}") for part in ("-c", option)]
        command = [program("postgres"), "-D", str(folder / "data"), *settings]
        with serving(command, environment(), server.log, server.answers, signal.SIGINT, _unprivileged()):
            yield server


def _make_cluster(folder: Path, server: Postgres) -> None:
    """Whoever connects has to know the password: there is no trust, not even for this machine's own users."""
    password = folder / "password"
    password.write_text(server.password, encoding="utf-8")
    user = _unprivileged()
    if user:
        shutil.chown(folder, user)
        shutil.chown(password, user)
    initdb = [program("initdb"), "-D", str(folder / "data"), f"--pwfile={password}", *CLUSTER]
    command = [*as_user(user), *initdb]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    password.unlink()


def _unprivileged() -> str | None:
    """PostgreSQL refuses to be run by root; Debian's package brings a user for it."""
    return "postgres" if os.geteuid() == 0 else None
