"""User and password of a guarded server come from the environment, and stay there."""

from pathlib import Path

import pytest

from tests.repository import Repository
from tests.server import held
from tests.server.conftest import SECOND
from tests.server.gate import Gate
from tests.server.tracking_server import TrackingServer

pytestmark = pytest.mark.server
WRONG = {"MLFLOW_TRACKING_USERNAME": "publisher", "MLFLOW_TRACKING_PASSWORD": "not-the-password"}


def test_neither_password_is_written_anywhere(shared: TrackingServer, guarded: Gate, second: Path) -> None:
    """Neither the publisher's nor the database's, neither in the repository nor on the server."""
    assert guarded.passed > 0
    expected = held.expected(Repository(second))
    assert held.look(shared.address, SECOND).contents_of_versions == dict.fromkeys(expected, 1)
    secrets = [guarded.password, guarded.token, shared.postgres.password]
    places = [second, shared.log.parent]
    texts = {str(path): path.read_bytes() for place in places for path in place.rglob("*") if path.is_file()}
    texts["database"] = shared.dump().encode()
    assert "git.commit" in shared.dump()
    assert [name for name, text in texts.items() if any(secret.encode() in text for secret in secrets)] == []
    assert {".logs/publish.log", "dvc.lock", "params.yaml", ".mlflow/receipt.json", "output.txt"} <= {
        str(Path(name).relative_to(second)) for name in texts if name.startswith(str(second))
    }


def test_who_may_not_pass_is_told_so_in_one_line(guarded: Gate, project: Repository) -> None:
    refused = guarded.refused
    output = project.run("mnist", "publish", code=1, MLFLOW_TRACKING_URI=guarded.address, **WRONG)
    assert guarded.refused > refused
    assert "401" in output
    assert guarded.address in output
    assert "Traceback" not in output
    assert "not-the-password" not in output
