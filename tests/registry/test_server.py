"""A server as the store: certificates of whoever runs it, and what happens when it is emptied or away."""

import shutil
import socket
import ssl
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow.protos.service_pb2 import GetExperimentByName
from mlflow.utils.proto_json_utils import parse_dict

from mnist_pipeline.core import background
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry import connection, integrity
from tests.faults.tracking import Server
from tests.repository import Repository, outcomes
from tests.server import held, interleaving, proxy

FORGET = """
import mlflow
client = mlflow.MlflowClient()
for version in client.search_model_versions("name = 'tiny'"):
    client.delete_model_version_tag("tiny", version.version, "network_sha256")
"""
SELF_SIGNED = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=here -addext subjectAltName=IP:127.0.0.1"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and its certificate in one file: the server's, and a client's too."""
    file = tmp_path_factory.mktemp("certificate") / "both.pem"
    made = subprocess.run([*SELF_SIGNED.split(), "-keyout", "-", "-out", "-"], capture_output=True, check=True)
    file.write_bytes(made.stdout)
    return file


def test_certificates_are_those_that_mlflow_is_told_of(
    tracking: Server, certificate: Path, project: Repository
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificate))
    tls.load_cert_chain(certificate)
    tls.verify_mode = ssl.CERT_REQUIRED
    with proxy.before(tracking.address, lambda request, body: request.pass_on(body), tls) as address:
        ours = {"MLFLOW_TRACKING_URI": address, "MLFLOW_TRACKING_CLIENT_CERT_PATH": str(certificate)}
        refused = project.run("mnist", "history", code=1, **ours)
        assert f"error: MLflow's store at {address}" in refused
        assert "certificate verify failed" in refused
        assert "Traceback" not in refused
        absent = project.run("mnist", "history", code=1, **ours, MLFLOW_TRACKING_SERVER_CERT_PATH="/nowhere.pem")
        assert "/nowhere.pem; look at MLFLOW_TRACKING_SERVER_CERT_PATH" in absent.splitlines()[-1]
        for trust in ({"SERVER_CERT_PATH": str(certificate)}, {"INSECURE_TLS": "true"}):
            variables = {f"MLFLOW_TRACKING_{name}": value for name, value in trust.items()}
            assert "nothing is on record" in project.run("mnist", "history", code=0, **ours, **variables)


def test_what_is_no_answer_of_mlflows_is_one_line(project: Repository) -> None:
    with (
        pytest.raises(PipelineError, match=r"MLflow's store at .*: Failed to parse .*, got 'int'"),
        connection.errors_in_one_line(),
    ):
        parse_dict({"experiment": {"experiment_id": 5}}, GetExperimentByName.Response())
    output = project.run("mnist", "history", code=1, MLFLOW_TRACKING_URI="mysql://127.0.0.1/mlflow")
    assert output.startswith("error: MLflow's store at mysql://127.0.0.1/mlflow (MLFLOW_TRACKING_URI): No module named")


def test_a_server_whose_answer_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout of `requests` is for each pause in an answer, not for all of it."""

    def drip(listener: socket.socket) -> None:
        with suppress(OSError), listener.accept()[0] as link:
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
            while True:
                link.sendall(b"x")
                time.sleep(0.2)

    monkeypatch.setattr(connection, "SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{listener.getsockname()[1]}")
        background.start(lambda: drip(listener))
        with pytest.raises(PipelineError, match=r"/health: no whole answer within 1 s$"), connection.existing():
            pass


def test_a_server_that_was_emptied_gets_everything_again(tracking: Server, project: Repository) -> None:
    place = {"MLFLOW_TRACKING_URI": tracking.address}
    assert _ran(project.run("mnist", "repro", code=0, **place)) == ["publish"]
    assert _ran(project.run("mnist", "repro", code=0, **place)) == []
    tracking.kill()
    output = project.run("mnist", "repro", code=0, **place)
    assert _ran(output) == [], "what is up to date needs no server"
    assert f"note: MLflow's store at {tracking.address}" in output
    folder = tracking.log.parent
    (folder / "mlflow.db").unlink()
    shutil.rmtree(folder / "artifacts")
    tracking.start()
    assert _ran(project.run("mnist", "repro", code=0, **place)) == ["publish"]
    ranks, found = held.expected(project), held.look(tracking.address, "tiny")
    assert found.contents_of_versions == found.contents_of_runs == dict.fromkeys(ranks, 1)
    assert found.champion.tags["model"] == "plain"


def test_two_that_renew_the_files_of_one_version_leave_those_of_one(
    tracking: Server, project: Repository, tmp_path: Path
) -> None:
    """The second does all its work after the first has brought its files and before it tells the digest of their sums.

    A file that only an earlier upload had goes from the server, too.
    """
    other = Repository(Path(shutil.copytree(project.path, tmp_path / "other")))
    place = {"MLFLOW_TRACKING_URI": tracking.address}
    project.run("mnist", "publish", code=0, **place)
    for manifest in (tracking.log.parent / "artifacts").rglob("extra_files/model.json"):
        manifest.with_name("old.json").touch()
        integrity.seal(manifest.parents[1])
    project.run("python3", "-c", FORGET, code=0, **place)
    how = {project: ("first", "second", "set_model_version_tag"), other: ("second", "first", "overtaking")}
    with ThreadPoolExecutor() as threads:
        for done in [
            threads.submit(one.run, "python3", interleaving.__file__, str(tmp_path), *arguments, code=0, **place)
            for one, arguments in how.items()
        ]:
            done.result()
    for version in ("1", "2"):
        pulled = tmp_path / version
        project.run("mnist", "pull", "--version", version, str(pulled), code=0, **place)
        assert not (pulled / "extra_files/old.json").exists()


def _ran(output: str) -> list[str]:
    return [stage for stage, outcome in outcomes(output).items() if outcome != "unchanged"]
