"""Dockerfile, .dockerignore and devcontainer agree with each other and with what Git ignores; none is built here."""

import json
import re

from tests.repository import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def _last(instruction: str) -> str:
    return str(re.findall(rf"^{instruction} (.*)", DOCKERFILE, flags=re.MULTILINE)[-1])


def test_the_image_is_the_locks_and_its_user_has_no_rights() -> None:
    assert _last("USER") == "mnist"
    assert "-slim" in _last("FROM")
    installed = re.findall(r"pip install.*", DOCKERFILE)
    assert len(installed) == 1
    assert "--require-hashes -r requirements.lock" in installed[0]


def test_an_editor_opens_the_folder_where_the_image_has_it() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert (ROOT / ".devcontainer" / container["build"]["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert container["remoteUser"] == _last("USER")
    folder = container["workspaceFolder"]
    assert folder == _last("WORKDIR")
    assert f"target={folder}," in container["workspaceMount"]
    assert all(f"target={folder}/.venv," in mount for mount in container["mounts"])


def test_what_git_ignores_stays_out_of_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip("/").removeprefix("**/")
        assert not pattern or pattern.startswith("#") or {pattern, f"**/{pattern}"} & set(ignored), line
